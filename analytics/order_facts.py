"""Which order began which charge: by its number, or by time where the charger names its charges by itself.

An AAF5 charger of firmware F does not read the number of an order (aaf5.md, cmd 7: "serial"). The order then belongs to
the charge that the platform began within the time of an answer, and is no charge of its own.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from clickhouse_driver import Client

from analytics.session_facts import CHARGING, SessionFacts, SessionKey, wanted_table
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS
from core.start_commands import START_COMMANDS

ReadCharges = Callable[[Mapping[SessionKey, int]], list[SessionFacts]]
"""Gives readings, in their time, and records of sessions; the values say from when on there may be readings."""

_COMMAND_MARGIN_MS = 24 * HOUR_MS
_ORDER_BEFORE_MS = 180_000
"""An AAF5 start is answered up to 120 s later (aaf5.md section 5)."""
_CLOCK_PLAY_MS = 30_000
_REACH_MS = 24 * HOUR_MS
_BY_PLATFORM = 1
_ANY_TIME = (_COMMAND_MARGIN_MS, 2**62)
"""Of a session that shows nothing but an order."""


class OrderFactsReader:
    """Adds to sessions the order that began them."""

    def __init__(self, client: Client, read_charges: ReadCharges) -> None:
        self._client = client
        self._read_charges = read_charges

    def add(self, facts: list[SessionFacts]) -> None:
        """When each was ordered, and whether an order that is no charge yet belongs to one under another number."""
        self._add_orders(facts)
        orders = [one for one in facts if _is_mere_order(one)]
        if orders:
            self._find_takers(orders)

    def _add_orders(self, facts: Sequence[SessionFacts]) -> list[str]:
        """Gives for each session the number of the order that it takes over, empty where it takes none."""
        windows = [one.told_window or _ANY_TIME for one in facts]
        starts = [_may_be_ordered_until_ms(one) for one in facts]
        since = [
            min(first, start or first) - _COMMAND_MARGIN_MS for (first, _), start in zip(windows, starts, strict=True)
        ]
        until = [max(last, start) + _COMMAND_MARGIN_MS for (_, last), start in zip(windows, starts, strict=True)]
        wanted = wanted_table([one.key for one in facts], since, start_ms=starts, since_ms=since, until_ms=until)
        parameters = {
            "from_ms": min(since),
            "to_ms": max(until),
            "order_before_ms": _ORDER_BEFORE_MS,
            "start_commands": START_COMMANDS,
        }
        taken = [""] * len(facts)
        by_time: dict[int, tuple[int, bool, str]] = {}
        for number, is_by_time, sent_ms, acked, trade_no in self._client.execute(
            sql_text("session_commands"), parameters, external_tables=wanted
        ):
            if is_by_time:
                by_time[number] = (sent_ms, bool(acked), trade_no)
            else:
                facts[number].start_command_ms = sent_ms
                facts[number].start_acked = bool(acked)
        for number, (sent_ms, acked, trade_no) in by_time.items():
            if not facts[number].start_command_ms:
                facts[number].start_command_ms, facts[number].start_acked = sent_ms, acked
                taken[number] = trade_no
        return taken

    def _find_takers(self, orders: list[SessionFacts]) -> None:
        sent = [one.start_command_ms for one in orders]
        rows = self._client.execute(
            sql_text("session_order_takers"),
            {
                "from_ms": min(sent) - _REACH_MS,
                "to_ms": max(sent) + _REACH_MS,
                "reach_ms": _REACH_MS,
                "clock_play_ms": _CLOCK_PLAY_MS,
                "by_platform": _BY_PLATFORM,
            },
            external_tables=wanted_table([one.key for one in orders], sent),
        )
        if not rows:
            return
        charges = self._read_charges({SessionKey(*row): min(sent) - _REACH_MS for row in rows})
        numbers = self._add_orders(charges)
        taken = {(*charge.key[:2], number) for charge, number in zip(charges, numbers, strict=True) if number}
        for one in orders:
            one.has_other_number = one.key in taken


def _is_mere_order(facts: SessionFacts) -> bool:
    """Ordered, and neither named nor begun under that number."""
    if facts.pile.protocol != "aaf5" or not facts.start_command_ms:
        return False
    return facts.bill is None and not facts.readings["event_ms"].size


def _may_be_ordered_until_ms(facts: SessionFacts) -> int:
    """Until when an order can have been sent that began this charge under another number, 0 = none can.

    Chargers that name their charges by themselves say that the platform started it (aaf5.md section 4, "Start mode").
    """
    mode = facts.bill.start_mode if facts.bill else facts.told_start_mode
    if facts.pile.protocol != "aaf5" or mode != _BY_PLATFORM:
        return 0
    charging = np.flatnonzero(facts.readings["state"] == CHARGING)
    if not charging.size:
        return facts.bill.start_ms + _CLOCK_PLAY_MS if facts.bill and facts.bill.start_ms > 0 else 0
    first = charging[np.argmin(facts.readings["event_ms"][charging])]
    return int(facts.readings["event_ms"][first] - facts.readings["duration_s"][first] * 1_000) + _CLOCK_PLAY_MS
