"""Tells whether the database may have changed, by one small question instead of reading it all again."""

from contextlib import closing
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.pool import PoolProxiedConnection

# SQLite counts commits of other connections, as seen by one; PostgreSQL lists the transactions that are under way.
_SQLITE: Final = "PRAGMA data_version"
_POSTGRESQL: Final = text("SELECT CAST(txid_current_snapshot() AS text)")


class ChangeWatch:
    """Watches one database for a reader who would otherwise read everything again and again.

    Take `mark()` before reading; as long as a later mark is equal, nothing that was read has changed. A mark may differ
    without a change: any commit moves it, on PostgreSQL that of any database of the server.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._line: PoolProxiedConnection | None = None

    def mark(self) -> str:
        """Where the database stands. Raises SQLAlchemyError when it cannot be asked."""
        if self._engine.dialect.name == "sqlite":
            return self._sqlite_mark()
        with self._engine.connect() as connection:
            return str(connection.execute(_POSTGRESQL).scalar_one())

    def close(self) -> None:
        """Give back what is held."""
        if self._line is not None:
            self._line.close()
            self._line = None

    def _sqlite_mark(self) -> str:
        # Always the same connection, and never in a transaction: one sees only what was there when it began.
        if self._line is None:
            self._line = self._engine.raw_connection()
        with closing(self._line.cursor()) as cursor:
            cursor.execute(_SQLITE)
            ((commits,),) = cursor.fetchall()
            return str(commits)
