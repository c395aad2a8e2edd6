"""Where ClickHouse answers, and how the project connects to it: clickhouse-driver with every setting that matters."""

import logging
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec
from clickhouse_driver import Client
from clickhouse_driver.errors import Error as DriverError

from analytics.errors import AnalyticsError

DEFAULT_PORT: Final = 9000
CONNECT_TIMEOUT_S: Final = 5
ANSWER_TIMEOUT_S: Final = 300.0

SERVER_SETTINGS: Final[dict[str, Any]] = {
    # Exactly-once loading rests on these; a server's own profile must not change them behind our back.
    "insert_deduplicate": 1,
    "async_insert": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    # Integer results stay integers, and dates do not depend on the server's zone.
    "session_timezone": "UTC",
    "join_use_nulls": 0,
    # From its third run on ClickHouse compiles a query's expressions to machine code. That pays for long scans only:
    # for the biller's rules it takes seconds, once per server start and shape of the data.
    "compile_expressions": 0,
    "compile_aggregate_expressions": 0,
    "compile_sort_description": 0,
}

# The driver logs a traceback for every refused connection and then raises; whoever catches says it in one line.
logging.getLogger("clickhouse_driver.connection").setLevel(logging.CRITICAL)


class DatabaseUnreachable(AnalyticsError):  # noqa: N818 - a state, not an error of ours
    """ClickHouse does not answer at the address, or refuses the user."""


class ClickHouseAddress(msgspec.Struct, frozen=True):
    """A ClickHouse server's native port, the user there, and the database."""

    host: str
    port: int = DEFAULT_PORT
    user: str = "default"
    password: str = ""
    database: str = "default"

    @classmethod
    def from_url(cls, url: str) -> "ClickHouseAddress":
        """Read `clickhouse://user:password@host:9000/database`; user, password, port and database may be left out.

        Raises `AnalyticsError` naming the part that is wrong; the password is not repeated.
        """
        parts = urlsplit(url)
        expected = "expected clickhouse://user:password@host:9000/database"
        if parts.scheme != "clickhouse":
            raise AnalyticsError(f"ClickHouse address: scheme {parts.scheme!r} is not known; {expected}")
        if not parts.hostname:
            raise AnalyticsError(f"ClickHouse address: the host is missing; {expected}")
        try:
            port = parts.port or DEFAULT_PORT
        except ValueError as error:
            raise AnalyticsError(f"ClickHouse address: the port is not a number below 65536; {expected}") from error
        return cls(
            host=parts.hostname,
            port=port,
            user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
            database=unquote(parts.path.strip("/")) or "default",
        )

    def url(self) -> str:
        """The address as `from_url` reads it, password included: not for logs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"clickhouse://{quote(self.user, safe='')}{secret}@{host}:{self.port}/{quote(self.database, safe='')}"

    def __repr__(self) -> str:
        secret = ":***" if self.password else ""
        return f"clickhouse://{self.user}{secret}@{self.host}:{self.port}/{self.database}"

    __str__ = __repr__


def connect(
    address: ClickHouseAddress, *, use_numpy: bool = False, answer_timeout_s: float = ANSWER_TIMEOUT_S, **settings: Any
) -> Client:
    """A connected client of `address.database`.

    `use_numpy` makes results and columnar inserts numpy arrays; `answer_timeout_s` is how long the server may be
    silent; `settings` are ClickHouse settings that go with every query, over `SERVER_SETTINGS`.
    Raises `DatabaseUnreachable` with the address when nothing answers there, the user is refused or the database does
    not exist.
    """
    client = Client(
        host=address.host,
        port=address.port,
        user=address.user,
        password=address.password,
        database=address.database,
        client_name="pilestream",
        connect_timeout=CONNECT_TIMEOUT_S,
        send_receive_timeout=answer_timeout_s,
        compression=False,
        settings={"use_numpy": use_numpy, **SERVER_SETTINGS, **settings},
    )
    try:
        client.execute("SELECT 1")
    except (DriverError, OSError, EOFError) as error:
        client.disconnect()
        raise DatabaseUnreachable(f"ClickHouse at {address!r} cannot be used: {_first_line(error)}") from error
    return client


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("Code:")]
    text = lines[0] if lines else str(error)
    return text.split(" Stack trace")[0].strip() or type(error).__name__
