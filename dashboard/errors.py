"""The root of every error that `dashboard` raises."""


class DashboardError(Exception):
    """The message names what was wrong, where, and what to do."""
