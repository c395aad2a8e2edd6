"""How many readings a second come from the socket to a row that can be asked for, all processes on one machine."""
