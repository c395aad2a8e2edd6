"""Stored charges settled with the lane for ordinary ones and without it: every column of every result is the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from clickhouse_driver import Client

import analytics.biller
import analytics.lane_facts
from analytics.biller import Biller
from analytics.biller_decision import DECIDED_AFTER_MS
from analytics.client import ClickHouseAddress
from analytics.plain_columns import PlainRows
from analytics.revision_store import RevisionStore
from benchmarks.bills import charges
from benchmarks.bills.contest import store_charges

pytestmark = pytest.mark.server

SESSIONS: Final = 400
DAY_MS: Final = 24 * 3_600_000
AS_OF_MS: Final = charges.BEGIN_MS + 31 * DAY_MS + DECIDED_AFTER_MS
NEVER: Final = 10**9
RESULTS: Final = ("session_revisions", "session_codes", "bill_revisions")
ODDITIES: Final = Path(__file__).with_name("odd_charges.sql")
"""What makes charges of the benchmark odd, one statement behind the other."""


@pytest.fixture(scope="module")
def stored(module_database: Client, clickhouse: ClickHouseAddress) -> Iterator[Client]:
    ((database,),) = module_database.execute("SELECT currentDatabase()")
    patch = pytest.MonkeyPatch()
    for name, share in list(charges.FAULTS.items()):
        patch.setitem(charges.FAULTS, name, share * 6)
    store_charges(module_database, msgspec.structs.replace(clickhouse, database=database), SESSIONS, seed=3)
    patch.undo()
    for statement in ODDITIES.read_text(encoding="utf-8").split(";")[:-1]:
        module_database.execute(statement)
    yield module_database


def settled(client: Client, fewest: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """All results of settling with the lane for so many charges and more, without what numbers a batch."""
    monkeypatch.setattr(analytics.biller, "FEWEST", fewest)
    monkeypatch.setattr(analytics.lane_facts, "FEWEST", fewest)
    for table in RESULTS:
        client.execute(f"TRUNCATE TABLE {table}")
    piles = charges.directory(SESSIONS)
    ours = [pile.pile_id for pile in piles]
    biller = Biller(client, piles, clock=lambda: AS_OF_MS)
    report = biller.settle(ours, AS_OF_MS, dict.fromkeys(ours, charges.BEGIN_MS + 31 * DAY_MS))
    assert report.failed_sessions == 0
    assert biller.settle(ours, AS_OF_MS, dict.fromkeys(ours, charges.BEGIN_MS + 31 * DAY_MS)).session_revisions == 0
    return {table: client.execute(f"SELECT * EXCEPT batch_id FROM {table} ORDER BY ALL") for table in RESULTS}


def test_results_are_the_same_with_and_without_the_lane(stored: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    store = RevisionStore.store

    def counted(self: RevisionStore, rows: list[Any], plain: PlainRows) -> Any:
        taken.append(len(plain))
        return store(self, rows, plain)

    monkeypatch.setattr(RevisionStore, "store", counted)
    with_lane = settled(stored, 1, monkeypatch)
    assert sum(taken) > SESSIONS // 3
    taken.clear()
    without = settled(stored, NEVER, monkeypatch)
    assert sum(taken) == 0
    for table in RESULTS:
        assert with_lane[table] == without[table]
    assert len(without["bill_revisions"]) > SESSIONS
