"""Split, check and decode a stream of realtime frames into columns, on one core."""
