"""The root of every error that `analytics` raises."""


class AnalyticsError(Exception):
    """The message names what was wrong, where, and what to do."""
