"""The root of every error that the historic fleet raises."""


class HistoricError(Exception):
    """A historic fleet cannot be made as it was asked for; the message names what is wrong and what is allowed."""
