"""A capture taken in by `pilestream replay` into an empty folder, and what the platform then says of its charges."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from clickhouse_driver import Client

from analytics.anomalies import AnomalyTable, anomaly_table
from analytics.bill_lines import bill_lines
from analytics.client import ClickHouseAddress, connect
from analytics.questions import PLATFORM_SCOPE
from service.master_data import load_file
from service.replay import replay_capture
from service.settings import Settings
from tests.system.charger_stories import KWH, Line, write_capture


class Replayed:
    """The folder after the replay, asked as its command line would."""

    def __init__(self, settings: Settings, client: Client) -> None:
        self.settings = settings
        self.client = client

    def take(self, lines: Iterable[Line], name: str = "capture") -> None:
        """Take in one more capture."""
        path = write_capture(self.settings.folder / f"{name}.jsonl", lines)
        assert replay_capture(self.settings, path, into_live=False) == 0

    def bills(self, *trade_nos: str) -> list[dict[str, Any]]:
        """The lines of `pilestream bill --json` for these numbers."""
        return bill_lines(self.client, PLATFORM_SCOPE, trade_nos)

    def bill(self, trade_no: str) -> dict[str, Any]:
        """The only line for that number."""
        (line,) = self.bills(trade_no)
        return line

    def session(self, trade_no: str) -> dict[str, Any]:
        """The current revision of the session with that number."""
        return self._record("SELECT * FROM sessions WHERE trade_no = %(trade_no)s", trade_no)

    def money(self, trade_no: str) -> dict[str, Any]:
        """The current revision of its bill."""
        return self._record("SELECT * FROM bills WHERE trade_no = %(trade_no)s", trade_no)

    def table(self, from_day: date | None = None, to_day: date | None = None) -> AnomalyTable:
        """What `pilestream anomalies` counts."""
        return anomaly_table(self.client, PLATFORM_SCOPE, from_day, to_day)

    def _record(self, query: str, trade_no: str) -> dict[str, Any]:
        rows, columns = self.client.execute(query, {"trade_no": trade_no}, with_column_types=True)
        (row,) = rows
        return dict(zip((name for name, _kind in columns), row, strict=True))


@contextmanager
def replayed(
    folder: Path, server: ClickHouseAddress, lines: Iterable[Line], master_data: str = ""
) -> Iterator[Replayed]:
    """The lines replayed into `folder`, after the master data file where there is one; a database of its own."""
    address = msgspec.structs.replace(server, database=f"test_{uuid4().hex[:12]}")
    settings = Settings(data=str(folder / "data"), clickhouse=address.url())
    settings.folder.mkdir(parents=True)
    if master_data:
        path = folder / "master.toml"
        path.write_text(master_data, "utf-8")
        assert load_file(settings, path) == 0
    here = Replayed(settings, connect(server))
    here.take(lines)
    here.client.disconnect()
    here.client = connect(address)
    try:
        yield here
    finally:
        here.client.execute(f"DROP DATABASE {address.database} SYNC")
        here.client.disconnect()


def e4(kwh: str) -> int:
    """An energy as `pilestream bill` writes it, in 1e-4 kWh."""
    whole, _, part = kwh.partition(".")
    assert len(part) == 4, kwh
    return int(whole) * KWH + int(part) * (-1 if kwh.startswith("-") else 1)
