"""What the charger protocols share: how messages are described, read, written and split out of a stream."""
