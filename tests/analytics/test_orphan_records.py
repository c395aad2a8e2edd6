"""A record under a number that nothing knows is that of the charge which it fits, or waits to be looked at."""

import random
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.bill_lines import bill_lines
from analytics.biller import Biller
from analytics.questions import PLATFORM_SCOPE, Scope, ask
from analytics.threshold_book import ThresholdBook
from tests.analytics.register_rows import CODE, RegisterFacts
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts, pile, trade_no

pytestmark = pytest.mark.server
NOW = T0 + 6 * HOUR
MINUTES = 20
END = T0 + MINUTES * MINUTE
ORPHAN = trade_no(9)
Parts = list[tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database)


def charge(facts: Facts, number: int = 1, at_ms: int = T0) -> Parts:
    """The readings of a charge and when its connector was heard."""
    readings = facts.charging(at_ms, MINUTES, trade=trade_no(number))
    return [("readings", [*readings, facts.idle(at_ms + MINUTES * MINUTE + SECOND, 0)])]


def record(facts: Facts, number: str = ORPHAN, *, start_off_s: int = 0, end_off_s: int = 0, **changes: Any) -> Parts:
    """A record of the charge at T0 under `number`, its ends so many seconds off."""
    times = {"start_ms": T0 + start_off_s * SECOND, "end_ms": END + end_off_s * SECOND}
    return [("pile_bill_uploads", [{**facts.bill(T0, MINUTES, trade=number, **changes), **times}])]


def store(facts: Facts, *parts: Parts) -> None:
    for table, rows in (one for of in parts for one in of):
        facts.insert(table, [dict(row) for row in rows])


def run(facts: Facts, now_ms: int = NOW) -> None:
    Biller(facts.client, facts.directory, clock=Clock(now_ms)).run_once()


def bills(database: Client) -> dict[str, tuple[Any, ...]]:
    rows = database.execute("SELECT trade_no, toString(status), toString(quality), held, codes FROM bills")
    return {number: tuple(told) for number, *told in rows}


def numbers(database: Client) -> dict[str, str]:
    """Number of each charge -> number of its record."""
    return dict(database.execute("SELECT trade_no, bill_number FROM sessions"))


def waiting(database: Client, scope: Scope = PLATFORM_SCOPE) -> list[str]:
    days = {"from_day": date(2023, 1, 1), "to_day": date(2024, 1, 1)}
    return [row["trade_no"] for row in ask(database, "orphan_records", scope, limit=10, **days).records()]


@pytest.mark.parametrize(("start_off_s", "end_off_s", "codes"), [(0, 0, []), (-120, 120, [9]), (120, -120, [9])])
def test_a_record_under_another_number_is_the_one_of_its_charge(
    database: Client, facts: Facts, start_off_s: int, end_off_s: int, codes: list[int]
) -> None:
    store(facts, charge(facts), record(facts, start_off_s=start_off_s, end_off_s=end_off_s))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts)
    assert bills(database) == {trade_no(1): ("final", "VALID", 0, codes)}
    assert numbers(database) == {trade_no(1): ORPHAN}
    assert database.execute("SELECT pile_energy_e4kwh FROM bills") == [(200_000,)]
    assert waiting(database) == []
    found = {
        asked: bill_lines(database, PLATFORM_SCOPE, asked)
        for asked in ((trade_no(1),), (ORPHAN,), (ORPHAN, trade_no(1)))
    }
    assert [[line["trade_no"] for line in lines] for lines in found.values()] == [[trade_no(1)]] * 3
    assert [lines[0]["other_numbers"] for lines in found.values()] == [[], [ORPHAN], [ORPHAN]]
    assert bill_lines(database, Scope(frozenset({3})), [ORPHAN]) == []


@pytest.mark.parametrize(
    "unlike",
    [
        {"start_off_s": -121},
        {"end_off_s": 121},
        {"connector": 2},
        {"pile_id": 5},
    ],
)
def test_what_does_not_fit_waits(database: Client, unlike: dict[str, int]) -> None:
    facts = Facts(database, pile(4), pile(5))
    store(facts, charge(facts), record(facts, ORPHAN, **unlike))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts)
    found = bills(database)
    assert found[trade_no(1)][3] == [1] and found[ORPHAN][2] == 1
    assert waiting(database) == [ORPHAN]
    assert waiting(database, Scope(frozenset({3}))) == []


def test_a_late_record_ends_code_1_and_the_charge_is_decided_anew(database: Client, facts: Facts) -> None:
    store(facts, charge(facts))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts, T0 + 2 * HOUR)
    assert bills(database) == {trade_no(1): ("final", "DERIVED", 0, [1])}
    store(facts, record(facts, receive_ms=T0 + 3 * HOUR))
    run(facts, T0 + 3 * HOUR)
    assert bills(database) == {trade_no(1): ("final", "VALID", 0, [])}


def test_a_record_that_came_before_its_charge_was_known_stops_to_be_one(database: Client, facts: Facts) -> None:
    store(facts, record(facts))
    run(facts)
    assert bills(database)[ORPHAN][:3] == ("final", "ESTIMATED", 1) and waiting(database) == [ORPHAN]
    store(facts, charge(facts))
    run(facts)
    found = bills(database)
    assert found[trade_no(1)] == ("final", "VALID", 0, [])
    assert found[ORPHAN] == ("provisional", "MISSING", 0, []) and waiting(database) == []
    # and is one again when the charge turns out to have a record of its own
    store(facts, record(facts, trade_no(1), content_digest=2))
    run(facts)
    assert numbers(database) == {trade_no(1): "", ORPHAN: ""}
    assert bills(database)[ORPHAN][0] == "final" and bills(database)[ORPHAN][3] == [7]


def test_of_two_records_that_fit_none_is_taken(database: Client, facts: Facts) -> None:
    store(facts, charge(facts), record(facts), record(facts, trade_no(8), end_off_s=30, content_digest=2))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts)
    assert numbers(database) == {trade_no(1): "", ORPHAN: "", trade_no(8): ""}
    assert bills(database)[trade_no(1)][3] == [1]
    assert waiting(database) == [trade_no(8), ORPHAN]


def test_of_two_charges_that_fit_none_gets_the_record(database: Client, facts: Facts) -> None:
    """The charger changed its number after a restart and began again: the two lie a minute apart."""
    first, second = charge(facts), charge(facts, 2, T0 + MINUTE)
    store(facts, first, second, record(facts))
    run(facts)
    assert set(numbers(database).values()) == {""}
    # the record of one of them leaves the other as the only one
    store(facts, record(facts, trade_no(2), start_off_s=60, end_off_s=60, content_digest=2))
    run(facts)
    assert numbers(database) == {trade_no(1): ORPHAN, trade_no(2): ""}


def test_a_number_that_the_platform_gave_is_not_astray(database: Client, facts: Facts) -> None:
    order = {"operator_id": 2, "pile_id": 4, "connector": 1, "command": "remote_start", "trade_no": ORPHAN}
    facts.insert("commands", [{**order, "sent_ms": T0 - 5 * SECOND, "answered_ms": T0, "outcome": "ok"}])
    store(facts, charge(facts), record(facts))
    run(facts)
    assert numbers(database) == {trade_no(1): "", ORPHAN: ""}


def test_an_aaf5_record_without_the_serial_of_its_readings(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    off_ms = 10 * MINUTE  # the charger's clock is ahead
    unnamed = f"{CODE}-1-20231115062320"
    facts.insert("readings", facts.charge(T0, MINUTES, number="SN-1", clock_off_ms=off_ms))
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + HOUR, T0, MINUTES, clock_off_ms=off_ms))
    parts = facts.record(T0, MINUTES, number=unnamed, clock_off_ms=off_ms)
    facts.insert("pile_bill_uploads", [parts])
    run(facts)
    assert numbers(empty_database) == {"SN-1": unnamed}
    assert empty_database.execute("SELECT final_rule, final_energy_e4kwh FROM bills") == [(1, 200_000)]


def test_an_aaf5_record_with_the_serial_that_its_readings_lack(empty_database: Client) -> None:
    facts = RegisterFacts(empty_database)
    unnamed = f"{CODE}-1-20231115061320"
    facts.insert("readings", facts.charge(T0, MINUTES, number=unnamed))
    facts.insert("readings", facts.repeats(END + 15 * SECOND, END + HOUR, T0, MINUTES, number=unnamed))
    facts.insert("pile_bill_uploads", [facts.record(T0, MINUTES, number="SN-1")])
    run(facts)
    assert numbers(empty_database) == {unnamed: "SN-1"}


def test_order_of_arrival_changes_nothing(database: Client, facts: Facts) -> None:
    """Two charges that fit a record, and the own record of one of them."""
    stories = [charge(facts), charge(facts, 2, T0 + MINUTE), record(facts)]
    stories.append(record(facts, trade_no(2), start_off_s=60, end_off_s=60, content_digest=2))
    seen = set[str]()
    for order in random.Random(3).sample(list(permutations(stories)), 2):
        for table in ("readings", "pile_bill_uploads", "session_revisions", "session_codes", "bill_revisions"):
            database.execute(f"TRUNCATE TABLE {table}")
        biller = Biller(database, facts.directory, clock=Clock(NOW))
        for story in order:
            store(facts, story)
            biller.run_once()
        seen.add(repr((sorted(numbers(database).items()), bills(database)[trade_no(1)], bills(database)[trade_no(2)])))
        assert biller.run_once().session_revisions == 0
    assert len(seen) == 1
    assert numbers(database) == {trade_no(1): ORPHAN, trade_no(2): ""}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_record_that_came_once_more_under_another_number_is_no_charge(
    database: Client, facts: Facts, order: tuple[int, ...]
) -> None:
    told: dict[str, Any] = {"meter_start_e4kwh": 50_000_000, "meter_end_e4kwh": 50_200_000}
    parts = [charge(facts), record(facts, trade_no(1), **told), record(facts, **told)]
    for step, part in enumerate(order):
        store(facts, parts[part])
        run(facts, NOW + step * MINUTE)
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts, NOW + HOUR)
    assert bills(database)[trade_no(1)] == ("final", "VALID", 0, [])
    newest = "SELECT argMax(toString(life), revision) FROM session_revisions WHERE trade_no = %(no)s"
    assert database.execute(newest, {"no": ORPHAN}) == [("other_number",)]
    assert bills(database).get(ORPHAN, ("provisional", "MISSING", 0, [])) == ("provisional", "MISSING", 0, [])
    assert database.execute("SELECT trade_no FROM sessions WHERE notEmpty(overlaps)") == []
    assert database.execute("SELECT causes FROM bills WHERE trade_no = %(no)s", {"no": trade_no(1)}) == [([],)]
    assert [line["trade_no"] for line in bill_lines(database, PLATFORM_SCOPE, [ORPHAN])] == [trade_no(1)]
    assert waiting(database) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_orphans_that_say_the_same_the_first_that_came_stays(
    database: Client, facts: Facts, order: tuple[int, ...]
) -> None:
    told: dict[str, Any] = {"meter_start_e4kwh": 50_000_000, "meter_end_e4kwh": 50_200_000}
    came = {7: END + 3 * SECOND, 8: END + 2 * SECOND, 9: END + 4 * SECOND}
    parts = [record(facts, trade_no(number), receive_ms=at_ms, **told) for number, at_ms in came.items()]
    for step, part in enumerate(order):
        store(facts, parts[part])
        run(facts, NOW + step * MINUTE)
    assert waiting(database) == [trade_no(8)]
    found = bills(database)
    assert found.pop(trade_no(8))[:3] == ("final", "ESTIMATED", 1)
    assert {bill[0] for bill in found.values()} <= {"provisional"}
    for number in came:
        assert [line["trade_no"] for line in bill_lines(database, PLATFORM_SCOPE, [trade_no(number)])] == [trade_no(8)]
    # the charge turns up: the record is its own, however often it came
    store(facts, charge(facts))
    run(facts, NOW + HOUR)
    assert numbers(database) == {trade_no(1): trade_no(8)}
    assert bills(database)[trade_no(1)] == ("final", "VALID", 0, []) and waiting(database) == []


def test_orphans_that_tell_no_register_are_not_the_same(database: Client, facts: Facts) -> None:
    store(facts, record(facts, trade_no(8)), record(facts, content_digest=2))
    run(facts)
    assert waiting(database) == [trade_no(8), ORPHAN]


def test_a_record_that_differs_is_not_the_same_once_more(database: Client, facts: Facts) -> None:
    store(facts, charge(facts), record(facts, trade_no(1)), record(facts, energy_e4kwh=190_000))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts)
    assert 7 in bills(database)[trade_no(1)][3]


@pytest.mark.parametrize(
    ("table", "told", "billed"),
    [
        ({"efficiency_e4": 500}, 190_000, (190_000, 1, 0)),
        ({"efficiency_e4": 500}, 200_000, (190_000, 3, 1)),
        ({"energy_tolerance_share_e4": 600}, 190_000, (190_000, 1, 0)),
        ({}, 190_000, (200_000, 3, 1)),
    ],
)
def test_the_thresholds_of_code_8_decide_what_is_billed(
    database: Client, facts: Facts, table: dict[str, int], told: int, billed: tuple[int, int, int]
) -> None:
    store(facts, charge(facts), record(facts, trade_no(1), energy_e4kwh=told, class_energy_e4kwh=[0, 0, told, 0]))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    Biller(facts.client, facts.directory, clock=Clock(NOW), thresholds=ThresholdBook(table)).run_once()
    found = database.execute("SELECT final_energy_e4kwh, final_rule, held, has(codes, 8) FROM bills")
    assert found == [(*billed, billed[2])]


def near(database: Client, number: str, scope: Scope = PLATFORM_SCOPE) -> dict[str, tuple[str, str]]:
    """What the page of a number shows beside it: other number -> what became of it, and who has it."""
    found = ask(database, "session_other_records", scope, pile_id=4, connector=1, trade_no=number)
    return {row["trade_no"]: (row["fate"], row["holder"]) for row in found.records()}


def test_each_record_that_may_belong_to_a_charge_is_told_with_its_fate(database: Client, facts: Facts) -> None:
    registers: dict[str, Any] = {"meter_start_e4kwh": 50_000_000, "meter_end_e4kwh": 50_200_000}
    store(facts, charge(facts), record(facts, trade_no(7), **registers))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts)
    assert near(database, trade_no(1)) == {trade_no(7): ("taken", trade_no(1))}
    assert near(database, trade_no(7)) == {trade_no(1): ("took", "")}
    # the same once more, one that says something else, and one of an hour later
    store(facts, record(facts, trade_no(8), receive_ms=END + MINUTE, content_digest=2, **registers))
    store(facts, record(facts, ORPHAN, start_off_s=5, end_off_s=300, content_digest=3))
    store(facts, record(facts, trade_no(6), start_off_s=4_000, end_off_s=4_000, content_digest=4))
    run(facts, NOW + HOUR)
    again = {trade_no(8): ("again", trade_no(1))}
    assert near(database, trade_no(1)) == {trade_no(7): ("taken", trade_no(1)), **again}
    assert near(database, trade_no(8)) == {trade_no(1): ("same", ""), trade_no(7): ("taken", trade_no(1))}
    assert near(database, trade_no(1), Scope(frozenset({3}))) == {}


def test_of_two_records_that_fit_each_is_told_as_waiting(database: Client, facts: Facts) -> None:
    store(facts, charge(facts), record(facts), record(facts, trade_no(8), end_off_s=30, content_digest=2))
    facts.heard(T0 - MINUTE, T0 + 2 * HOUR)
    run(facts)
    assert near(database, trade_no(1)) == {ORPHAN: ("waits", ""), trade_no(8): ("waits", "")}
    assert near(database, ORPHAN) == {trade_no(1): ("none", ""), trade_no(8): ("waits", "")}
    store(facts, record(facts, trade_no(1), content_digest=3))
    run(facts, NOW + HOUR)
    assert near(database, ORPHAN) == {trade_no(1): ("own", ""), trade_no(8): ("waits", "")}
