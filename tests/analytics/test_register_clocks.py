"""Charges of AAF5 chargers whose clock is off: what live readings show of it bears on codes, ends and neighbours."""

import pytest
from clickhouse_driver import Client

from analytics.questions import PLATFORM_SCOPE
from analytics.timeline import trails
from tests.analytics.register_rows import BEFORE, PILE_ID, RegisterFacts
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0
from tests.analytics.test_register_sessions import END, ENERGY, MINUTES, START, decide, one, rows_of

pytestmark = pytest.mark.server

SLOW = -3 * HOUR


@pytest.mark.parametrize(("clock_off_ms", "codes"), [(SLOW, [3]), (2 * HOUR, [3]), (-170 * SECOND, [])])
def test_live_readings_show_the_clock_though_the_end_was_not_heard(
    empty_database: Client, clock_off_ms: int, codes: list[int]
) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.charge(START, MINUTES - 10, clock_off_ms=clock_off_ms))
    record = facts.record(START, MINUTES, clock_off_ms=clock_off_ms)
    facts.insert("pile_bill_uploads", [{**record, "receive_ms": END + HOUR, "stored": 1}])
    decide(facts)
    session, bill = one(empty_database), one(empty_database, "bills")
    assert session["clock_offset_ms"] == clock_off_ms - 200
    assert bill["codes"] == codes
    # the record's end, by the platform's clock and with a minute's play, bounds what nobody heard
    assert session["end_high_ms"] == END + MINUTE + 200
    assert session["low_e4kwh"] <= ENERGY <= session["high_e4kwh"]
    assert session["bill_stored"] == 1


def test_a_record_of_a_slow_clock_that_came_at_once_was_not_kept(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.charge(START, MINUTES, clock_off_ms=SLOW))
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + 20 * MINUTE, START, MINUTES))
    frame = {
        "frame_type": 202,
        "trade_no": "SN-1",
        "receive_ms": END + 3 * SECOND,
        "segment_id": 9,
        "segment_offset": 70,
    }
    facts.insert("frames", [
        {"operator_id": 2, "pile_id": PILE_ID, "connector": 1, "direction": "up", "protocol": "aaf5", "verdict": "ok",
         "bytes": b"", **frame}
    ])  # fmt: skip
    upload = facts.record(START, MINUTES, clock_off_ms=SLOW)
    facts.insert("pile_bill_uploads", [{**upload, "stored": 1, "segment_id": 9, "segment_offset": 70}])
    decide(facts)
    assert one(empty_database)["bill_stored"] == 0
    (trail,) = trails(empty_database, PLATFORM_SCOPE, "SN-1")
    (record,) = [entry for entry in trail.entries if entry.kind == "frame"]
    assert (record.at_ms, record.kept, record.came_ms) == (END + 3 * SECOND, False, 0)
    assert not any(entry.kept for entry in trail.entries)


def test_the_charge_after_is_not_taken_for_the_one_before(empty_database: Client) -> None:
    """Its record says an end that by the slow clock lies before this charge began."""
    facts = RegisterFacts(empty_database)
    next_start = END + 30 * MINUTE
    for number, start, before in (("SN-1", START, BEFORE), ("SN-2", next_start, BEFORE + ENERGY)):
        rows = facts.charge(start, MINUTES, number=number, before=before, clock_off_ms=SLOW)
        if number == "SN-1":
            for row in rows:
                row["register_before_e4kwh"] = 0
        facts.insert("readings", rows)
        facts.insert(
            "pile_bill_uploads", [facts.record(start, MINUTES, number=number, before=before, clock_off_ms=SLOW)]
        )
    before_that = facts.record(T0 - HOUR, 10, number="SN-0", before=BEFORE - 100_000, clock_off_ms=SLOW)
    facts.insert("pile_bill_uploads", [before_that])
    decide(facts)
    first = next(row for row in rows_of(empty_database, "sessions") if row["trade_no"] == "SN-1")
    assert first["previous_end_e4kwh"] == BEFORE
    assert first["next_start_ms"] == next_start + 200
