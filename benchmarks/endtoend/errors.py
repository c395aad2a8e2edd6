"""What can go wrong while the whole platform is measured."""


class EndToEndError(Exception):
    """The platform or a sender did not do its part, or something was lost: the run gives no figure."""
