"""A change of the database is never missed by a mark, and rest leaves the mark alone."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from backoffice import models
from backoffice.changes import ChangeWatch
from backoffice.database import open_database, writing
from backoffice.directory import read_directory, register_pile

pytestmark = pytest.mark.server


@pytest.fixture
def watch(engine: Engine) -> Iterator[ChangeWatch]:
    watch = ChangeWatch(engine)
    yield watch
    watch.close()


@pytest.fixture
def other_engine(engine: Engine, database_url: str) -> Iterator[Engine]:
    """As another process has it."""
    other = open_database(database_url)
    yield other
    other.dispose()


def test_reading_leaves_the_mark_alone(engine: Engine, watch: ChangeWatch) -> None:
    register_pile(engine, "32010200000001")
    before = watch.mark()
    for _ in range(3):
        read_directory(engine)
        assert watch.mark() == before


def test_every_change_moves_the_mark(engine: Engine, other_engine: Engine, watch: ChangeWatch) -> None:
    marks = [watch.mark()]
    for number, writer in enumerate((engine, other_engine, engine, other_engine)):
        register_pile(writer, f"3201020000000{number}")
        marks.append(watch.mark())
    with writing(other_engine) as session:
        session.query(models.Pile).update({"is_test": True})
    marks.append(watch.mark())
    assert len(set(marks)) == len(marks)


def test_what_is_written_but_not_committed_moves_it_when_it_is(
    engine: Engine, other_engine: Engine, watch: ChangeWatch
) -> None:
    with writing(other_engine) as session:
        session.query(models.Station).update({"name": "other"})
        session.flush()
        under_way = watch.mark()
        before = read_directory(engine)
    assert watch.mark() != under_way
    assert read_directory(engine) == before  # the name is no part of it
