"""The demo never touches what an operator has."""

from pathlib import Path

import pytest

from analytics.client import ClickHouseAddress, connect
from benchmarks.fleet.accounts import CARDS, STATION_ACCOUNT, VINS
from ingest.start_decision import StartAccount, StartTable
from service.demo import apart, empty, fleet_report
from service.errors import ServiceError
from service.settings import Settings


def test_demo_has_a_folder_and_databases_of_its_own(tmp_path: Path) -> None:
    mine = Settings(
        data=str(tmp_path), clickhouse="clickhouse://me:pw@db:9000/pilestream", database="postgresql://me@db/pilestream"
    )
    demo = apart(mine)
    assert demo.folder == tmp_path / "demo"
    assert demo.clickhouse == "clickhouse://me:pw@db:9000/pilestream_demo"
    assert demo.database_url == f"sqlite:///{tmp_path / 'demo' / 'backoffice.db'}"


def test_the_simulated_drivers_may_charge_in_the_demo_beside_the_operator_s(tmp_path: Path) -> None:
    mine = StartAccount(card="77", name="mine")
    accounts = apart(Settings(data=str(tmp_path), start_accounts=(mine,))).start_accounts
    assert accounts[0] == mine
    assert {CARDS[0], VINS[0], STATION_ACCOUNT} <= {entry.card or entry.vin or entry.account for entry in accounts}
    StartTable(accounts)


@pytest.mark.server
def test_demo_empties_its_own_database_and_no_other(tmp_path: Path, database_address: ClickHouseAddress) -> None:
    mine = connect(database_address)
    mine.execute("CREATE TABLE kept (x UInt32) ENGINE = MergeTree ORDER BY x")
    mine.execute("CREATE DATABASE IF NOT EXISTS pilestream_demo")
    (tmp_path / "demo" / "spool").mkdir(parents=True)
    (tmp_path / "kept.txt").write_text("mine")
    empty(apart(Settings(data=str(tmp_path), clickhouse=database_address.url())))
    assert mine.execute("EXISTS TABLE kept") == [(1,)]
    assert mine.execute("EXISTS DATABASE pilestream_demo") == [(0,)]
    assert (tmp_path / "kept.txt").exists()
    assert not (tmp_path / "demo" / "spool").exists()
    mine.execute("DROP TABLE kept")
    mine.disconnect()


def test_a_fleet_that_left_no_report_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="left no report"):
        fleet_report(tmp_path)
