"""A simulated fleet of YKC chargers: it makes the load, and the faults, that demo, tests and benchmarks need."""
