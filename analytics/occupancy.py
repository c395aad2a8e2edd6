"""How long did a car stand at the connector after its charge? The facts that code 6 needs."""

from typing import NamedTuple

from analytics.session_facts import AfterFacts
from analytics.thresholds import Thresholds
from core.directory import Pile


class Occupancy(NamedTuple):
    """As in `session_revisions`; all 0 until `decided`, so that a parked car makes no revision with every reading."""

    decided: bool
    recheck_ms: int
    unplugged_ms: int = 0
    plugged_until_ms: int = 0
    from_ms: int = 0
    fault: bool = False


def occupancy(
    after: AfterFacts, end_ms: int, pile: Pile, as_of_ms: int, stays_since_ms: int | None, thresholds: Thresholds
) -> Occupancy:
    """What is known at `as_of_ms` of the time between `end_ms` and the unplugging.

    It is decided when the connector was unplugged, charges again, or 24 h are over (anomaly-codes.md, code 6). With
    `stays_since_ms` a car that was plugged when last seen is taken to stay.
    """
    over_ms = end_ms + thresholds.occupancy_max_wait_ms
    decided = bool(after.unplugged_ms or after.next_start_ms) or as_of_ms >= over_ms
    if not decided:
        return Occupancy(False, over_ms if pile.occupancy_grace_ms >= 0 else 0)
    plugged_until_ms = after.plugged_until_ms
    last_seen_plugged = plugged_until_ms and not (after.unplugged_ms or after.next_start_ms)
    if last_seen_plugged and stays_since_ms is not None and stays_since_ms < over_ms:
        plugged_until_ms = max(plugged_until_ms, as_of_ms)
    return Occupancy(
        True,
        0,
        unplugged_ms=after.unplugged_ms,
        plugged_until_ms=plugged_until_ms,
        from_ms=max(end_ms, after.power_until_ms),
        fault=bool(after.fault),
    )
