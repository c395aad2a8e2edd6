"""The list of sessions with its filters."""
