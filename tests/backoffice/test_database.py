"""The SQL database opens on both kinds, is brought up to date once, and guards its own rules."""

import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, func, inspect, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backoffice import models
from backoffice.database import MIGRATIONS_FOLDER, open_database, writing
from backoffice.directory import read_directory, register_pile
from backoffice.errors import UnknownDatabaseError

pytestmark = pytest.mark.server


def test_the_migrations_give_the_tables_of_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, models.Base.metadata) == []
    checks = {table: len(inspect(engine).get_check_constraints(table)) for table in ("pile_models", "stations")}
    assert checks == {"pile_models": 4, "stations": 1}


def test_a_new_database_knows_what_unknown_piles_belong_to(engine: Engine) -> None:
    with Session(engine) as session:
        operator = session.scalars(select(models.Operator)).one()
        station = session.scalars(select(models.Station)).one()
        assert (operator.operator_id, operator.key) == (1, "unassigned")
        assert (station.key, station.operator_id, station.zone) == ("unassigned", 1, "Asia/Shanghai")
        assert [assigned.tariff.key for assigned in station.tariffs] == ["default"]
    with writing(engine) as session:
        added = models.Operator(key="later", name="后来", name_en="Later", settle_first=False)
        session.add(added)
        session.flush()
        assert added.operator_id == 2


@pytest.mark.parametrize("model_stays", [False, True], ids=["first version", "downgraded"])
def test_a_database_of_the_first_version_keeps_its_chargers(database_url: str, model_stays: bool) -> None:
    engine = open_database(database_url)
    register_pile(engine, "32010200000001")
    with writing(engine) as session:
        session.add(
            models.PileModel(
                key="M-60", vendor="M", name="M-60", protocol="ykc", current_kind="dc", connectors=1,
                rated_power_w=60_000, register_kind="session", quantum_e4kwh=100, register_digits=0, learns=["quantum"],
            )
        )  # fmt: skip
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_FOLDER))
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        if not model_stays:
            connection.execute(text("DELETE FROM pile_models WHERE protocol = 'aaf5'"))
    engine.dispose()
    upgraded = open_database(database_url)
    (pile,) = read_directory(upgraded)
    assert (pile.code, pile.gun_letters, pile.connectors) == ("32010200000001", False, 1)
    assert pile.learns == ("quantum", "rated_power", "register", "digits")
    assert register_pile(upgraded, "B7", "aaf5").register_kind == "lifetime"
    with Session(upgraded) as session:
        planned = session.scalars(select(models.PileModel).where(models.PileModel.key == "M-60")).one()
        assert planned.learns == [], "what a file said then was all configured"
    upgraded.dispose()


def test_opening_again_keeps_the_data(database_url: str) -> None:
    first = open_database(database_url)
    with writing(first) as session:
        session.add(models.Tariff(key="kept", name="留"))
    first.dispose()
    second = open_database(database_url)
    with Session(second) as session:
        assert session.scalar(select(func.count()).where(models.Tariff.key == "kept")) == 1
    second.dispose()


def test_an_error_takes_everything_back(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), writing(engine) as session:
        session.add(models.Tariff(key="gone", name="去"))
        session.flush()
        raise ZeroDivisionError
    with Session(engine) as session:
        assert session.scalar(select(models.Tariff).where(models.Tariff.key == "gone")) is None


def test_a_record_that_points_nowhere_is_refused(engine: Engine) -> None:
    pile = models.Pile(code="1", station_id=99, pile_model_id=99, protocol="ykc", commissioned_ms=0)
    with pytest.raises(IntegrityError), writing(engine) as session:
        session.add(pile)


def test_data_of_a_newer_program_is_refused(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(UnknownDatabaseError, match=r"9999.* older than the data"):
        open_database(database_url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://a:secret@b/c", "only sqlite"),
        ("nonsense", "cannot be opened"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/none", "cannot be opened"),
    ],
)
def test_a_wrong_url_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(UnknownDatabaseError, match=message) as caught:
        open_database(url)
    assert "secret" not in str(caught.value)


def test_many_processes_may_open_a_new_database_at_once(database_url: str) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        numbers = pool.map(_open_and_add, [(database_url, number) for number in range(6)], chunksize=1)
    assert len(set(numbers)) == 1, "one code is one pile, whoever registers it"
    engine = open_database(database_url)
    with Session(engine) as session:
        keys = set(session.scalars(select(models.Tariff.key)))
    engine.dispose()
    assert keys == {"default", *(f"tariff-{number}" for number in range(6))}


def test_sqlite_keeps_every_commit_on_disk(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'b.db'}")
    with engine.connect() as connection:
        pragmas = {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS}
    engine.dispose()
    assert pragmas == PRAGMAS


PRAGMAS: dict[str, Any] = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 10_000}


def _open_and_add(given: tuple[str, int]) -> int:
    url, number = given
    engine = open_database(url)
    with writing(engine) as session:
        known = session.scalars(select(models.Tariff)).all()  # reads before it writes: a plain BEGIN would fail here
        session.add(models.Tariff(key=f"tariff-{number}", name=str(len(known))))
    pile = register_pile(engine, "32010200000001")
    engine.dispose()
    return pile.pile_id
