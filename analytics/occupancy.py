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


def ended_by(record_end_ms: int | None, end_ms: int, end_high_ms: int, gap_ms: int) -> int:
    """When a charge that was seen until `end_ms` was over, so that the vehicle merely stood there.

    Where nobody saw for longer than `gap_ms`, the record says it within that time, by the platform's clock; without a
    record (None) that time is not known to be occupancy.
    """
    if end_high_ms - end_ms <= gap_ms:
        return end_ms
    if record_end_ms is None:
        return end_high_ms
    return min(max(record_end_ms, end_ms), end_high_ms)


def occupancy(
    after: AfterFacts,
    end_ms: int,
    pile: Pile,
    as_of_ms: int,
    stays_since_ms: int | None,
    thresholds: Thresholds,
    *,
    over_since_ms: int,
) -> Occupancy:
    """What is known at `as_of_ms` of the time between the end of a charge and the unplugging.

    `end_ms`: the charge was last seen; `over_since_ms`: `ended_by`. It is decided when the connector was unplugged,
    charges again, or 24 h are over (anomaly-codes.md, code 6). With `stays_since_ms` a car that was plugged when last
    seen is taken to stay.
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
        from_ms=max(over_since_ms, after.power_until_ms),
        fault=bool(after.fault),
    )
