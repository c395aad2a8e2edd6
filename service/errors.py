"""The root of every error that `service` raises."""


class ServiceError(Exception):
    """The platform cannot do what was asked; the message names what is wrong, where, and what to do."""


class SettingsError(ServiceError):
    """A setting has a name or a value that cannot be used."""


class UsageError(ServiceError):
    """A command's options do not make sense, or not together; the program ends with 2."""


class StartError(ServiceError):
    """A process of the platform did not come up."""


class AlreadyRunsError(StartError):
    """Another platform runs on the data folder."""
