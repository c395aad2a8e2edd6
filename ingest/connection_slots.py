"""Room for connections: who has not logged in yet makes way, so that nobody keeps chargers out by just connecting."""

from collections import OrderedDict
from typing import Protocol

from ingest.login_rules import address_of


class Visitor(Protocol):
    """A connection as its place sees it."""

    connection_id: int
    peer: str
    opened_ms: int

    def close(self, reason: str) -> None:
        """Hang up."""


class Alarms(Protocol):
    """Where it is told that there are too many."""

    def ring(self, kind: str, *, detail: str = "", who: str = "") -> object:
        """Raise an alarm."""


class ConnectionSlots:
    """Places for connections in all, and for those of one address that have not logged in.

    Invariants:

    1. Who has logged in keeps its place. A newcomer beyond `most` takes the place of the oldest connection without a
       login; without such a one the newcomer is sent away.
    2. Beyond `per_address` (0 = no limit) the oldest without a login of that address go, once they had `grace_ms` to
       say who they are: chargers that share an address also come back all at once.
    """

    def __init__(self, alarms: Alarms, *, most: int, per_address: int, grace_ms: int) -> None:
        self._alarms = alarms
        self._most = most
        self._per_address = per_address
        self._grace_ms = grace_ms
        self._unidentified: OrderedDict[int, Visitor] = OrderedDict()
        self._by_address: dict[str, OrderedDict[int, Visitor]] = {}

    def opened(self, visitor: Visitor, connections: int) -> None:
        """Somebody has connected, and with it there are so many `connections`."""
        if connections > self._most and not self._make_room(visitor):
            return
        self.track(visitor)
        address = address_of(visitor.peer)
        crowd = self._by_address[address]
        if 0 < self._per_address < len(crowd):
            self._thin_out(address, crowd, visitor.opened_ms)

    def track(self, visitor: Visitor) -> None:
        """Somebody has connected for whom room was made elsewhere."""
        crowd = self._by_address.setdefault(address_of(visitor.peer), OrderedDict())
        crowd[visitor.connection_id] = visitor
        self._unidentified[visitor.connection_id] = visitor

    def identified(self, visitor: Visitor) -> None:
        """It has said who it is, and may be; or it is gone."""
        if self._unidentified.pop(visitor.connection_id, None) is None:
            return
        address = address_of(visitor.peer)
        crowd = self._by_address[address]
        del crowd[visitor.connection_id]
        if not crowd:
            del self._by_address[address]

    gone = identified

    def __len__(self) -> int:
        return len(self._unidentified)

    def _make_room(self, visitor: Visitor) -> bool:
        oldest = next(iter(self._unidentified.values()), None)
        fate = f"{visitor.peer} was turned away" if oldest is None else f"{oldest.peer} had not logged in and made room"
        self._alarms.ring("too_many_connections", detail=f"{self._most} connections are open; {fate}")
        self._evict(oldest or visitor, "too_many_connections")
        return oldest is not None

    def _thin_out(self, address: str, crowd: OrderedDict[int, Visitor], now_ms: int) -> None:
        while len(crowd) > self._per_address:
            oldest = next(iter(crowd.values()))
            if now_ms - oldest.opened_ms < self._grace_ms:
                return
            detail = f"{len(crowd)} connections of {address} have not logged in; the oldest made room"
            self._alarms.ring("too_many_unidentified", who=address, detail=detail)
            self._evict(oldest, "too_many_unidentified")

    def _evict(self, visitor: Visitor, reason: str) -> None:
        self.gone(visitor)
        visitor.close(reason)
