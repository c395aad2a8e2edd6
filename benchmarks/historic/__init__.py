"""The eleven months of the log: a fleet whose chargers had the log's defects at the log's counts (requirement S02)."""
