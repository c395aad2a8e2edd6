"""Opens the SQL database of the back office: a SQLite file by default, PostgreSQL by its URL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from backoffice.errors import UnknownDatabaseError

MIGRATIONS_FOLDER: Final = Path(__file__).with_name("migrations")
BUSY_TIMEOUT_MS: Final = 10_000
UPGRADE_LOCK: Final = 7_470_001
WRITES: Final = "backoffice_writes"


def open_database(url: str) -> Engine:
    """An engine on the database, its schema brought up to date; the folder of a SQLite file is made.

    Several processes may open it at once. Raises `UnknownDatabaseError` when the URL is wrong, the server does not
    answer, or the data was written by a newer program.
    """
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in ("sqlite", "postgresql"):
            raise UnknownDatabaseError(f"database {_shown(url)}: only sqlite:/// and postgresql:// are supported")
        if backend == "sqlite" and parsed.database:
            Path(parsed.database).absolute().parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise UnknownDatabaseError(
            f"database {_shown(url)} cannot be opened: {error} (expected sqlite:///path or "
            "postgresql+psycopg://user:password@host/name; the latter needs the package psycopg)"
        ) from error
    if backend == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        _upgrade(engine)
    except OperationalError as error:
        engine.dispose()
        raise UnknownDatabaseError(f"database {_shown(url)} cannot be opened: {error.orig}") from error
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session in one transaction that may write: committed at the end, rolled back on an error.

    On SQLite it takes the write lock at its beginning: a transaction that reads first and writes later can fail for
    good when another one wrote in between.
    """
    with (
        engine.connect().execution_options(**{WRITES: True}) as connection,
        connection.begin(),
        Session(connection, join_transaction_mode="rollback_only", autoflush=False) as session,
    ):
        yield session
        session.flush()
        session.commit()


def _configure_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # sqlite3 begins no transaction by itself; `_begin_sqlite` does
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(WRITES) else "BEGIN")


def _upgrade(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS_FOLDER).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    head = script.get_current_head()
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == head:
        return
    with engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None and current not in {revision.revision for revision in script.walk_revisions()}:
            raise UnknownDatabaseError(
                f"the SQL database holds schema {current}, which this program does not know: it is older than the data"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "URL"
