"""`pilestream serve`: the platform for real chargers."""

import sys

from service.lifeline import interrupt_on_signal, stop_on_signal
from service.platform_processes import Platform, watch
from service.settings import Settings


def serve(settings: Settings) -> int:
    """Run until Ctrl-C or SIGTERM; gives the exit code."""
    interrupt_on_signal()
    platform = Platform(settings)
    try:
        platform.start()
        stopped = stop_on_signal()
        print("\n".join(platform.addresses()), file=sys.stderr, flush=True)
        watch(platform, None, stopped)
    finally:
        platform.stop()
    return 0
