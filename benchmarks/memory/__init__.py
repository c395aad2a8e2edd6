"""What a connection costs in memory while nothing happens on it."""
