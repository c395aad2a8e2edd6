"""What is still to be checked, the oldest news first: a backlog of any length is read once, a page at a time."""

from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, Protocol, TypeVar

import msgspec
from clickhouse_driver import Client

from analytics.sql_files import sql_text

PAGE: Final = 20_000
"""Sessions, or logins, that are known by name at once. A page reads all names behind it, so that it must be large."""
OVERLAP_MS: Final = 600_000
"""Rows become visible a little after the moment they carry; each walk goes back by this much."""

Key = tuple[int, int, str, int]
"""pile_id, connector, trade_no, connection_id."""


class News(Protocol):
    """A row of a query for news: when the newest of it was written, by the platform's clock, and what it is of."""

    @property
    def newest_ms(self) -> int: ...

    @property
    def key(self) -> Key: ...


class SessionNews(msgspec.Struct, frozen=True, array_like=True):
    """A session of which something is new (`conformance_news.sql`)."""

    newest_ms: int
    pile_id: int
    connector: int
    trade_no: str

    @property
    def key(self) -> Key:
        """What names it."""
        return self.pile_id, self.connector, self.trade_no, 0


Item = TypeVar("Item", bound=News)


class Backlog(Generic[Item]):
    """Walks over the news in their order, page by page; the next walk begins where rows may have become visible since.

    What was given is not given again until something of it is new.
    """

    def __init__(self, client: Client, query: str, kind: type[Item], since_ms: int, page: int = PAGE) -> None:
        self._client = client
        self._query = sql_text(query)
        self._kind = kind
        self._page = page
        self._since_ms = max(0, since_ms)
        self._given: dict[Key, int] = {}
        """What was given since `_since_ms`, each with the newest moment of what was known of it."""
        self._queue: deque[Item] = deque()
        self._walk_began_ms = 0
        """When the walk that is under way began, 0 without one."""
        self._until_ms = 0
        self._place: tuple[int, Key] = (0, (0, 0, "", 0))

    def begin(self, now_ms: int, until_ms: int = 0) -> None:
        """Begin a walk unless one is under way; `until_ms` bounds the moment of the logins that are looked at."""
        if not self._walk_began_ms and not self._queue:
            self._walk_began_ms, self._until_ms = now_ms, until_ms
            self._place = (self._since_ms, (0, 0, "", 0))
        self.fill()

    def fill(self) -> None:
        """Have the names of the next ones at hand, so that the length says whether any are left."""
        while self._walk_began_ms and not self._queue:
            self._read_page()

    def take(self, most: int) -> list[Item]:
        """The next ones of the page at hand, at most so many."""
        items = [self._queue.popleft() for _ in range(min(most, len(self._queue)))]
        self._given.update((item.key, item.newest_ms) for item in items)
        return items

    def put_back(self, items: Iterable[Item]) -> None:
        """Give these first the next time, in their order."""
        self._queue.extendleft(reversed(list(items)))

    def __len__(self) -> int:
        """How many are left of the page at hand; more may follow it."""
        return len(self._queue)

    def _read_page(self) -> None:
        after_ms, (pile_id, connector, trade_no, connection_id) = self._place
        values = {
            "after_ms": after_ms,
            "after_pile": pile_id,
            "after_connector": connector,
            "after_trade": trade_no,
            "after_connection": connection_id,
            "until_ms": self._until_ms,
            "page": self._page,
        }
        found = [msgspec.convert(row, self._kind) for row in self._client.execute(self._query, values)]
        self._queue.extend(item for item in found if self._given.get(item.key) != item.newest_ms)
        if found:
            self._place = (found[-1].newest_ms, found[-1].key)
        if len(found) < self._page:
            self._end_walk()

    def _end_walk(self) -> None:
        # Whatever carries an older moment had become visible before the first page was read.
        self._since_ms = max(self._since_ms, min(self._place[0] + 1, self._walk_began_ms - OVERLAP_MS))
        self._given = {key: newest_ms for key, newest_ms in self._given.items() if newest_ms >= self._since_ms}
        self._walk_began_ms = 0
