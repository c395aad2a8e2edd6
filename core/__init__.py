"""Pure rules: bytes to frames to columns, register readings to accepted energy, tariffs. No I/O, no clock."""
