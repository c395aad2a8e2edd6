"""Commands that read, on data that an older version left."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

import pilestream
from analytics.client import ClickHouseAddress, connect
from analytics.embedded import EmbeddedServer
from analytics.migrate import SCHEMA_FOLDER, migrate, read_schema
from service import running
from tests.analytics.stored_facts import trade_no

pytestmark = pytest.mark.server
FIRST_VERSION = 10


@pytest.fixture
def old_schema(tmp_path: Path) -> Path:
    """The schema files of the first version."""
    folder = tmp_path / "schema"
    folder.mkdir()
    for file in read_schema():
        if file.number <= FIRST_VERSION:
            shutil.copy(SCHEMA_FOLDER / file.name, folder)
    return folder


@pytest.fixture
def old_database(clickhouse: ClickHouseAddress, old_schema: Path) -> Iterator[ClickHouseAddress]:
    """A database of the first version on a server that somebody else runs."""
    address = msgspec.structs.replace(clickhouse, database=f"test_{uuid4().hex[:12]}")
    migrate(address, old_schema)
    yield address
    client = connect(clickhouse)
    client.execute(f"DROP DATABASE {address.database} SYNC")
    client.disconnect()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("anomalies",), 0, "pilestream: no charge of this period has a final bill\n"),
        *(
            pytest.param(*words, marks=pytest.mark.long(reason="the same way in, each with two starts of ClickHouse"))
            for words in (
                (("conformance",), 0, ""),
                (("bill", trade_no()), 1, f"pilestream: no session has the number {trade_no()}\n"),
                (("timeline", trade_no()), 1, f"pilestream: no session has the number {trade_no()}\n"),
            )
        ),
    ],
)
def test_a_folder_of_an_older_version_is_brought_up_to_date(
    tmp_path: Path,
    old_schema: Path,
    arguments: tuple[str, ...],
    code: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with EmbeddedServer(tmp_path / "clickhouse") as server:
        migrate(msgspec.structs.replace(server, database="pilestream"), old_schema)
    assert pilestream.main([*arguments, "--data", str(tmp_path)]) == code
    assert capsys.readouterr().err == said


def test_a_server_that_somebody_runs_is_left_as_it_is_and_the_remedy_said(
    tmp_path: Path,
    old_database: ClickHouseAddress,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(running, "MIGRATION_WAIT_S", 0)
    monkeypatch.setenv("PILESTREAM_CLICKHOUSE", old_database.url())
    assert pilestream.main(["conformance", "--data", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "schema of an older version (it lacks 0011_aaf5.sql); run 'pilestream serve'" in error
    assert old_database.password not in error
    # a platform that comes up meanwhile
    monkeypatch.setattr(running, "MIGRATION_WAIT_S", 30)
    platform = threading.Timer(0.3, migrate, (old_database,))
    platform.start()
    assert pilestream.main(["conformance", "--data", str(tmp_path)]) == 0
    platform.join()


def test_the_platform_that_runs_on_the_folder_is_to_be_started_again(
    tmp_path: Path, old_schema: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "MIGRATION_WAIT_S", 0)
    with EmbeddedServer(tmp_path / "clickhouse") as server:
        migrate(msgspec.structs.replace(server, database="pilestream"), old_schema)
        assert pilestream.main(["anomalies", "--data", str(tmp_path)]) == 1
    assert "start 'pilestream serve' again" in capsys.readouterr().err
