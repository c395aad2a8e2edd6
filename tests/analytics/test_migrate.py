"""The ClickHouse schema is applied once, in order, and a changed file is refused."""

from pathlib import Path

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress, connect
from analytics.migrate import MigrationError, migrate, read_schema, split_statements

pytestmark = pytest.mark.server


def test_the_schema_is_applied_once(clickhouse: ClickHouseAddress) -> None:
    address = msgspec.structs.replace(clickhouse, database="applied once; `odd` name")
    names = [file.name for file in read_schema()]
    assert migrate(address) == names
    assert migrate(address) == []
    client = connect(address)
    assert client.execute("SELECT file FROM schema_migrations ORDER BY number") == [(name,) for name in names]
    client.execute("DROP DATABASE `applied once; \\`odd\\` name` SYNC")
    client.disconnect()


def test_every_schema_file_begins_with_its_question(database: Client) -> None:
    assert [file.name for file in read_schema() if not file.text.startswith("-- ")] == []
    tables = {name for (name,) in database.execute("SHOW TABLES")}
    assert {"frames", "readings", "pile_bill_uploads", "presence", "sessions", "bills", "dim_piles"} <= tables


def test_a_changed_file_is_refused(database_address: ClickHouseAddress, tmp_path: Path) -> None:
    files = read_schema()
    for file in files:
        (tmp_path / file.name).write_text(file.text, "utf-8")
    assert migrate(database_address, tmp_path) == []
    (tmp_path / files[0].name).write_text(files[0].text + "-- later\n", "utf-8")
    with pytest.raises(MigrationError, match=rf"{files[0].name} was changed .* new file with the next number"):
        migrate(database_address, tmp_path)
    (tmp_path / files[0].name).unlink()
    with pytest.raises(MigrationError, match=rf"{files[0].name} .* older than the data"):
        migrate(database_address, tmp_path)


def test_a_refused_statement_is_named(clickhouse: ClickHouseAddress, tmp_path: Path) -> None:
    address = msgspec.structs.replace(clickhouse, database="refused")
    (tmp_path / "0001_one.sql").write_text("-- q\nCREATE TABLE one (x UInt8) ENGINE = Memory;\nCREATE TABLE nonsense;")
    with pytest.raises(MigrationError, match=r"0001_one\.sql, statement 2"):
        migrate(address, tmp_path)
    client = connect(address)
    assert client.execute("SELECT count() FROM schema_migrations") == [(0,)]
    client.execute("DROP DATABASE refused SYNC")
    client.disconnect()


@pytest.mark.parametrize(("name", "message"), [("1_a.sql", "NNNN_words.sql"), ("0001_b.sql", "0001 is taken by")])
def test_a_wrong_file_name_is_refused(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1")
    (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(MigrationError, match=message):
        read_schema(tmp_path)


def test_statements_are_split_only_at_real_semicolons() -> None:
    text = "-- a; b\nSELECT ';', \"x;\", `y;` /* ; */, 'it''s; \\'';\n\n;-- only a comment;\nSELECT 2 -- end;\n;"
    assert split_statements(text) == [
        "-- a; b\nSELECT ';', \"x;\", `y;` /* ; */, 'it''s; \\''",
        "-- only a comment;\nSELECT 2 -- end;",
    ]
