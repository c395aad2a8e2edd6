"""The simulated charger fleet and every measured figure."""
