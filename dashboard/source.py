"""What pages ask: one door to the database, a client per thread, and short-lived shared answers."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error as ClickHouseError
from clickhouse_driver.errors import NetworkError, SocketTimeoutError

from analytics.client import DatabaseUnreachable
from analytics.questions import Answer, Scope, ask
from dashboard.errors import DashboardError

Clock = Callable[[], int]


class SourceAwayError(DashboardError):
    """The database does not answer now; the page says so and tries again with its next refresh."""


class Source:
    """Answers within one scope.

    `connect` gives a new client; each thread keeps its own, because a client holds one connection. A connection that
    fails is thrown away and the question asked once more on a new one, so that a restart of the database goes unseen.
    """

    def __init__(self, connect: Callable[[], Client], scope: Scope, clock: Clock) -> None:
        self._connect = connect
        self._scope = scope
        self._own = threading.local()
        self._shared: dict[Hashable, tuple[float, Any]] = {}
        self._locks: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()
        self.clock = clock

    @property
    def scope(self) -> Scope:
        """Whose rows these pages may show."""
        return self._scope

    def with_client(self, use: Callable[[Client], Any]) -> Any:
        """What `use` gives with this thread's client; SourceAwayError when the database does not answer."""
        for attempt in (1, 2):
            try:
                if getattr(self._own, "client", None) is None:
                    self._own.client = self._connect()
                return use(self._own.client)
            except (ClickHouseError, DatabaseUnreachable, OSError, EOFError) as error:
                self._forget_client()
                if not _is_connection_trouble(error):
                    raise
                if attempt == 2:
                    raise SourceAwayError(f"the database does not answer: {error}") from error
        raise AssertionError("unreachable")

    def ask(self, question: str, **parameters: object) -> Answer:
        """The answer to a question of `analytics/sql` within this source's scope."""
        answer: Answer = self.with_client(lambda client: ask(client, question, self._scope, **parameters))
        return answer

    def shared(self, key: Hashable, seconds: float, make: Callable[[], Any]) -> Any:
        """What `make` gave at most `seconds` ago; many open pages cost one round of questions."""
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            made_at, value = self._shared.get(key, (float("-inf"), None))
            if time.monotonic() - made_at > seconds:
                value = make()
                self._shared[key] = (time.monotonic(), value)
            return value

    def _forget_client(self) -> None:
        client, self._own.client = getattr(self._own, "client", None), None
        if client is not None:
            client.disconnect()


def _is_connection_trouble(error: Exception) -> bool:
    """Whether the database, not the question, is at fault."""
    return isinstance(error, (DatabaseUnreachable, NetworkError, SocketTimeoutError, OSError, EOFError))
