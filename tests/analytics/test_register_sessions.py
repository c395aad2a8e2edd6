"""Charges of AAF5 chargers, from stored rows to the bill: the register decides, whatever the charger adds up."""

import random
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.bill_lines import bill_lines
from analytics.biller import Biller
from analytics.questions import PLATFORM_SCOPE
from tests.analytics.register_rows import BEFORE, CODE, IDLE, RegisterFacts, counted, register_pile
from tests.analytics.stored_facts import DAY, HOUR, MINUTE, SECOND, T0, Clock

pytestmark = pytest.mark.server

START, MINUTES = T0 + 10 * MINUTE, 40  # 08:10 to 08:50, in half-hours 16 and 17
END = START + MINUTES * MINUTE
ENERGY = counted(60_000, MINUTES * MINUTE)
PARTS = {16: 200_000, 17: ENERGY - 200_000}
RUN_COLUMNS = ("batch_id", "computed_ms", "inserted_ms", "inputs_digest", "revision")


def decide(facts: RegisterFacts, at_ms: int = T0 + 9 * HOUR) -> None:
    Biller(facts.client, facts.directory, clock=lambda: at_ms).run_once()


def rows_of(client: Client, view: str) -> list[dict[str, Any]]:
    rows, columns = client.execute(f"SELECT * FROM {view} ORDER BY trade_no", with_column_types=True)
    return [dict(zip([name for name, _ in columns], row, strict=True)) for row in rows]


def one(client: Client, view: str = "sessions") -> dict[str, Any]:
    (found,) = rows_of(client, view)
    return found


def whole_charge(facts: RegisterFacts, **more: Any) -> None:
    facts.insert("readings", facts.charge(START, MINUTES, **more))
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + 20 * MINUTE, START, MINUTES, **more))
    facts.insert("readings", facts.repeats(END + 20 * MINUTE, END + 25 * MINUTE, START, MINUTES, plugged=0, **more))
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES, half_hours=PARTS, **more)])


@pytest.mark.parametrize("number", ["SN-1", "3" * 32, f"{CODE}-1-20231115081000"])
def test_a_clean_charge_is_billed_by_its_record_and_its_half_hours(empty_database: Client, number: str) -> None:
    facts = RegisterFacts(empty_database)
    whole_charge(facts, number=number)
    decide(facts)
    session, bill = one(empty_database), one(empty_database, "bills")
    assert (session["trade_no"], session["start_ms"], session["end_ms"]) == (number, START, END)
    assert (session["best_e4kwh"], session["low_e4kwh"]) == (ENERGY, ENERGY - 100)
    assert session["high_e4kwh"] == ENERGY + 100
    assert (session["quality"], session["flags"], session["life"]) == ("VALID", [], "ended")
    assert (session["protocol"], session["register_kind"]) == ("aaf5", "lifetime")
    assert session["counter_energy_e4kwh"] is None
    assert (session["register_start_e4kwh"], session["register_end_e4kwh"]) == (BEFORE, BEFORE + ENERGY)
    assert (session["start_method"], session["bill_stop_reason"], session["bill_duration_s"]) == ("app", 200, 2_400)
    assert session["naive_energy_e4kwh"] == ENERGY
    assert (session["stored_readings"], session["bill_stored"]) == (0, 0)
    assert (session["after_ms"], session["unplugged_ms"]) == (END + 15 * SECOND + 200, END + 20 * MINUTE + 200)
    assert (bill["final_rule"], bill["final_energy_e4kwh"], bill["held"]) == (1, ENERGY, 0)
    assert (bill["codes_raw"], bill["codes"], bill["status"]) == ([], [], "final")
    assert (session["slot_method"], bill["slot_of_day"]) == ("bill_half_hours", [16, 17])
    assert bill["slot_energy_e4kwh"] == [200_000, ENERGY - 200_000]
    (line,) = bill_lines(empty_database, PLATFORM_SCOPE, [number])
    assert (line["trade_no"], line["pile"], line["final_energy_kwh"]) == (number, CODE, "40.0000")


def test_a_register_that_reads_zero_before_the_start_bills_no_whole_register(empty_database: Client) -> None:
    """meter_before and the first statuses are 0, so the charger's energy is its whole register."""
    facts = RegisterFacts(empty_database)
    rows = facts.charge(START, MINUTES)
    whole = BEFORE + ENERGY
    for place, row in enumerate(rows):
        row["register_before_e4kwh"] = 0
        if place < 4:
            row["register_e4kwh"] = 0
        row["energy_e4kwh"] = row["register_e4kwh"]
    facts.insert("readings", facts.repeats(START - 5 * MINUTE, START, START - HOUR, 10, number="SN-0", risen=0))
    facts.insert("readings", rows)
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + HOUR, START, MINUTES))
    record = facts.record(START, MINUTES, before=0)
    facts.insert("pile_bill_uploads", [{**record, "energy_e4kwh": whole, "meter_end_e4kwh": whole}])
    decide(facts)
    session, bill = one(empty_database), one(empty_database, "bills")
    assert session["low_e4kwh"] <= ENERGY <= session["high_e4kwh"] <= ENERGY + 3 * 10_000
    assert {"ZERO_BASELINE", "ZERO_READ"} <= set(session["flags"])
    assert session["naive_energy_e4kwh"] == whole, "as naive as the old platform"
    assert bill["final_energy_e4kwh"] is None or bill["final_energy_e4kwh"] <= session["high_e4kwh"]
    assert {4, 8} & set(bill["codes_raw"]) and not bill["codes"], "explained by its cause"
    assert "ZERO_BASELINE" in bill["causes"]
    assert session["previous_end_e4kwh"] == BEFORE, "where the charger stood before, as it repeated"


@pytest.mark.parametrize(("times", "per"), [(10, 1), (1, 10)])
def test_a_register_in_another_unit_is_held_against_the_end_before(
    empty_database: Client, times: int, per: int
) -> None:
    """Ten times 10 kW is no more than the charger can give, and a tenth of anything never is."""
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.repeats(START - 5 * MINUTE, START, START - HOUR, 10, number="SN-0", risen=0))
    rows = facts.charge(START, MINUTES, power_w=10_000)
    for row in rows:
        row["register_e4kwh"] = row["register_e4kwh"] * times // per // 100 * 100
        row["register_before_e4kwh"] = BEFORE * times // per // 100 * 100
    facts.insert("readings", rows)
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES, power_w=10_000)])
    decide(facts)
    session, bill = one(empty_database), one(empty_database, "bills")
    assert session["previous_end_e4kwh"] == BEFORE
    assert "SCALE" in session["flags"]
    assert (bill["quality"], bill["held"]) == ("DERIVED", 0)
    assert bill["final_energy_e4kwh"] == counted(10_000, MINUTES * MINUTE)


def test_a_begin_that_was_not_heard_is_covered_by_the_told_register(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.charge(START, MINUTES, first_s=600))
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + 20 * MINUTE, START, MINUTES))
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES)])
    decide(facts)
    session = one(empty_database)
    assert (session["best_e4kwh"], session["quality"]) == (ENERGY, "VALID")
    assert session["unobserved_start_ms"] == 9 * MINUTE
    bill = one(empty_database, "bills")
    assert (bill["codes_raw"], bill["codes"], bill["causes"]) == ([8, 9], [], ["LATE_BASELINE", "OFFLINE"])
    assert bill["held"] == 0


def test_a_status_that_jumps_is_dropped_and_named(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    rows = facts.charge(START, MINUTES)
    rows[-1]["register_e4kwh"] += 500_000_000
    facts.insert("readings", rows)
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + 20 * MINUTE, START, MINUTES))
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES)])
    decide(facts)
    bill = one(empty_database, "bills")
    assert (bill["codes_raw"], bill["codes"], bill["causes"]) == ([8], [], ["REGISTER_JUMP"])
    assert bill["final_energy_e4kwh"] == ENERGY


def test_the_first_idle_word_supplies_the_end_and_later_ones_do_not(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.charge(START, MINUTES - 1))
    last = facts.repeats(END + 15 * SECOND, END + 2 * MINUTE, START, MINUTES)
    counted_since = facts.repeats(END + 5 * HOUR, END + 6 * HOUR, START, MINUTES, risen=ENERGY + 90_000)
    facts.insert("readings", [*last, *counted_since])
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES)])
    decide(facts)
    session = one(empty_database)
    assert (session["register_end_e4kwh"], session["best_e4kwh"]) == (BEFORE + ENERGY, ENERGY)
    assert session["charging_readings"] == 4 * (MINUTES - 1) + 1


@pytest.fixture
def no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass looks at new rows only, as if half a minute lay between two passes."""
    monkeypatch.setattr("analytics.fact_changes.OVERLAP_MS", 0)


@pytest.mark.usefixtures("no_overlap")
def test_an_idle_charger_that_repeats_its_last_charge_is_not_looked_at_again(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    clock = Clock(END + 30 * MINUTE)
    biller = Biller(empty_database, facts.directory, clock=clock)
    whole_charge(facts)
    assert biller.run_once().bill_revisions == 1
    for hours in range(1, 4):
        clock.now_ms = END + hours * HOUR + 10 * MINUTE
        facts.insert("readings", facts.repeats(END + hours * HOUR, clock.now_ms, START, MINUTES, plugged=0))
        report = biller.run_once()
        assert (report.sessions_evaluated, report.session_revisions) == (0, 0)
    biller.settle([5], clock.now_ms)
    assert len(rows_of(empty_database, "sessions")) == 1
    assert empty_database.execute("SELECT count() FROM bill_revisions") == [(1,)]


def test_what_an_unknown_charge_left_on_the_screen_is_no_charge(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.repeats(T0, T0 + HOUR, T0 - DAY, 30, number="OLD"))
    decide(facts)
    Biller(empty_database, facts.directory, clock=lambda: T0 + 9 * HOUR).settle([5], T0 + 8 * DAY)
    assert rows_of(empty_database, "sessions") == []


@pytest.mark.parametrize("clock_off_ms", [-2 * HOUR, 25 * MINUTE])
def test_a_clock_that_is_off_moves_the_readings_and_is_told(empty_database: Client, clock_off_ms: int) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.charge(START, MINUTES, clock_off_ms=clock_off_ms))
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + 20 * MINUTE, START, MINUTES))
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES, clock_off_ms=clock_off_ms)])
    decide(facts)
    session, bill = one(empty_database), one(empty_database, "bills")
    assert (session["start_ms"], session["end_ms"], session["stored_readings"]) == (START + 200, END + 200, 0)
    assert session["best_e4kwh"] == ENERGY
    assert 3 in bill["codes"]
    assert bill["final_energy_e4kwh"] == ENERGY


def test_a_backlog_is_placed_by_its_own_time_and_marked(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    rows = facts.charge(START, MINUTES)
    back_ms = END + 3 * HOUR
    for place, row in enumerate(rows[40:]):
        row["receive_ms"] = back_ms + 30 * place
        row["stored"] = 1
    random.Random(3).shuffle(rows)
    facts.insert("readings", rows)
    facts.insert("readings", facts.repeats(back_ms + MINUTE, back_ms + HOUR, START, MINUTES))
    record = facts.record(START, MINUTES, half_hours=PARTS)
    facts.insert("pile_bill_uploads", [{**record, "receive_ms": back_ms + 30 * SECOND, "stored": 1}])
    decide(facts)
    session, bill = one(empty_database), one(empty_database, "bills")
    assert (session["start_ms"], session["end_ms"]) == (START, END)
    assert (session["stored_readings"], session["bill_stored"]) == (121, 1)
    assert "STORED" in session["flags"]
    assert session["longest_gap_ms"] == 15 * SECOND
    assert (bill["final_rule"], bill["final_energy_e4kwh"]) == (1, ENERGY)
    assert bill["codes"] == []


@pytest.mark.parametrize(
    ("changes", "codes", "reason"),
    [
        ({"half_hours": {16: 200_000, 17: 100_000}}, [4], "PARTS_DIFFER"),
        ({"half_hours": {16: 200_000, 40: ENERGY - 200_000}}, [4], "PART_OUTSIDE"),
        ({"half_hours": {15: 200_000, 18: ENERGY - 200_000}}, [], ""),
        ({"half_hours": PARTS, "duration_s": 2_461}, [5], "DURATION_FIELD"),
        ({"half_hours": PARTS, "duration_s": 2_340}, [], ""),
        ({"half_hours": PARTS, "duration_s": 0}, [], ""),
        ({"half_hours": PARTS, "meter_end_e4kwh": 0}, [], "NO_END_REGISTER"),
        ({"energy_e4kwh": 0}, [11], "NO_ENERGY"),
        ({"half_hours": {16: 2 * ENERGY}, "energy_e4kwh": 2 * ENERGY}, [8], "BILL_ABOVE"),
        ({"half_hours": PARTS, "start_ms": START - 15 * MINUTE, "duration_s": 55 * 60}, [9], "BILL_LONGER"),
    ],
)
def test_the_codes_of_a_record(empty_database: Client, changes: dict[str, Any], codes: list[int], reason: str) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.charge(START, MINUTES))
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + 20 * MINUTE, START, MINUTES))
    parts = changes.get("half_hours", {})
    record = facts.record(START, MINUTES, half_hours=parts)
    facts.insert("pile_bill_uploads", [record | {name: changes[name] for name in changes if name != "half_hours"}])
    decide(facts)
    bill = one(empty_database, "bills")
    assert bill["codes"] == codes
    hits = empty_database.execute("SELECT arrayMap(hit -> hit.reason, hits) FROM session_codes")
    assert not reason or reason in hits[0][0]


@pytest.mark.parametrize(("mode", "method"), [(0, "card"), (1, "app"), (2, "local_admin"), (7, "")])
def test_who_started_it_is_told_by_record_or_reading(empty_database: Client, mode: int, method: str) -> None:
    facts = RegisterFacts(empty_database)
    facts.insert("readings", facts.charge(START, MINUTES, start_mode=mode))
    decide(facts, END + MINUTE)
    assert (one(empty_database)["start_method"], one(empty_database)["start_mode"]) == (method, mode)
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES, start_mode=2)])
    decide(facts)
    assert one(empty_database)["start_method"] == "local_admin"


def order(facts: RegisterFacts, number: str, sent_ms: int, outcome: str = "ok") -> None:
    facts.insert(
        "commands",
        [
            {
                "operator_id": 2, "pile_id": 5, "connector": 1, "command": "remote_start", "trade_no": number,
                "sent_ms": sent_ms, "answered_ms": sent_ms + 20 * SECOND, "outcome": outcome, "detail": "",
                "request": b"", "reply": b"",
            }
        ],
    )  # fmt: skip


def test_an_order_whose_number_the_charger_does_not_use_belongs_to_the_charge_it_began(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    ordered = "5" * 32
    order(facts, ordered, START - 20 * SECOND)
    whole_charge(facts)
    decide(facts)
    own = one(empty_database)
    assert (own["trade_no"], own["start_command_ms"], own["start_acked"]) == ("SN-1", START - 20 * SECOND, 1)
    assert one(empty_database, "bills")["trade_no"] == "SN-1"


ORDERED = "5" * 32
BILLS_NOW = "SELECT trade_no, final_energy_e4kwh FROM bills WHERE final_rule != 0"


@pytest.mark.usefixtures("no_overlap")
@pytest.mark.parametrize(
    ("arrival", "clock_off_ms"),
    [
        ("order first", 0),
        ("order last", 0),
        ("order last", -8 * HOUR),
        ("half an hour later", -8 * HOUR),
        ("record alone, days later", 0),
    ],
)
def test_a_taken_order_makes_no_session_whatever_comes_first(
    empty_database: Client, arrival: str, clock_off_ms: int
) -> None:
    facts = RegisterFacts(empty_database)
    clock = Clock(START)
    biller = Biller(empty_database, facts.directory, clock=clock)
    before: dict[str, Any] = {"number": "SN-0", "risen": 0}
    facts.insert("readings", facts.repeats(START - HOUR, START - MINUTE, START - 5 * HOUR, 20, **before))
    if arrival == "order first":
        order(facts, ORDERED, START - 20 * SECOND)
        biller.run_once()
        whole_charge(facts, clock_off_ms=clock_off_ms)
    elif arrival == "order last":
        whole_charge(facts, clock_off_ms=clock_off_ms)
        clock.now_ms = END + HOUR
        biller.run_once()
        order(facts, ORDERED, START - 20 * SECOND)
    else:
        order(facts, ORDERED, START - 20 * SECOND)
        facts.heard(START - HOUR, END + 2 * HOUR)
        facts.insert("readings", facts.repeats(END, END + HOUR, START - 5 * HOUR, 20, **before))
        biller.run_once()
        clock.now_ms = END + HOUR
        biller.run_once()
        assert (one(empty_database)["trade_no"], one(empty_database)["life"]) == (ORDERED, "failed_start")
        assert empty_database.execute(BILLS_NOW) == [(ORDERED, 0)]
        if arrival == "half an hour later":
            whole_charge(facts, clock_off_ms=clock_off_ms)
        else:
            late: dict[str, Any] = {"receive_ms": END + 6 * DAY, "stored": 1}
            facts.insert("pile_bill_uploads", [facts.record(START, MINUTES, half_hours=PARTS, **late)])
    clock.now_ms = END + 7 * DAY
    biller.run_once()
    biller.run_once()
    own = one(empty_database)
    assert (own["trade_no"], own["start_command_ms"], own["life"]) == ("SN-1", START - 20 * SECOND, "ended")
    assert empty_database.execute(BILLS_NOW) == [("SN-1", ENERGY)]
    (line,) = bill_lines(empty_database, PLATFORM_SCOPE, [ORDERED])
    assert (line["trade_no"], line["other_numbers"]) == ("SN-1", [ORDERED]), "the order leads to its charge"
    # a later process finds nothing to add
    assert Biller(empty_database, facts.directory, clock=clock).run_once().session_revisions == 0


@pytest.mark.usefixtures("no_overlap")
def test_of_two_orders_before_one_charge_the_accepted_one_began_it(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    clock = Clock(END + HOUR)
    biller = Biller(empty_database, facts.directory, clock=clock)
    order(facts, "6" * 32, START - 90 * SECOND)
    whole_charge(facts)
    biller.run_once()
    assert one(empty_database)["start_command_ms"] == START - 90 * SECOND
    # told of later: an order that followed, was taken as well, and so began the charge; and one that was refused
    order(facts, ORDERED, START - 20 * SECOND)
    order(facts, "7" * 32, START - 10 * SECOND, outcome="refused")
    biller.run_once()
    first, refused, own = rows_of(empty_database, "sessions")
    assert (own["trade_no"], own["start_command_ms"]) == ("SN-1", START - 20 * SECOND)
    assert [(row["trade_no"], row["life"]) for row in (first, refused)] == [
        ("6" * 32, "failed_start"),
        ("7" * 32, "failed_start"),
    ]


def test_an_answer_that_came_twice_is_no_order_of_its_own(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    order(facts, ORDERED, START - 20 * SECOND)
    order(facts, "", START + 5 * SECOND)
    whole_charge(facts)
    decide(facts)
    assert (one(empty_database)["trade_no"], one(empty_database)["start_command_ms"]) == ("SN-1", START - 20 * SECOND)


def test_an_answer_alone_still_shows_that_the_charge_was_ordered(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    order(facts, "", START + 5 * SECOND)
    whole_charge(facts)
    decide(facts)
    assert one(empty_database)["start_command_ms"] == START + 5 * SECOND


def test_an_order_that_led_to_no_charge_is_a_failed_start(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    order(facts, ORDERED, START - 20 * MINUTE)
    whole_charge(facts)
    decide(facts)
    ordered, own = rows_of(empty_database, "sessions")
    assert (ordered["trade_no"], ordered["life"], ordered["final_energy_e4kwh"]) == (ORDERED, "failed_start", 0)
    assert (own["trade_no"], own["start_command_ms"]) == ("SN-1", 0)


def test_a_card_start_takes_over_no_order(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    order(facts, "5" * 32, START - 20 * SECOND)
    whole_charge(facts, start_mode=0)
    decide(facts)
    assert [row["start_command_ms"] for row in rows_of(empty_database, "sessions")] == [START - 20 * SECOND, 0]


@pytest.mark.usefixtures("no_overlap")
def test_the_previous_end_that_comes_late_renews_the_bill_it_bears_on(empty_database: Client) -> None:
    """Whatever order facts come in, the last revision is the same (DESIGN invariant 1)."""
    facts = RegisterFacts(empty_database)
    clock = Clock(T0 + 9 * HOUR)
    biller = Biller(empty_database, facts.directory, clock=clock)
    lacking = facts.charge(START, MINUTES, first_s=300, register_before_e4kwh=0)
    facts.insert("readings", [*lacking, facts.status(END + 15_000, START, number="SN-1", risen=ENERGY, state=IDLE)])
    biller.run_once()
    assert (one(empty_database)["previous_end_ms"], one(empty_database)["previous_end_e4kwh"]) == (0, 0)
    previous = facts.repeats(START - 30 * MINUTE, START - MINUTE, START - HOUR, 20, number="SN-0", risen=0)
    facts.insert("readings", previous)
    assert biller.run_once().session_revisions == 1
    session = one(empty_database)
    assert (session["previous_end_e4kwh"], session["revision"]) == (BEFORE, 2)
    assert (session["best_e4kwh"], session["flags"]) == (ENERGY, ["BASELINE_PREV_END"])


def test_order_of_arrival_changes_nothing(database: Client, empty_database: Client) -> None:
    def whole(client: Client, seed: int) -> list[dict[str, Any]]:
        facts = RegisterFacts(client)
        rows = [
            *facts.charge(START, MINUTES),
            *facts.repeats(END + 15 * SECOND, END + HOUR, START, MINUTES),
            *facts.charge(END + HOUR, 20, number="SN-2", before=BEFORE + ENERGY),
            *facts.repeats(
                END + HOUR + 21 * MINUTE, END + 2 * HOUR, END + HOUR, 20, number="SN-2", before=BEFORE + ENERGY
            ),
        ]
        uploads = [facts.record(START, MINUTES), facts.record(END + HOUR, 20, number="SN-2", before=BEFORE + ENERGY)]
        random.Random(seed).shuffle(rows)
        biller = Biller(client, facts.directory, clock=lambda: T0 + 9 * HOUR)
        batches = [rows] if seed == 0 else [rows[place::3] for place in range(3)]
        for place, batch in enumerate(batches):
            facts.insert("readings", batch + batch[: 20 * place])
            facts.insert("pile_bill_uploads", uploads[place : place + 1] if len(batches) > 1 else uploads)
            biller.run_once()
        ignored = (*RUN_COLUMNS, "readings")
        found = rows_of(client, "sessions") + rows_of(client, "bills")
        return [{name: value for name, value in row.items() if name not in ignored} for row in found]

    assert whole(database, 0) == [
        {**row, **({"flags": [f for f in row["flags"] if f != "DUP"]} if "flags" in row else {})}
        for row in whole(empty_database, 7)
    ]


def test_a_register_that_is_no_witness_is_left_to_the_charge_counter(empty_database: Client) -> None:
    """A model whose absolute register cannot be used: the master data says that the session energy counts."""
    facts = RegisterFacts(empty_database, register_pile(register_kind="session"))
    rows = facts.charge(START, MINUTES)
    for row in rows:
        row["register_e4kwh"] = 0
    facts.insert("readings", [*rows, facts.status(END + MINUTE, START, number="SN-1", risen=ENERGY, state=IDLE)])
    facts.insert("pile_bill_uploads", [facts.record(START, MINUTES)])
    decide(facts)
    session = one(empty_database)
    assert (session["best_e4kwh"], session["counter_energy_e4kwh"]) == (ENERGY, ENERGY)
    assert session["quality"] == "VALID"
