"""The root of every error that `ingest` raises."""


class IngestError(Exception):
    """The message names what was wrong, where, and what to do."""
