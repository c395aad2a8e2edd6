"""What the demo counts at its end, asked of the database."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from clickhouse_driver import Client

from analytics.questions import PLATFORM_SCOPE, ask


def count_period(client: Client, from_ms: int, to_ms: int) -> dict[str, Any]:
    """Frames, readings, sessions, bills and the code sets of bills between two moments.

    `abnormal` counts the sets of raw codes, `abnormal_corrected` what remains after correction.
    """
    counts: dict[str, Any] = dict(
        ask(client, "period_counts", PLATFORM_SCOPE, from_ms=from_ms, to_ms=to_ms).first() or {}
    )
    raw: Counter[str] = Counter()
    corrected: Counter[str] = Counter()
    for codes_raw, codes, bills in ask(client, "period_code_sets", PLATFORM_SCOPE, from_ms=from_ms, to_ms=to_ms).rows:
        raw[_label(codes_raw)] += bills
        corrected[_label(codes)] += bills
    for sets in (raw, corrected):
        del sets[""]
    return counts | {"abnormal": dict(sorted(raw.items())), "abnormal_corrected": dict(sorted(corrected.items()))}


def acked_bills_missing(client: Client, acked: Sequence[str]) -> list[str]:
    """Trade numbers that a charger saw acknowledged and that the database does not have."""
    if not acked:
        return []
    stored = {row[0] for row in ask(client, "stored_bills", PLATFORM_SCOPE, trade_nos=tuple(acked)).rows}
    return [trade_no for trade_no in acked if trade_no not in stored]


def _label(codes: Sequence[int]) -> str:
    return ",".join(map(str, codes))
