"""What a loader says of itself: the file `loader.json` in the root of the spool, and the reports of its passes."""

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

STATUS_FILE = "loader.json"


@dataclass
class LoadReport:
    """What was brought into the database. `damaged_bytes` were no records and lie beside their segment.

    `checked_rows` were compared with the database, of which `repaired_rows` were missing and inserted again;
    `differences` counts the comparisons that stayed unequal.
    """

    records: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    damaged_bytes: int = 0
    undecodable_events: int = 0
    segments_deleted: int = 0
    checked_rows: int = 0
    repaired_rows: int = 0
    differences: int = 0

    def add(self, part: "LoadReport") -> None:
        """Count what `part` counted as well."""
        self.records += part.records
        self.damaged_bytes += part.damaged_bytes
        self.undecodable_events += part.undecodable_events
        self.segments_deleted += part.segments_deleted
        self.checked_rows += part.checked_rows
        self.repaired_rows += part.repaired_rows
        self.differences += part.differences
        for table, count in part.rows.items():
            self.rows[table] = self.rows.get(table, 0) + count


class LoaderStatus(msgspec.Struct, frozen=True):
    """How far the database is behind, and why.

    What was durable in the spool at `loaded_until_ms` is in the database. `waiting` is in bytes by folder of the spool
    (the root is ""). The counts are those of `LoadReport` since the loader started; `last_difference` says where the
    database has not what a segment holds.
    """

    updated_ms: int
    loaded_until_ms: int
    waiting_bytes: int
    records: int
    rows: dict[str, int]
    damaged_bytes: int
    last_error: str
    waiting: dict[str, int] = {}
    checked_rows: int = 0
    repaired_rows: int = 0
    differences: int = 0
    last_difference: str = ""


def read_loader_status(spool: Path) -> LoaderStatus | None:
    """What the loader said last, None when none ever ran."""
    try:
        return msgspec.json.decode((spool / STATUS_FILE).read_bytes(), type=LoaderStatus)
    except FileNotFoundError:
        return None
