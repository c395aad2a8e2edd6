"""All chargers reconnect at once, each with what it kept: how soon everybody is served, and who waits meanwhile."""
