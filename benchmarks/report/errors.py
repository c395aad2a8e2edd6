"""What goes wrong in the report itself; a benchmark that fails is a result."""


class ReportError(Exception):
    """Base of this package's errors."""


class UnknownWorkloadError(ReportError):
    """A workload was named that there is none of."""


class ResultError(ReportError):
    """A kept result cannot be read."""
