"""How far the stored facts of each session reach, and the portions in which many sessions are worked off.

A portion reads the facts of its sessions with one query per table. So it takes neighbours, in the order in which the
tables lie on the disk: those of one month, charger by charger. What a session gets out of a portion never depends on
its neighbours: they only decide which rows are looked at.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from clickhouse_driver import Client

from analytics.session_facts import SessionKey, wanted_table
from analytics.sql_files import sql_text

FOREVER_MS = 2**62
MOST_SESSIONS = 2_000
MOST_READINGS = 400_000
"""Of a portion: some hundred bytes each while they are looked at."""


class SessionSpan(NamedTuple):
    """Where the facts of one session lie.

    `from_ms` to `to_ms`: event times of its readings as they are stored; `bill_from_ms` to `bill_to_ms`: arrival of
    its records. Where nobody has looked how far they reach, they may lie anywhere after `from_ms`. `charging_ms`:
    receipt of its first charging reading, 0 = not known. `readings`: their number, as far as it is known.
    """

    from_ms: int
    to_ms: int = FOREVER_MS
    bill_from_ms: int = 0
    bill_to_ms: int = FOREVER_MS
    charging_ms: int = 0
    readings: int = 0

    @property
    def is_known(self) -> bool:
        """Whether its facts were looked for: there are none beyond."""
        return self.to_ms < FOREVER_MS

    def since(self, from_ms: int) -> "SessionSpan":
        """The same with facts from that moment on, where this is not known."""
        return self if self.is_known or from_ms >= self.from_ms else self._replace(from_ms=from_ms)


def found_span(
    from_ms: int, to_ms: int, bill_from_ms: int, bill_to_ms: int, charging_ms: int, readings: int
) -> SessionSpan:
    """The span of a session of which these facts were found; 0 = none of that kind."""
    return SessionSpan(
        from_ms if readings else bill_from_ms, to_ms if readings else 0, bill_from_ms, bill_to_ms, charging_ms, readings
    )


def spans_of_piles(client: Client, pile_ids: list[int]) -> dict[SessionKey, SessionSpan]:
    """Every session of which these chargers sent a reading or a record."""
    table = {"name": "piles", "structure": [("pile_id", "UInt32")], "data": [(pile_id,) for pile_id in pile_ids]}
    rows = client.execute(sql_text("session_of_piles"), external_tables=[table])
    return {SessionKey(*key): found_span(*span) for *key, span in rows}


def with_known_ends(
    client: Client, spans: Mapping[SessionKey, SessionSpan], margin_ms: int
) -> dict[SessionKey, SessionSpan]:
    """The same sessions with what is found of their facts, if they are so many that it saves looking at more.

    `margin_ms`: so much earlier than they begin may their facts be stored.
    """
    if len(spans) <= MOST_SESSIONS:
        return dict(spans)
    keys = list(spans)
    since = [spans[key].from_ms for key in keys]
    rows = client.execute(
        sql_text("session_spans"),
        {"from_ms": min(since) - margin_ms},
        external_tables=wanted_table(keys, since),
    )
    found = {keys[number]: found_span(*span) for number, span in rows}
    return {key: found.get(key, SessionSpan(span.from_ms, span.from_ms)) for key, span in spans.items()}


def portions(
    spans: Mapping[SessionKey, SessionSpan],
    most_sessions: int = MOST_SESSIONS,
    most_readings: int = MOST_READINGS,
) -> Iterator[dict[SessionKey, SessionSpan]]:
    """The sessions in portions of bounded size."""
    if not spans:
        return
    months = _months([span.from_ms for span in spans.values()])
    order = sorted(zip(months, spans.items(), strict=True), key=_place)
    portion: dict[SessionKey, SessionSpan] = {}
    readings = 0
    for _month, (key, span) in order:
        if portion and (len(portion) == most_sessions or readings + span.readings > most_readings):
            yield portion
            portion, readings = {}, 0
        portion[key] = span
        readings += span.readings
    yield portion


def _place(entry: tuple[int, tuple[SessionKey, SessionSpan]]) -> tuple[Any, ...]:
    month, (key, span) = entry
    return month, key.pile_id, key.connector, span.from_ms, key.trade_no


def _months(times_ms: list[int]) -> list[int]:
    """The months (UTC) by which the tables are divided."""
    moments = np.array(times_ms, dtype="datetime64[ms]")
    return [int(month) for month in moments.astype("datetime64[M]").astype(np.int64)]
