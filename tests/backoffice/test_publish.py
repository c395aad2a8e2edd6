"""The master data reaches ClickHouse as whole tables."""

import threading
from pathlib import Path

import pytest
from clickhouse_driver import Client
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import backoffice
from analytics.client import ClickHouseAddress, connect
from backoffice import models
from backoffice.directory import read_directory, register_pile
from backoffice.master_file import load_master_file
from backoffice.publish import owners_over_all_time, publish
from core.directory import OPEN_END_MS

pytestmark = pytest.mark.server
DEMO = Path(backoffice.__file__).with_name("demo_fleet.toml")


def test_the_master_data_of_the_demo_is_visible(engine: Engine, database: Client) -> None:
    load_master_file(engine, DEMO)
    register_pile(engine, "99999999999999", "ykc", 2)
    counts = publish(engine, database)
    assert counts == {
        "dim_operators": 5,
        "dim_stations": 9,
        "dim_tariff_versions": 4,
        "dim_station_tariffs": 9,
        "dim_piles": 245,
        "dim_connectors": 2 * (55 + 35 + 35 + 24) + 45 + 50 + 2,
        "dim_pile_owners": 245 + 244 + 20,
    }
    by_station = database.execute(
        "SELECT s.name, o.name_en, count(), sum(p.rated_power_w) FROM dim_piles AS p"
        " JOIN dim_stations AS s USING station_id JOIN dim_operators AS o ON o.operator_id = s.operator_id"
        " GROUP BY 1, 2 ORDER BY s.name LIMIT 1 BY s.name"
    )
    assert ("大岗公交车站充电站", "Yangcheng Bus, Panyu Branch", 30, 3_600_000) in by_station
    parents = database.execute("SELECT name_en, parent_operator_id > 0 FROM dim_operators WHERE parent_operator_id > 0")
    assert parents == [("Yangcheng Bus, Panyu Branch", 1)]


def test_clickhouse_and_the_serving_path_agree(engine: Engine, database: Client) -> None:
    load_master_file(engine, DEMO)
    publish(engine, database)
    piles = read_directory(engine)
    rows = database.execute(
        "SELECT pile_id, pile, station_id, connectors, rated_power_w, quantum_e4kwh, commissioned_ms, current_kind"
        " FROM dim_piles ORDER BY pile_id"
    )
    assert rows == [
        (
            p.pile_id,
            p.code,
            p.station_id,
            p.connectors,
            p.rated_power_w,
            p.quantum_e4kwh,
            p.commissioned_ms,
            p.current_kind,
        )
        for p in piles
    ]
    versions = {v.tariff_version_id: v for pile in piles for v in pile.tariffs}
    for row in database.execute(
        "SELECT tariff_version_id, model_no, slot_classes, electricity_price_e5yuan, service_price_e5yuan"
        " FROM dim_tariff_versions WHERE model_no != '9001'"
    ):
        v = versions[row[0]]
        assert row[1:] == (
            v.model_no,
            list(v.slot_classes),
            list(v.electricity_price_e5yuan),
            list(v.service_price_e5yuan),
        )
    moments = sorted({0, 1_700_000_000_000} | {owner.from_ms + d for p in piles for owner in p.owners for d in (-1, 0)})
    for moment in moments:
        owners = database.execute(
            "SELECT pile_id, operator_id FROM dim_pile_owners WHERE from_ms <= %(t)s AND %(t)s < to_ms"
            " ORDER BY pile_id",
            {"t": moment},
        )
        assert owners == [(pile.pile_id, pile.operator_at(moment)) for pile in piles]


def test_no_query_ever_sees_a_table_without_rows(
    sqlite_engine: Engine, database_address: ClickHouseAddress, database: Client
) -> None:
    load_master_file(sqlite_engine, DEMO)
    publish(sqlite_engine, database)
    done = threading.Event()
    seen: set[int] = set()

    def watch() -> None:
        client = connect(database_address)
        while not done.is_set():
            seen.add(client.execute("SELECT count() FROM dim_piles")[0][0])
        client.disconnect()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(5):
            publish(sqlite_engine, database)
    finally:
        done.set()
        watcher.join()
    assert seen == {244}


def test_a_publication_that_was_killed_leaves_nothing_for_ever(
    sqlite_engine: Engine, database: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("CREATE TABLE dim_piles_staging_dead AS dim_piles")
    publish(sqlite_engine, database)
    assert database.execute("SHOW TABLES LIKE '%staging%'") == [("dim_piles_staging_dead",)]
    monkeypatch.setattr("backoffice.publish.LEFT_BEHIND_AFTER_S", -5)
    publish(sqlite_engine, database)
    assert database.execute("SHOW TABLES LIKE '%staging%'") == []


def test_a_failed_publication_changes_nothing(sqlite_engine: Engine, database: Client) -> None:
    register_pile(sqlite_engine, "32010200000001")
    publish(sqlite_engine, database)
    register_pile(sqlite_engine, "32010200000002")
    with Session(sqlite_engine) as session:
        session.get_one(models.Pile, 2).commissioned_ms = 2**63 - 1
        session.commit()
    database.execute("ALTER TABLE dim_piles ADD CONSTRAINT early CHECK commissioned_ms < 1000")
    with pytest.raises(Exception, match="early"):
        publish(sqlite_engine, database)
    assert database.execute("SELECT pile FROM dim_piles") == [("32010200000001",)]
    assert database.execute("SELECT count() FROM dim_connectors") == [(1,)]
    assert database.execute("SHOW TABLES LIKE '%staging%'") == []


def test_gaps_between_owners_belong_to_nobody() -> None:
    owners = [
        models.PileOwnership(from_ms=10, to_ms=20, operator_id=5),
        models.PileOwnership(from_ms=20, to_ms=30, operator_id=6),
        models.PileOwnership(from_ms=40, to_ms=50, operator_id=5),
    ]
    spans = [(row["operator_id"], row["from_ms"], row["to_ms"]) for row in owners_over_all_time(1, owners)]
    assert spans == [(1, 0, 10), (5, 10, 20), (6, 20, 30), (1, 30, 40), (5, 40, 50), (1, 50, OPEN_END_MS)]
