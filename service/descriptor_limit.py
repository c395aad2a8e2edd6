"""Are there enough file descriptors for the connections that the settings allow?"""

import resource

from service.settings import Settings

# Segments, listening sockets, the event loop's own, databases, logs.
SPARE_DESCRIPTORS = 256
# The kernel spreads connections over the workers by chance: one of them may have some more than its share.
UNEVEN_PARTS = 8


def needed_descriptors(settings: Settings) -> int:
    """What one gateway needs when `max_connections` are open."""
    share = -(-settings.max_connections // settings.workers)
    uneven = share // UNEVEN_PARTS if settings.workers > 1 else 0
    return share + uneven + SPARE_DESCRIPTORS


def raise_descriptor_limit(settings: Settings) -> str:
    """Let this process and its children open as many as they need; gives what to say when the system forbids it."""
    needed = needed_descriptors(settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return ""
    of_each = "the gateway needs" if settings.workers == 1 else f"each of the {settings.workers} workers needs"
    return (
        f"{soft} open files are allowed, {of_each} {needed} for max_connections = {settings.max_connections}; "
        f"raise the limit (ulimit -n, LimitNOFILE=) or lower max_connections, or chargers will be kept out"
    )
