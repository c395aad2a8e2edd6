"""How many frames a second a gateway takes from its sockets, beside the least that any server must do."""
