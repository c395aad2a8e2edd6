"""What the tests of the loader share: something for every table, and what of it is stored."""

from functools import partial
from pathlib import Path
from typing import Any

from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from ingest.events import (
    Alarm,
    ChargerIdentity,
    ClockOffset,
    CommandOutcome,
    ConnectionEvent,
    ConnectorEvent,
    Event,
    PlatformOutage,
    Presence,
    SessionStart,
    TariffAck,
)
from ingest.loader import Loader
from ingest.spool import Spool
from tests.ingest.charger_frames import (
    CODE,
    charging,
    heartbeat,
    make_directory,
    record,
    trade_no_of,
)
from tests.ingest.spool_parts import NOW_MS, add_event, add_frame

TRADE = trade_no_of()
EVENTS: tuple[Event, ...] = (
    ConnectionEvent(11, 5, NOW_MS, "login", "", "10.0.0.1:4000", CODE, 34, 1, 0),
    Presence(11, 5, NOW_MS, NOW_MS + 59_000, 10, 6, 700),
    ConnectorEvent(12, 1, NOW_MS, "plugged", 2, 1, TRADE, ""),
    ClockOffset(11, NOW_MS, NOW_MS + 600_000, 600_000, "record"),
    CommandOutcome(11, 2, "remote_start", TRADE, NOW_MS, NOW_MS + 80, "ok", "", b"\x68\xff\x00", b"\xfe"),
    SessionStart(11, 1, TRADE, NOW_MS, "card", "D14B0A54", "request", 0, "frozen", b"\x68\xff\x00", b"\xfe"),
    ChargerIdentity(11, 5, NOW_MS, "ykc", "1.6", "V4.1", 2, "dc", "898600", 3, 9),
    Alarm(11, 2, NOW_MS, "takeover", "old socket silent", "10.0.0.2:4000", 6),
    TariffAck(11, NOW_MS, "0008", 8, "tariff_reply"),
    PlatformOutage("gateway-1", NOW_MS - 5_000, NOW_MS, "crashed"),
)
TABLES = {
    *("readings", "frames", "pile_bill_uploads", "connection_events", "presence", "connector_events", "clock_offsets"),
    *("commands", "tariff_acks", "platform_outages", "session_starts", "charger_identities", "alarms"),
}


def make_loader(folder: Path, address: ClickHouseAddress, **settings: Any) -> Loader:
    directory = settings.pop("directory", None) or make_directory()
    return Loader(folder, partial(connect, address), directory, **settings)


def rows(database: Client, table: str, columns: str = "*", order: str = "segment_offset") -> list[dict[str, Any]]:
    values, names = database.execute(f"SELECT {columns} FROM {table} ORDER BY {order}", with_column_types=True)
    return [dict(zip([name for name, _ in names], row, strict=True)) for row in values]


def counts(database: Client) -> dict[str, int]:
    """Rows by table that came from a segment."""
    return {
        table: database.execute(f"SELECT count() FROM {table} WHERE segment_id != 0")[0][0] for table in sorted(TABLES)
    }


def fill(spool: Spool) -> None:
    """Something for every table: 40 readings, 43 other frames, of which 3 are uploads, and an event of each type."""
    for number in range(40):
        add_frame(spool, charging(TRADE, energy=number * 100, minutes=number), receive_ms=NOW_MS + number * 15_000)
        add_frame(spool, heartbeat(), receive_ms=NOW_MS + number * 15_000 + 1)
    for number in range(3):
        add_frame(spool, record(trade_no_of(number=number)), receive_ms=NOW_MS + 900_000)
    for event in EVENTS:
        add_event(spool, event)
    spool.commit()


EXPECTED = {"readings": 40, "frames": 43, "pile_bill_uploads": 3} | dict.fromkeys(
    TABLES - {"readings", "frames", "pile_bill_uploads"}, 1
)
