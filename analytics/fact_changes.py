"""Which sessions have new facts since the biller looked last?"""

from collections.abc import Iterable, Set
from typing import Any

import msgspec
from clickhouse_driver import Client

from analytics.session_facts import LONGEST_KEPT_MS, NO_TRADE_NO, SessionKey
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, Thresholds
from core.start_commands import START_COMMANDS

OVERLAP_MS = 30_000
"""Rows become visible a little after the moment in `inserted_ms`; each look goes back by this much."""

_PILE_KINDS = ("tariff", "clock")
_CONNECTOR_KIND = "readings"
_SESSION_KINDS = ("readings", "bill", "command")
_ORDER_REACH_MS = 24 * HOUR_MS
"""An order and its charge lie within minutes; so far off may the charger's clock be, or the first reading."""


class Change(msgspec.Struct, frozen=True, array_like=True):
    """New facts of one kind and owner (`session_changes.sql`); times are event times."""

    kind: str
    pile_id: int
    connector: int
    trade_no: str
    from_ms: int
    to_ms: int
    last_receive_ms: int
    charging_last: int
    charged: int
    unplugged: int
    told_ms: int

    @property
    def key(self) -> SessionKey | None:
        """The session that the facts name themselves, None when they name none."""
        if self.kind not in _SESSION_KINDS or self.trade_no in ("", NO_TRADE_NO):
            return None
        return SessionKey(self.pile_id, self.connector, self.trade_no)


class ChangeReader:
    """Gives each change once, although it looks back over the same rows several times."""

    def __init__(self, client: Client, thresholds: Thresholds, watermark_ms: int = 0) -> None:
        self._client = client
        self._thresholds = thresholds
        self._seen: dict[tuple[object, ...], frozenset[tuple[int, int]]] = {}
        self.watermark_ms = watermark_ms

    def read(self) -> list[Change]:
        """The changes since the last call; moves `watermark_ms`, by the clock of the server."""
        ((now_ms,),) = self._client.execute("SELECT toUnixTimestamp64Milli(now64(3))")
        rows = self._client.execute(
            sql_text("session_changes"),
            {
                "since_ms": self.watermark_ms - OVERLAP_MS,
                "longest_kept_ms": LONGEST_KEPT_MS,
                "start_commands": START_COMMANDS,
            },
        )
        changes, seen = [], {}
        for *fields, (moments, counts) in rows:
            identity = tuple(fields[:4]) if fields[0] != "outage" else tuple(fields[:6])
            entries = frozenset(zip(moments, counts, strict=True))
            seen[identity] = entries
            if entries - self._seen.get(identity, frozenset()):
                changes.append(msgspec.convert(fields, Change))
        self._seen = seen
        self.watermark_ms = now_ms
        return changes

    def affected(self, changes: Iterable[Change], charging: Set[SessionKey]) -> dict[SessionKey, int]:
        """Known sessions that the changes touch without naming them, each with its start.

        `charging`: those that were seen to charge before, so that their readings show no charge that is new.
        """
        changes = list(changes)
        of_piles = [change for change in changes if change.kind in (*_PILE_KINDS, *_SESSION_KINDS)]
        found: dict[SessionKey, int] = {}
        if of_piles:
            parameters = {
                "from_ms": min(min(change.from_ms, change.told_ms) for change in of_piles),
                "order_reach_ms": _ORDER_REACH_MS,
                "occupancy_max_wait_ms": self._thresholds.occupancy_max_wait_ms,
            }
            rows = self._client.execute(
                sql_text("session_affected"), parameters, external_tables=[_changes_table(of_piles, charging)]
            )
            found.update(_keys_with_start(rows))
        for change in changes:
            if change.kind == "outage":
                span = {"from_ms": change.from_ms, "to_ms": change.to_ms}
                found.update(_keys_with_start(self._client.execute(sql_text("session_outage_affected"), span)))
        return found


def _begins(change: Change, charging: Set[SessionKey]) -> int:
    """Whether an order and a charge may turn out to be one by this."""
    key = change.key
    return int(key is not None and (change.kind != _CONNECTOR_KIND or (bool(change.charged) and key not in charging)))


def _keys_with_start(rows: Iterable[tuple[int, int, str, int]]) -> dict[SessionKey, int]:
    return {SessionKey(pile_id, connector, trade_no): start for pile_id, connector, trade_no, start in rows}


def _changes_table(changes: list[Change], charging: Set[SessionKey]) -> dict[str, Any]:
    structure = [
        ("kind", "String"),
        ("pile_id", "UInt32"),
        ("connector", "UInt8"),
        ("trade_no", "String"),
        ("from_ms", "Int64"),
        ("to_ms", "Int64"),
        ("charged", "UInt8"),
        ("unplugged", "UInt8"),
        ("told_ms", "Int64"),
        ("begins", "UInt8"),
    ]
    data = [{**msgspec.structs.asdict(change), "begins": _begins(change, charging)} for change in changes]
    return {"name": "changes", "structure": structure, "data": data}
