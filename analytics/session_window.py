"""From when to when things belong to one charge: what bounds the questions about its frames, readings and events."""

from collections.abc import Mapping
from typing import Any

MINUTE_MS = 60_000
BEFORE_MS, AFTER_MS = 10 * MINUTE_MS, 90 * MINUTE_MS


def window_of(session: Mapping[str, Any]) -> tuple[int, int]:
    """First and last moment, in epoch milliseconds, of what happened around a row of `session_revisions`.

    From shortly before the order or the start until the vehicle may have left, and until the charger's record came.
    """
    known = [ms for ms in (session["start_ms"], session["order_created_ms"], session["bill_receive_ms"]) if ms > 0]
    ends = [session["end_ms"], session["bill_receive_ms"], session["unplugged_ms"]]
    first = min(known, default=0)
    return first - BEFORE_MS, max([*ends, first]) + AFTER_MS
