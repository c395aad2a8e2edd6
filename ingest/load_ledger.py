"""What the database was told of segments before it got their rows, and what it has of them (promise P4)."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import numpy as np

from core.directory import UNASSIGNED_OPERATOR_ID
from ingest.insert import Inserter
from ingest.record_buffer import EVENT, FRAME_DOWN, FRAME_UP, QUARANTINE, Records
from ingest.row_tally import Tally, tally_sql
from ingest.segment import Segment
from ingest.table_rows import TIME_COLUMNS, TableRows

EQUAL: Final = "equal"
REPAIRED: Final = "repaired"
DIFFERENT: Final = "different"
KIND_COLUMNS: Final = {FRAME_UP: "frames_up", FRAME_DOWN: "frames_down", QUARANTINE: "quarantined", EVENT: "events"}
LANE_NAMES: Final = ("facts", "telemetry")
ALARM_KINDS: Final = {REPAIRED: "spool_repaired", DIFFERENT: "spool_different"}

Pieces = list[tuple[int, int]]
"""Start and end of pieces of a segment, in no order; they may overlap."""


@dataclass
class Held:
    """What the bytes `start` to `end` of a segment hold: records by kind, and the rows of each table they become.

    `inserted`: rows that were sent, by table.
    """

    start: int
    end: int
    kinds: Counter[int] = field(default_factory=Counter)
    damaged_bytes: int = 0
    undecodable_events: int = 0
    tables: dict[str, Tally] = field(default_factory=dict)
    inserted: Counter[str] = field(default_factory=Counter)

    def add_records(self, records: Records) -> None:
        """Records by kind."""
        numbers = np.bincount(records.kind, minlength=EVENT + 1).tolist()
        self.kinds.update({kind: numbers[kind] for kind in KIND_COLUMNS})

    def add_rows(self, rows: TableRows, tally: Tally) -> None:
        """Rows of one table."""
        self.tables[rows.table] = self.tables.get(rows.table, Tally()) + tally


class LoadLedger:
    """The tables `spool_pieces` and `spool_checks`. Every method raises DatabaseAwayError."""

    def __init__(self, inserter: Inserter) -> None:
        self._inserter = inserter

    def announced(self, segment_ids: Collection[int]) -> dict[int, Pieces]:
        """Which pieces of these segments may be in the database; a segment that was never announced has none."""
        pieces: dict[int, Pieces] = {segment_id: [] for segment_id in segment_ids}
        if not pieces:
            return pieces
        for segment_id, start, end in self._inserter.ask(
            "SELECT segment_id, start_offset, end_offset FROM spool_pieces WHERE segment_id IN %(segment_ids)s",
            {"segment_ids": tuple(pieces)},
        ):
            pieces[segment_id].append((start, end))
        return pieces

    def announce(
        self, segment: Segment, start: int, end: int, records: int, rows: Mapping[str, int], spool: str, now_ms: int
    ) -> None:
        """Say what is about to be inserted."""
        self._inserter.insert_lists(
            "spool_pieces",
            {
                "segment_id": [segment.segment_id],
                "start_offset": [start],
                "end_offset": [end],
                "spool": [spool],
                "lane": [LANE_NAMES[segment.header.lane]],
                "records": [records],
                "tables": [list(rows)],
                "rows": [list(rows.values())],
                "announced_ms": [now_ms],
            },
            f"{segment.segment_id:016x}:{start}:{end}:spool_pieces",
        )

    def found(self, segment_id: int, held: Held) -> dict[str, Tally]:
        """What the database has of these bytes, for each table that they have rows of."""
        found = {}
        for table, tally in held.tables.items():
            ((rows, digest),) = self._inserter.ask(
                f"SELECT {tally_sql(table)} FROM {table} WHERE segment_id = %(segment_id)s"
                f" AND segment_offset >= %(start)s AND segment_offset < %(end)s"
                f" AND {TIME_COLUMNS[table]} BETWEEN %(first_ms)s AND %(last_ms)s",
                {
                    "segment_id": segment_id,
                    "start": held.start,
                    "end": held.end,
                    "first_ms": tally.first_ms,
                    "last_ms": tally.last_ms,
                },
            )
            found[table] = Tally(rows, digest)
        return found

    def note_check(
        self, segment: Segment, held: Held, found: Mapping[str, Tally], verdict: str, spool: str, now_ms: int
    ) -> None:
        """Store the outcome of a comparison."""
        tables = list(held.tables)
        self._inserter.insert_lists(
            "spool_checks",
            {
                "segment_id": [segment.segment_id],
                "start_offset": [held.start],
                "end_offset": [held.end],
                "spool": [spool],
                "lane": [LANE_NAMES[segment.header.lane]],
                **{column: [held.kinds[kind]] for kind, column in KIND_COLUMNS.items()},
                "damaged_bytes": [held.damaged_bytes],
                "undecodable_events": [held.undecodable_events],
                "tables": [tables],
                "held_rows": [[held.tables[table].rows for table in tables]],
                "held_digest": [[held.tables[table].digest for table in tables]],
                "inserted_rows": [[held.inserted[table] for table in tables]],
                "found_rows": [[found[table].rows for table in tables]],
                "found_digest": [[found[table].digest for table in tables]],
                "verdict": [verdict],
                "checked_ms": [now_ms],
            },
            f"{segment.segment_id:016x}:{held.start}:{held.end}:{now_ms}:spool_checks",
        )

    def alarm(self, segment: Segment, held: Held, verdict: str, said: str, now_ms: int) -> None:
        """Raise an alarm about a comparison that found a difference; the same comparison raises it once.

        It is of no charger and of no operator, so that the platform's own role sees it, and of no segment: no later
        comparison may take it for a row of the segment. A digest stands for its place, so that each has one of its own.
        """
        kind = ALARM_KINDS[verdict]
        token = f"{segment.segment_id:016x}:{held.start}:{held.end}:{kind}"
        self._inserter.insert_lists(
            "alarms",
            {
                "operator_id": [UNASSIGNED_OPERATOR_ID],
                "pile_id": [0],
                "connector": [0],
                "event_ms": [now_ms],
                "kind": [kind],
                "detail": [said],
                "peer": [""],
                "connection_id": [0],
                "segment_id": [0],
                "segment_offset": [int.from_bytes(blake2b(token.encode(), digest_size=8).digest(), "little")],
            },
            token,
        )
