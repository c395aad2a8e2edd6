"""The live overview: what the fleet does now, and what today has brought."""
