"""Live traffic from the socket to a row that can be asked for, and how soon chargers get their acknowledgements."""
