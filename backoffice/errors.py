"""The root of every error that `backoffice` raises."""


class BackofficeError(Exception):
    """The message names what was wrong, where, and what to do."""


class MasterFileError(BackofficeError):
    """A master data file cannot be used; the message names the file, the entry, the key and what is allowed."""


class UnknownDatabaseError(BackofficeError):
    """The SQL database cannot be opened, or holds the schema of a newer program."""
