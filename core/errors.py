"""The root of every error that `core` raises."""


class CoreError(Exception):
    """Something handed to `core` was wrong; the message names what, where and what to do."""


class UnknownChecksumError(CoreError):
    """There is no such way to compute checksums on this machine."""


class UnknownRowWriterError(CoreError):
    """Rows were to be written in a way that this machine cannot go, or that is none."""
