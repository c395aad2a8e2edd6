"""What users of the simulated fleet can be told."""


class FleetError(Exception):
    """A fleet, a plan or a run was asked for that cannot be; the message names what, and what is allowed."""
