"""The page of a charge whose charger has an absolute register and names its charges in its own way."""

import json

import pytest
from clickhouse_driver import Client
from plotly.utils import PlotlyJSONEncoder

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, connect
from analytics.questions import PLATFORM_SCOPE
from analytics.session_curve import session_curve
from core.ykc.realtime import encode_realtime
from dashboard.catalogue import Catalogue
from dashboard.context import Services
from dashboard.session.frames import frames_list
from dashboard.session.page import session_page
from dashboard.session.record import session_record
from dashboard.sessions.filters import Filters, order_of
from dashboard.sessions.grid import grid_row
from dashboard.source import Source
from tests.analytics.register_rows import BEFORE, CODE, RegisterFacts, counted
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0

pytestmark = pytest.mark.server

START, MINUTES = T0 + 10 * MINUTE, 40
END = START + MINUTES * MINUTE
ENERGY = counted(60_000, MINUTES * MINUTE)
NUMBER = f"{CODE}-1-20231115081000"


@pytest.fixture
def facts(database: Client) -> RegisterFacts:
    """A charge with its idle charger, and the frames of both."""
    found = RegisterFacts(database)
    readings = [
        *found.charge(START, MINUTES, number=NUMBER),
        *found.repeats(END + 15 * SECOND, END + HOUR, START, MINUTES, number=NUMBER),
    ]
    found.insert("readings", readings)
    frames = [
        {
            "operator_id": 2,
            "pile_id": row["pile_id"],
            "connection_id": 1,
            "receive_ms": row["receive_ms"],
            "direction": "up",
            "protocol": "aaf5",
            "verdict": "ok",
            "frame_type": 104,
            "seq": 65,
            "connector": 1,
            "trade_no": NUMBER,
            "bytes": b"\xaa\xf5",
            "segment_id": row["segment_id"],
            "segment_offset": row["segment_offset"],
        }
        for row in readings
    ]
    record = {**frames[0], "frame_type": 202, "receive_ms": END + 3 * SECOND, "segment_id": 2}
    found.insert("frames", [*frames, record])
    found.insert("pile_bill_uploads", [found.record(START, MINUTES, number=NUMBER)])
    return found


def services_of(address: ClickHouseAddress, now_ms: int) -> Services:
    source = Source(lambda: connect(address), PLATFORM_SCOPE, lambda: now_ms)
    return Services(source, "Asia/Shanghai", session_curve, encode_realtime, lambda _hex: {})


def test_the_page_shows_the_charge(facts: RegisterFacts, database_address: ClickHouseAddress) -> None:
    Biller(facts.client, facts.directory, clock=lambda: END + 2 * HOUR).run_once()
    services, words = services_of(database_address, END + 2 * HOUR), Catalogue("en")
    page = json.dumps(json.loads(PlotlyJSONEncoder().encode(session_page(services, words, CODE, 1, NUMBER))))
    for said in (NUMBER, "40.0000", "app or platform", "stopped by the user"):
        assert said in page
    record = session_record(services, CODE, 1, NUMBER)
    assert record is not None
    curve = record.curve
    assert (curve.register_start_e4kwh, int(curve.counted_e4kwh.max())) == (BEFORE, ENERGY)
    assert int(curve.accepted_e4kwh[-1]) == ENERGY
    assert len(curve) == 4 * MINUTES + 2, "every charging reading and the first idle word"


def test_frames_are_named_as_the_protocol_writes_them(
    facts: RegisterFacts, database_address: ClickHouseAddress
) -> None:
    Biller(facts.client, facts.directory, clock=lambda: END + 2 * HOUR).run_once()
    services, words = services_of(database_address, END + 2 * HOUR), Catalogue("en")
    record = session_record(services, CODE, 1, NUMBER)
    assert record is not None
    some = str(frames_list(record.session, services, words, "some", 0))
    assert "Record" in some and "Status" not in some
    every = str(frames_list(record.session, services, words, "all", 0))
    assert "Status" in every and "60.0" in every


def test_the_list_and_the_overview_count_it_once(facts: RegisterFacts, database_address: ClickHouseAddress) -> None:
    Biller(facts.client, facts.directory, clock=lambda: END + 2 * HOUR).run_once()
    services, words = services_of(database_address, END + 2 * HOUR), Catalogue("en")
    filters = Filters.from_search(f"?trade={NUMBER[-8:]}&modes=1&range=all")
    answer = services.source.ask(
        "sessions",
        **filters.parameters(END + 2 * HOUR, "Asia/Shanghai"),
        **order_of(None),
        limit=10,
        offset=0,
    )
    (row,) = answer.records()
    shown = grid_row(row, words, "Asia/Shanghai")
    assert (row["energy_e4kwh"], shown["mode"]) == (ENERGY, "app or platform")
    unbilled = services.source.ask("unbilled_now", now_ms=END + HOUR, window_ms=HOUR, quiet_ms=MINUTE, day="2023-11-15")
    assert unbilled.rows == [], "what an idle charger repeats is no charge without a bill"


def test_a_charge_under_way_shows_its_last_charging_reading(
    database: Client, database_address: ClickHouseAddress
) -> None:
    facts = RegisterFacts(database)
    rows = facts.charge(START, 10, number=NUMBER)
    for row in rows:
        row["live_accepted_e4kwh"] = row["energy_e4kwh"]
    facts.insert("readings", rows)
    now_ms = START + 10 * MINUTE + SECOND
    Biller(database, facts.directory, clock=lambda: now_ms).run_once()
    record = session_record(services_of(database_address, now_ms), CODE, 1, NUMBER)
    assert record is not None and record.so_far is not None
    assert record.so_far.energy_e4kwh == counted(60_000, 10 * MINUTE)
