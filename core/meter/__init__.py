"""The meter-delta calculator: register readings to accepted energy, with an interval and a reason."""
