"""Operators, stations, piles, connectors and tariffs: everything that needs a transaction."""
