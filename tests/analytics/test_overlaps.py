"""Code 7: two charges share time that they cannot share, whatever the order in which their records come."""

import random
from itertools import permutations
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.overlap_facts import valid_vin
from analytics.threshold_book import ThresholdBook
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, Clock, Facts, pile, trade_no

pytestmark = pytest.mark.server
VIN = "LSVAA49J132015367"
OTHER_VIN = "LSVAA49J132015368"
NOW = T0 + 6 * HOUR


@pytest.fixture
def database(empty_database: Client) -> Client:
    return empty_database


@pytest.fixture
def facts(database: Client) -> Facts:
    return Facts(database, pile(4), pile(5))


def charge(
    facts: Facts, number: int, at_ms: int, minutes: int = 20, *, pile_id: int = 4, connector: int = 1, **bill: Any
) -> list[tuple[str, list[dict[str, Any]]]]:
    """The readings and the record of a charge, as (table, rows); each has a vehicle of its own."""
    trade = trade_no(number)
    where = {"pile_id": pile_id, "connector": connector}
    readings = facts.charging(at_ms, minutes, trade=trade, **where)
    readings.append(facts.idle(at_ms + minutes * MINUTE + SECOND, 0, **where))
    told = {"vin": f"LSVAA49J13201{number:04d}", "content_digest": number, **where, **bill}
    return [("readings", readings), ("pile_bill_uploads", [{**facts.bill(at_ms, minutes, trade=trade), **told}])]


def store(facts: Facts, *charges: list[tuple[str, list[dict[str, Any]]]]) -> None:
    for table, rows in (part for parts in charges for part in parts):
        facts.insert(table, [dict(row) for row in rows])


def run(database: Client, facts: Facts, now_ms: int = NOW, thresholds: ThresholdBook | None = None) -> None:
    Biller(database, facts.directory, clock=Clock(now_ms), thresholds=thresholds).run_once()


def codes(database: Client) -> dict[int, list[int]]:
    rows = database.execute("SELECT trade_no, codes FROM bills")
    return {int(number[-4:]): found for number, found in rows}


def overlaps(database: Client) -> dict[int, list[tuple[int, int, int, str]]]:
    """Number -> (charger, number, seconds, kind) of each other charge in its time."""
    rows = database.execute("SELECT trade_no, overlaps FROM sessions")
    return {int(number[-4:]): [(o[0], int(o[2][-4:]), o[3] // SECOND, o[4]) for o in found] for number, found in rows}


def shifted(start_ms: int, minutes: int = 20) -> dict[str, int]:
    """Times of a record that do not fit what was seen."""
    return {"start_ms": start_ms, "end_ms": start_ms + minutes * MINUTE}


def test_records_of_one_connector_that_overlap_carry_the_code_both(database: Client, facts: Facts) -> None:
    store(facts, charge(facts, 1, T0), charge(facts, 2, T0 + 18 * MINUTE))
    run(database, facts)
    assert overlaps(database) == {1: [(4, 2, 120, "connector")], 2: [(4, 1, 120, "connector")]}
    assert codes(database) == {1: [7], 2: [7]}
    ((held, hits),) = database.execute(
        "SELECT held, hits FROM bills INNER JOIN session_codes USING (trade_no, revision) WHERE trade_no = %(trade)s",
        {"trade": trade_no(1)},
    )
    assert held == 1
    assert [hit for hit in hits if hit[1] == "corrected"] == [
        (7, "corrected", "SAME_CONNECTOR", "", 120_000, 60_000, "ms")
    ]


@pytest.mark.parametrize(("overlap_s", "expected"), [(-1, []), (0, []), (60, []), (61, [7])])
def test_one_minute_is_no_overlap_and_touching_ends_are_none(
    database: Client, facts: Facts, overlap_s: int, expected: list[int]
) -> None:
    store(facts, charge(facts, 1, T0), charge(facts, 2, T0 + 20 * MINUTE - overlap_s * SECOND))
    run(database, facts)
    assert codes(database) == {1: expected, 2: expected}
    assert bool(overlaps(database)[1]) == (overlap_s > 0)


@pytest.mark.parametrize(("overlap_s", "expected"), [(300, []), (301, [7])])
def test_one_vehicle_at_two_chargers(database: Client, facts: Facts, overlap_s: int, expected: list[int]) -> None:
    start = T0 + 20 * MINUTE - overlap_s * SECOND
    store(
        facts,
        charge(facts, 1, T0, vin=VIN),
        charge(facts, 2, start, pile_id=5, vin=VIN.lower()),
        charge(facts, 3, T0 - HOUR, pile_id=5, vin=VIN),
    )
    run(database, facts)
    assert codes(database) == {1: expected, 2: expected, 3: []}
    assert overlaps(database)[1] == [(5, 2, overlap_s, "vin")]


@pytest.mark.parametrize("vin", ["", "0" * 17, VIN[:16], VIN.replace("L", "O"), "1" * 17])
def test_what_is_no_vehicle_number_shows_nothing(database: Client, facts: Facts, vin: str) -> None:
    store(facts, charge(facts, 1, T0, vin=vin), charge(facts, 2, T0, pile_id=5, vin=vin))
    run(database, facts)
    assert codes(database) == {1: [], 2: []}
    assert valid_vin(vin) == ""


def test_one_vehicle_at_both_guns_is_information(database: Client, facts: Facts) -> None:
    both = (charge(facts, 1, T0, vin=VIN), charge(facts, 2, T0 + 30 * SECOND, connector=2, vin=VIN))
    longer = charge(facts, 3, T0 + HOUR, vin=OTHER_VIN), charge(facts, 4, T0 + HOUR, 25, connector=2, vin=OTHER_VIN)
    store(facts, *both, *longer)
    run(database, facts)
    assert codes(database) == {1: [], 2: [], 3: [], 4: []}
    assert overlaps(database) == {1: [(4, 2, 1170, "dual_gun")], 2: [(4, 1, 1170, "dual_gun")], 3: [], 4: []}


def test_a_card_may_be_used_twice_unless_the_operator_forbids_it(database: Client, facts: Facts) -> None:
    card: dict[str, Any] = {"physical_card": "00000000D14B0A54"}
    store(
        facts,
        charge(facts, 1, T0, **card),
        charge(facts, 2, T0 + 10 * MINUTE, pile_id=5, **card),
        charge(facts, 3, T0, connector=2, physical_card="0" * 16),
        charge(facts, 4, T0, pile_id=5, connector=2, physical_card="0" * 16),
    )
    run(database, facts)
    assert codes(database) == {1: [], 2: [], 3: [], 4: []}
    Biller(database, facts.directory, clock=Clock(NOW), thresholds=ThresholdBook({"card_overlap_ms": 0})).settle(
        [4, 5], NOW
    )
    assert codes(database) == {1: [7], 2: [7], 3: [], 4: []}


def test_a_repeated_or_second_record_of_one_number_is_no_overlap(database: Client, facts: Facts) -> None:
    parts = charge(facts, 1, T0)
    record = parts[1][1][0]
    store(facts, parts, [("pile_bill_uploads", [{**record, "receive_ms": record["receive_ms"] + MINUTE}])])
    later = {"receive_ms": record["receive_ms"] + MINUTE, "content_digest": 99, "energy_e4kwh": 1}
    store(facts, [("pile_bill_uploads", [{**record, **later}])])
    run(database, facts)
    assert codes(database) == {1: []}
    assert database.execute("SELECT causes FROM bills") == [(["DUPLICATE_BILL"],)]


def test_the_first_of_two_records_under_a_number_counts_for_others_too(database: Client, facts: Facts) -> None:
    first, (_readings, second) = charge(facts, 1, T0), charge(facts, 2, T0 + 21 * MINUTE)
    record = second[1][0]
    other = {**record, **shifted(T0), "content_digest": 99, "receive_ms": record["receive_ms"] + MINUTE}
    store(facts, first, [second, ("pile_bill_uploads", [other])])
    run(database, facts)
    assert codes(database) == {1: [], 2: []}
    # what was received first may be loaded last
    earlier = {**other, "receive_ms": record["receive_ms"] - MINUTE}
    store(facts, [("pile_bill_uploads", [earlier])])
    run(database, facts)
    assert codes(database) == {1: [7], 2: [7]}
    # and may be no case at all
    store(facts, [("pile_bill_uploads", [{**record, "receive_ms": record["receive_ms"] - 2 * MINUTE}])])
    run(database, facts)
    assert codes(database) == {1: [], 2: []}


def test_times_that_no_charge_can_have_overlap_nothing(database: Client, facts: Facts) -> None:
    years = {"start_ms": T0 - 365 * 24 * HOUR, "end_ms": T0 + HOUR + 20 * MINUTE}
    store(
        facts,
        charge(facts, 1, T0),
        charge(facts, 2, T0 + HOUR, **years),
        charge(facts, 3, T0 + 2 * HOUR, start_ms=0),
        charge(facts, 4, T0 + 3 * HOUR, **shifted(T0 + 40 * 24 * HOUR)),
    )
    run(database, facts)
    assert not any(7 in found for found in codes(database).values())
    assert overlaps(database) == {1: [], 2: [], 3: [], 4: []}


def all_said(database: Client) -> dict[int, tuple[list[int], list[int], list[str]]]:
    """Number -> codes raw, corrected, causes."""
    return dict(database.execute("SELECT toUInt32(right(trade_no, 4)), (codes_raw, codes, causes) FROM bills"))


@pytest.mark.parametrize("off_ms", [2 * HOUR, -2 * HOUR])
@pytest.mark.parametrize("seen", [True, False])
def test_a_wrong_clock_makes_its_neighbour_no_case(database: Client, facts: Facts, off_ms: int, seen: bool) -> None:
    """The clock was two hours off during the first charge; the second one is where the first is told to be."""
    wrong, right = (
        charge(facts, 1, T0 + 3 * HOUR, **shifted(T0 + 3 * HOUR + off_ms)),
        charge(facts, 2, T0 + 3 * HOUR + off_ms),
    )
    store(facts, wrong if seen else wrong[1:], right)
    run(database, facts, NOW + 2 * HOUR)
    said = all_said(database)
    assert said[2][0] == [7] and 7 in said[1][0]
    if seen or off_ms > 0:  # a record that nothing places may be right, unless it came before its own end
        assert said[2] == ([7], [], ["CLOCK_STEP"])
        assert 7 not in said[1][1]
    else:
        assert said[2][1] == [7] and 7 in said[1][1]


def test_what_was_seen_whole_holds_against_what_another_only_tells(database: Client, facts: Facts) -> None:
    """The first record says that it went on while the second charge was seen from its begin to its end."""
    first = charge(facts, 1, T0, end_ms=T0 + HOUR, receive_ms=T0 + 2 * HOUR)
    store(facts, first, charge(facts, 2, T0 + 30 * MINUTE))
    run(database, facts)
    said = all_said(database)
    assert said[2] == ([7], [], ["CLOCK_STEP"])
    assert 7 in said[1][1]


def test_order_of_arrival_and_passes_change_nothing(database: Client, facts: Facts) -> None:
    """Three charges of one vehicle, one of them on a connector that another overlaps."""
    charges = [
        charge(facts, 1, T0, vin=VIN),
        charge(facts, 2, T0 + 10 * MINUTE, pile_id=5, vin=VIN),
        charge(facts, 3, T0 + 15 * MINUTE),
    ]
    seen = set[str]()
    for order in list(permutations(charges))[::2]:
        for table in ("readings", "pile_bill_uploads", "session_revisions", "session_codes", "bill_revisions"):
            database.execute(f"TRUNCATE TABLE {table}")
        biller = Biller(database, facts.directory, clock=Clock(NOW))
        parts = [part for of_one in order for part in of_one]
        random.Random(len(seen)).shuffle(parts)
        for part in parts[:3], parts[3:]:
            store(facts, part)
            biller.run_once()
        seen.add(repr((sorted(codes(database).items()), sorted(overlaps(database).items()))))
        assert biller.run_once().session_revisions == 0
    assert len(seen) == 1
    assert codes(database) == {1: [7], 2: [7], 3: [7]}


def test_settling_one_charger_looks_again_at_the_other_charge_elsewhere(database: Client, facts: Facts) -> None:
    store(facts, charge(facts, 1, T0, vin=VIN))
    Biller(database, facts.directory, clock=Clock(NOW)).settle([4], NOW)
    assert codes(database) == {1: []}
    store(facts, charge(facts, 2, T0 + 5 * MINUTE, pile_id=5, vin=VIN))
    biller = Biller(database, facts.directory, clock=Clock(NOW))
    biller.settle([5], NOW)
    assert codes(database) == {1: [7], 2: [7]}
    assert biller.settle([5], NOW).session_revisions == biller.settle([4], NOW).session_revisions == 0
