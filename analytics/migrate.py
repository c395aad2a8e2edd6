"""The ClickHouse schema: numbered SQL files, applied once each, in order, and never changed afterwards."""

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec
from clickhouse_driver import Client
from clickhouse_driver.errors import Error as DriverError

from analytics.client import ClickHouseAddress, DatabaseUnreachable, connect
from analytics.errors import AnalyticsError

SCHEMA_FOLDER: Final = Path(__file__).with_name("schema")
FILE_NAME: Final = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
UNKNOWN_DATABASE: Final = 81
RECORD_TABLE: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32,
    file String,
    digest String COMMENT 'SHA-256 of the file',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY number
"""

_DONE: Final = "SELECT file, any(digest) FROM schema_migrations GROUP BY file"


class MigrationError(AnalyticsError):
    """A schema file is missing, was changed after it had been applied, or ClickHouse refuses it."""


class SchemaFile(msgspec.Struct, frozen=True):
    """One numbered file of the schema."""

    number: int
    name: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of its text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrate(address: ClickHouseAddress, folder: Path = SCHEMA_FOLDER) -> list[str]:
    """Bring the database of `address` up to date, making it first if need be; gives the names of the files applied.

    A file that fails in the middle is not recorded: the next call runs it again from its first statement, therefore
    its statements name what they do (`CREATE TABLE`) and ClickHouse says which one was there already. Raises
    `MigrationError` when a file applied before is missing or changed, `DatabaseUnreachable` without a server.
    """
    files = read_schema(folder)
    client = _connect_or_create(address)
    try:
        client.execute(RECORD_TABLE)
        done = dict(client.execute(_DONE))
        _refuse_changed(files, done)
        applied = []
        for file in files:
            if file.name not in done:
                _apply(client, file)
                applied.append(file.name)
        return applied
    finally:
        client.disconnect()


def missing_files(client: Client, folder: Path = SCHEMA_FOLDER) -> list[str]:
    """The names of the schema files that were not applied to the client's database; changes nothing.

    Raises `MigrationError` when a file applied before is missing or changed.
    """
    files = read_schema(folder)
    done: dict[str, str] = {}
    if client.execute("EXISTS TABLE schema_migrations") == [(1,)]:
        done = dict(client.execute(_DONE))
    _refuse_changed(files, done)
    return [file.name for file in files if file.name not in done]


def read_schema(folder: Path = SCHEMA_FOLDER) -> list[SchemaFile]:
    """The files of the schema in their order; raises `MigrationError` when a name or a number does not fit."""
    files: list[SchemaFile] = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path}: a schema file is called NNNN_words.sql")
        if files and files[-1].number == int(match[1]):
            raise MigrationError(f"{path}: number {match[1]} is taken by {files[-1].name}")
        files.append(SchemaFile(int(match[1]), path.name, path.read_text("utf-8")))
    if not files:
        raise MigrationError(f"{folder}: no schema file there")
    return files


def split_statements(text: str) -> list[str]:
    """The statements of a SQL text; semicolons in quotes and comments separate nothing."""
    statements: list[str] = []
    start = position = 0
    token = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:\\.|''|[^'\\])*'|`(?:\\.|[^`\\])*`|\"(?:\\.|[^\"\\])*\"|;", re.DOTALL)
    bare = ""
    for match in token.finditer(text):
        bare += text[position : match.start()]
        position = match.end()
        if match[0] == ";":
            if bare.strip():
                statements.append(text[start : match.start()].strip())
            start, bare = position, ""
        elif not match[0].startswith(("--", "/*")):
            bare += match[0]
    if (bare + text[position:]).strip():
        statements.append(text[start:].strip())
    return statements


def _connect_or_create(address: ClickHouseAddress) -> Client:
    try:
        return connect(address)
    except DatabaseUnreachable as error:
        if getattr(error.__cause__, "code", None) != UNKNOWN_DATABASE:
            raise
    client = connect(msgspec.structs.replace(address, database="default"))
    name = address.database.replace("\\", "\\\\").replace("`", "\\`")
    client.execute(f"CREATE DATABASE IF NOT EXISTS `{name}`")
    client.disconnect()
    return connect(address)


def _refuse_changed(files: list[SchemaFile], done: dict[str, str]) -> None:
    known = {file.name: file for file in files}
    for name, digest in sorted(done.items()):
        if name not in known:
            raise MigrationError(
                f"schema file {name} was applied to this database and is gone: this program is older than the data"
            )
        if known[name].digest != digest:
            raise MigrationError(
                f"schema file {name} was changed after it had been applied to this database; "
                "put it back as it was and make the change in a new file with the next number"
            )


def _apply(client: Client, file: SchemaFile) -> None:
    for number, statement in enumerate(split_statements(file.text), start=1):
        try:
            client.execute(statement)
        except DriverError as error:
            reason = str(error).split("Stack trace")[0].strip()
            raise MigrationError(f"schema file {file.name}, statement {number}: {reason}") from error
    client.execute(
        "INSERT INTO schema_migrations (number, file, digest) VALUES", [(file.number, file.name, file.digest)]
    )
