"""The evidence trail of a session over a real ClickHouse: what it holds, in which order, and in which words."""

import json
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.conformance import ConformanceChecker
from analytics.questions import PLATFORM_SCOPE, Scope
from analytics.revision_changes import Change, Touch
from analytics.timeline import Trail, trails
from analytics.timeline_entries import Entry, bill_entry
from service.timeline import trail_json, trail_text
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts, pile, trade_no
from tests.analytics.stored_steps import AAF5_NUMBER, store_aaf5_session, store_session, ykc_frame

pytestmark = pytest.mark.server

END = T0 + 10 * MINUTE


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database)


def trail_of(facts: Facts, *, every: bool = False) -> Trail:
    """The trail of the tests' session after the biller and the checker have looked at it."""
    Biller(facts.client, facts.directory, clock=Clock(T0 + 2 * HOUR)).run_once()
    ConformanceChecker(facts.client, facts.directory).run_once()
    (trail,) = trails(facts.client, PLATFORM_SCOPE, trade_no(), every=every)
    return trail


def named(trail: Trail, name: str) -> Entry:
    """The one entry of that name."""
    (entry,) = [entry for entry in trail.entries if entry.name == name]
    return entry


def event(table: str, at_ms: int, **columns: Any) -> dict[str, Any]:
    """A row of an event table."""
    return {"operator_id": 2, "pile_id": 4, "sent_ms" if table == "commands" else "event_ms": at_ms, **columns}


def test_every_kind_of_evidence_stands_in_the_order_of_time(facts: Facts) -> None:
    store_session(facts, without=("bms_handshake",))
    facts.insert("connection_events", [event("", T0 - 25 * SECOND, connection_id=1, event="login", peer="10.0.0.9:77")])
    facts.insert("connector_events", [event("", T0 - 30 * SECOND, connector=1, event="plugged", state=2, plugged=1)])
    facts.insert("clock_offsets", [event("", END + 2_100, offset_ms=-1_400, source="record")])
    facts.insert("tariff_acks", [event("", T0 - 24 * SECOND, model_no="0007", source="tariff_check")])
    facts.insert("alarms", [event("", T0 - 23 * SECOND, kind="clock_off", detail="240 s ahead")])
    facts.insert("session_starts", [
        event("", T0 - 20 * SECOND, connector=1, trade_no=trade_no(), method="app", source="order", granted=1)
    ])  # fmt: skip
    facts.insert("commands", [
        event("commands", T0 - 20 * SECOND, connector=1, trade_no=trade_no(), command="remote_start",
              answered_ms=T0 - 19 * SECOND, outcome="ok", attempts=2)
    ])  # fmt: skip
    facts.client.execute(
        "INSERT INTO platform_outages (node, from_ms, to_ms, cause) VALUES",
        [("a", T0 - 22 * SECOND, T0 - 21 * SECOND, "crashed")],
    )
    trail = trail_of(facts)
    assert [entry.at_ms for entry in trail.entries] == sorted(entry.at_ms for entry in trail.entries)
    order = [(entry.kind, entry.name) for entry in trail.entries if entry.kind != "bill"]
    assert order == [
        ("connector", "plugged"),
        ("connection", "login"),
        ("tariff", "tariff_check"),
        ("alarm", "clock_off"),
        ("outage", "crashed"),
        ("frame", "remote_start"),
        ("start", "app"),
        ("order", "remote_start"),
        ("frame", "remote_start_reply"),
        ("frame", "bms_params"),
        ("deviation", "bms_handshake"),
        ("frame", "bms_demand"),
        ("frame", "bms_info"),
        ("reading", "realtime"),
        ("frame", "remote_stop"),
        ("frame", "remote_stop_reply"),
        ("frame", "bms_abort"),
        ("frame", "charge_end"),
        ("frame", "record"),
        ("frame", "record_ack"),
        ("clock", "record"),
    ]
    assert trail.entries[-1].kind == "bill"
    (clock,) = [entry for entry in trail.entries if entry.kind == "clock"]
    assert clock.text == "charger clock at most 1.4 s behind, by its record"
    assert named(trail, "record_ack").party == "platform"
    assert named(trail, "bms_demand").times == 40
    orders = [entry for entry in trail.entries if entry.kind == "order"]
    assert orders[0].text == "ok, after 1.0 s, 2 attempts"
    assert trail.conformance is not None
    assert trail.conformance["pattern"] == "SKIP(2)"


def test_readings_of_one_state_are_one_entry_unless_each_is_wanted(facts: Facts) -> None:
    store_session(facts)
    run = named(trail_of(facts), "realtime")
    assert (run.at_ms, run.until_ms, run.times) == (T0, END, 41)
    assert run.text.startswith("charging, 0.0000 to 10.0000 kWh, accepted 10.0000 kWh, 60.0 kW")
    trail = trail_of(facts, every=True)
    assert len([entry for entry in trail.entries if entry.name == "realtime"]) == 41
    assert len([entry for entry in trail.entries if entry.name == "bms_info"]) == 40


def test_a_reading_whose_frame_is_stored_as_well_is_told_once(facts: Facts) -> None:
    store_session(facts)
    place = {"segment_id": 5, "segment_offset": 123}
    facts.insert("readings", [{**facts.reading(T0 + 61 * SECOND, energy_e4kwh=10_100), **place}])
    facts.insert("frames", [{**ykc_frame(facts, T0 + 61 * SECOND, "realtime"), "verdict": "variant", **place}])
    assert named(trail_of(facts), "realtime").times == 42


def test_what_the_charger_kept_stands_where_it_happened_and_says_when_it_came(facts: Facts) -> None:
    store_session(facts, without=("record", "record_ack"))
    late = END + HOUR
    record = ykc_frame(facts, late, "record", start_mode=1, energy=100_000)
    facts.insert("frames", [{**record, "segment_id": 9, "segment_offset": 77}])
    facts.insert("pile_bill_uploads", [
        {**facts.bill(T0, 10), "receive_ms": late, "stored": 1, "segment_id": 9, "segment_offset": 77}
    ])  # fmt: skip
    trail = trail_of(facts)
    (entry,) = [entry for entry in trail.entries if entry.name == "record" and entry.kind == "frame"]
    assert (entry.at_ms, entry.came_ms, entry.kept) == (END, late, True)
    assert "(came 09:10:00, kept by the charger)" in trail_text(trail)


def test_frames_of_other_times_and_connectors_stay_out(facts: Facts) -> None:
    store_session(facts)
    other = ykc_frame(facts, T0 + MINUTE, "remote_stop")
    facts.insert("frames", [
        {**other, "connector": 2},
        {**other, "receive_ms": T0 - 9 * MINUTE},
        {**ykc_frame(facts, T0 + MINUTE, "bms_params"), "trade_no": trade_no(2)},
    ])  # fmt: skip
    trail = trail_of(facts)
    assert named(trail, "remote_stop").at_ms == END - SECOND
    assert named(trail, "bms_params").at_ms == T0 - 2 * SECOND


def test_the_trail_of_a_session_of_the_other_protocol(database: Client) -> None:
    facts = Facts(database, pile(protocol="aaf5", register_kind="lifetime"))
    store_aaf5_session(facts)
    Biller(database, facts.directory, clock=Clock(T0 + 2 * HOUR)).run_once()
    ConformanceChecker(database, facts.directory).run_once()
    (trail,) = trails(database, PLATFORM_SCOPE, AAF5_NUMBER)
    told = [(entry.type, entry.name, entry.times) for entry in trail.entries if entry.kind in ("frame", "reading")]
    assert told == [
        ("7", "start", 1),
        ("104", "status", 41),
        ("8", "start_reply", 1),
        ("5", "control", 1),
        ("5", "control", 1),
        ("6", "control_reply", 1),
        ("104", "status", 1),
        ("202", "record", 1),
        ("201", "record_ack", 1),
    ]
    run = next(entry for entry in trail.entries if entry.times == 41)
    assert run.text.startswith(
        "charging, 0.0000 to 10.0000 kWh, register 500.0000 to 510.0000 kWh, accepted 10.0000 kWh, 60.0 kW"
    )
    assert trail.conformance is not None
    assert trail.conformance["steps_kept"] == trail.conformance["steps_expected"]


def test_nobody_sees_the_trail_of_another_operator(facts: Facts) -> None:
    store_session(facts)
    trail_of(facts)
    assert trails(facts.client, Scope(frozenset({3})), trade_no()) == []
    assert trails(facts.client, PLATFORM_SCOPE, "0" * 31 + "9") == []


def test_the_text_says_it_all_within_the_width_of_the_terminal(facts: Facts) -> None:
    store_session(facts, without=("charge_end",))
    trail = trail_of(facts)
    text = trail_text(trail, width=100, with_hex=True)
    assert max(map(len, text.splitlines())) <= 100
    assert text.startswith(f"session {trade_no()}\n")
    assert "protocol  remote start: 11 of 12 steps kept, in the order 1 2 3 4 5 7, SKIP(6)" in text
    assert "2023-11-15 Wednesday, Asia/Shanghai" in text
    assert "07:59:40.000 ← 0x34 remote_start" in text
    assert "✗ deviation charge_end" in text
    assert "68 30 09 00 00 34" in text
    assert "\x1b[" not in text
    assert "\x1b[31m" in trail_text(trail, coloured=True)


def test_the_json_carries_bytes_fields_and_local_times(facts: Facts) -> None:
    store_session(facts)
    told = json.loads(trail_json(trail_of(facts)))
    assert told["conformance"] == {
        "flow": "remote_start",
        "due": 12,
        "kept": 12,
        "order": "1 2 3 4 5 6 7",
        "pattern": "",
    }
    assert (told["final_energy_kwh"], told["zone"]) == ("10.0000", "Asia/Shanghai")
    reply = next(entry for entry in told["entries"] if entry["name"] == "remote_start_reply")
    assert reply["at"] == "2023-11-15T07:59:41.000+08:00"
    assert reply["fields"]["result"] == 1
    assert reply["frame_hex"].startswith("681E09000033")
    assert reply["text"] == "ok"


def test_what_a_revision_changed_is_told_in_units_and_local_time() -> None:
    changes = (
        Change("bill_energy_e4kwh", "e4kwh", 0, 619_424_100),
        Change("bill_start_ms", "at", 0, 1_795_420_348_000),
        Change("amount_fen", "fen", None, 3_874),
        Change("pmax_w", "w", 132_000, 198_500),
        Change("codes", "codes", [], [4, 5]),
        Change("clock_offset_ms", "ms", 0, -90_000),
    )
    touch = Touch(2, 0, 0, "final", False, 213_000, 3_874, (), changes)
    bill: dict[str, Any] = {
        **{"revision": 2, "status": "final", "final_energy_e4kwh": 213_000, "amount_fen": 3_874, "held": 0},
        **{"pile_energy_e4kwh": None, "platform_energy_e4kwh": 213_000, "codes_raw": [], "codes": [], "causes": []},
        **{"batch_id": 0},
    }
    assert bill_entry(bill, touch, "Asia/Shanghai").text.split("; ")[-1] == (
        "changed bill_energy 0.0000 kWh to 61942.4100 kWh, bill_start none to 2026-11-23T15:52:28+08:00, "
        "amount none to 38.74 yuan, pmax 132.0 kW to 198.5 kW, codes none to 4,5, clock_offset 0.0 s to -90.0 s"
    )
