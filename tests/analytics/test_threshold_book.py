"""Which thresholds hold for a charge, and what is refused."""

from typing import Any

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, connect
from analytics.threshold_book import ThresholdBook, ThresholdError, ThresholdSets, limits_table
from analytics.threshold_preview import preview
from analytics.thresholds import Thresholds
from core.directory import Ownership, Pile
from tests.analytics.stored_facts import DAY, HOUR, MINUTE, SECOND, T0, Clock, Facts, pile, trade_no

NOW = T0 + 3 * HOUR


def named(**changes: Any) -> Pile:
    """A charger of model m at station s, of operator a until T0 and then of b."""
    owners = (Ownership(2, 0, T0, operator="a"), Ownership(3, T0, operator="b"))
    return pile(**{"model": "m", "station": "s", "owners": owners, **changes})


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, (60_000, 180_000)),
        ({"overlap_ms": 1}, (1, 180_000)),
        ({"overlap_ms": 1, "operator": {"b": {"overlap_ms": 2}}}, (2, 180_000)),
        ({"operator": {"a": {"overlap_ms": 2}}}, (60_000, 180_000)),
        ({"operator": {"b": {"overlap_ms": 2, "clock_ms": 9}}, "station": {"s": {"overlap_ms": 3}}}, (3, 9)),
        ({"station": {"s": {"overlap_ms": 3}}, "model": {"m": {"overlap_ms": 4}}}, (4, 180_000)),
        ({"model": {"n": {"overlap_ms": 4}}}, (60_000, 180_000)),
    ],
)
def test_the_most_special_threshold_wins(table: dict[str, Any], expected: tuple[int, int]) -> None:
    found = ThresholdBook(table).of(named(), T0)
    assert (found.overlap_ms, found.clock_ms) == expected


def test_the_operator_is_the_owner_at_that_moment() -> None:
    book = ThresholdBook({"operator": {"a": {"overlap_ms": 2}}})
    assert [book.of(named(), at_ms).overlap_ms for at_ms in (T0 - 1, T0)] == [2, 60_000]
    assert book.of(named(owners=()), T0) == Thresholds()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"overlap_sm": 1}, "did you mean 'overlap_ms'"),
        ({"modell": {"m": {}}}, "did you mean 'model'"),
        ({"overlap_ms": "1"}, "thresholds: Expected `int`, got `str` - at `\\$.overlap_ms`"),
        ({"overlap_ms": -1}, "Expected `int` >= 0"),
        ({"efficiency_e4": 3_001}, "Expected `int` <= 3000"),
        (
            {"model": {"m": {"overlap": 1}}},
            "thresholds.model.m: 'overlap' is not a threshold; did you mean 'overlap_ms'",
        ),
        ({"model": {"m": {"silence_ms": 1}}}, "silence_ms holds for the whole platform"),
        ({"model": 7}, "thresholds.model must be a table"),
        ({"model": {"m": 7}}, "thresholds.model.m must be a table"),
        ({"station": {"s": {"overlap_ms": -5}}}, "thresholds.station.s: Expected"),
    ],
)
def test_what_is_wrong_is_named(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ThresholdError, match=message):
        ThresholdBook(table)


def test_facts_are_read_for_whoever_asks_most() -> None:
    book = ThresholdBook({"offline_ms": 9, "model": {"m": {"offline_ms": 5}, "n": {"card_overlap_ms": 7}}})
    assert (book.for_reading.offline_ms, book.for_reading.card_overlap_ms) == (5, 7)


def test_what_is_set_for_nobody_is_found() -> None:
    book = ThresholdBook({"model": {"m": {}, "n": {}}, "operator": {"b": {}, "c": {}}, "station": {"s": {}}})
    assert book.unknown_places([named()]) == ["model.n", "operator.c"]


@pytest.mark.server
def test_a_used_set_is_kept_once_and_found_again(empty_database: Client) -> None:
    used = Thresholds(overlap_ms=7)
    for _again in range(2):
        ThresholdSets(empty_database).note({used.digest(): used}, NOW)
    assert empty_database.execute("SELECT count() FROM threshold_sets") == [(1,)]
    structure, data = limits_table({used.digest(): used})["structure"], limits_table({used.digest(): used})["data"]
    assert dict(zip([name for name, _kind in structure], data[0], strict=True))["limit_overlap_ms"] == 7


def overlapping(facts: Facts, number: int, at_ms: int, **where: Any) -> None:
    trade = trade_no(number)
    facts.insert("readings", facts.charging(at_ms, 20, trade=trade, **where))
    facts.insert("readings", [facts.idle(at_ms + 20 * MINUTE + SECOND, 0, **where)])
    vin = f"LSVAA49J13201{number:04d}"
    facts.insert(
        "pile_bill_uploads", [{**facts.bill(at_ms, 20, trade=trade), "vin": vin, "content_digest": number, **where}]
    )


@pytest.mark.server
def test_each_charge_is_decided_by_its_own_thresholds(empty_database: Client) -> None:
    facts = Facts(empty_database, pile(4, model="m"), pile(5, model="n"))
    for pile_id in (4, 5):
        overlapping(facts, 10 * pile_id, T0, pile_id=pile_id)
        overlapping(facts, 10 * pile_id + 1, T0 + 18 * MINUTE, pile_id=pile_id)
    book = ThresholdBook({"model": {"n": {"overlap_ms": 120_000}}})
    Biller(empty_database, facts.directory, clock=Clock(NOW), thresholds=book).run_once()
    rows = empty_database.execute("SELECT pile_id, codes FROM bills ORDER BY pile_id, trade_no")
    assert rows == [(4, [7]), (4, [7]), (5, []), (5, [])]
    assert empty_database.execute("SELECT count(DISTINCT thresholds_digest) FROM sessions") == [(2,)]
    assert empty_database.execute("SELECT count() FROM threshold_sets") == [(2,)]


@pytest.mark.server
def test_a_batch_that_was_cut_off_is_completed_by_the_thresholds_of_its_revisions(empty_database: Client) -> None:
    facts = Facts(empty_database)
    overlapping(facts, 1, T0)
    overlapping(facts, 2, T0 + 18 * MINUTE)
    strict = ThresholdBook({"overlap_ms": 120_000})
    Biller(empty_database, facts.directory, clock=Clock(NOW), thresholds=strict).run_once()
    for table in ("session_codes", "bill_revisions"):
        empty_database.execute(f"TRUNCATE TABLE {table}")
    biller = Biller(empty_database, facts.directory, clock=Clock(NOW))
    biller._begin()  # what a process does first that finds the batch
    assert empty_database.execute("SELECT codes FROM session_codes") == [([],), ([],)]


@pytest.fixture
def other_client(module_database: Client, clickhouse: ClickHouseAddress) -> Any:
    """A second connection to the module's database."""
    ((database,),) = module_database.execute("SELECT currentDatabase()")
    client = connect(msgspec.structs.replace(clickhouse, database=database))
    yield client
    client.disconnect()


@pytest.mark.server
def test_a_preview_counts_what_would_change_and_changes_nothing(empty_database: Client, other_client: Client) -> None:
    """Two charges overlap by two minutes, one has no record, and one is 31 days old."""
    facts = Facts(empty_database)
    overlapping(facts, 1, T0)
    overlapping(facts, 2, T0 + 18 * MINUTE)
    overlapping(facts, 3, T0 - 31 * DAY)
    facts.insert("readings", [*facts.charging(T0 + HOUR, 20, trade=trade_no(4)), facts.idle(T0 + 81 * MINUTE, 0)])
    facts.heard(T0, NOW)
    Biller(empty_database, facts.directory, clock=Clock(NOW)).run_once()
    tables = ("session_revisions", "session_codes", "bill_revisions", "threshold_sets", "biller_waiting")
    stored = [empty_database.execute(f"SELECT * FROM {table} ORDER BY ALL") for table in tables]
    tried: list[int] = []
    book = ThresholdBook({"overlap_ms": 120_000, "bill_lost_ms": 5 * HOUR})
    found = preview(other_client, facts.directory, book, now_ms=NOW, on_day=tried.append)
    assert (found.bills, found.changed, found.held, found.freed, found.failed) == (3, 3, 0, 2, 0)
    assert (found.gained, found.lost) == ({}, {"1": 1, "7": 2})
    assert sum(tried) == 3
    assert [empty_database.execute(f"SELECT * FROM {table} ORDER BY ALL") for table in tables] == stored


@pytest.mark.server
def test_the_thresholds_in_force_change_nothing(empty_database: Client, other_client: Client) -> None:
    facts = Facts(empty_database)
    overlapping(facts, 1, T0)
    overlapping(facts, 2, T0 + 18 * MINUTE)
    Biller(empty_database, facts.directory, clock=Clock(NOW)).settle([4], NOW)
    found = preview(other_client, facts.directory, ThresholdBook(), now_ms=NOW + DAY)
    assert (found.bills, found.changed, found.gained, found.lost) == (2, 0, {}, {})
