"""Who may log in, and what becomes of an id that is connected already. No sockets, no clock: time is a parameter.

The rule for a second login (promises: "second login with the same id"): the connection that lives keeps the id as long
as it answers a probe. Old systems drop the true charger instead, which lets anybody who knows an id steal its place.
"""

import ipaddress
import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

UNKNOWN_PILE: Final = "unknown_pile"
ADDRESS_LIMIT: Final = "address_login_limit"
PILE_LIMIT: Final = "pile_login_limit"
ID_IN_USE: Final = "id_in_use"
LOGIN_PENDING: Final = "login_pending"

PROBE_MS: Final = 3_000
# A login whose rivals cannot be heard for a reason of ours waits this many probes, no longer.
PATIENCE_PROBES: Final = 10
# How often it is looked whether a rival can be heard; one that comes after twice that time met a loop that stood still.
LOOK_MS: Final = 100
# Keys that a limiter counts at once. Beyond it the oldest are forgotten: memory is bounded before fairness is.
MAX_KEYS: Final = 65_536
FORGOTTEN_PARTS: Final = 16
IPV6_NETWORK_BITS: Final = 64
_HOSTS: Final = 4_096  # many chargers share the address of their network's way out


class LoginLimits(msgspec.Struct, frozen=True):
    """Logins per window, 0 = no limit.

    A charger logs in once a day; one behind a bad radio link some times in a minute. A network's chargers may all share
    one address, so that limit only stops floods.
    """

    per_pile: int = 10
    per_address: int = 1_200
    window_ms: int = 60_000


class SlidingLimit:
    """Counts events by key in a sliding window, at a fixed price per key.

    Kept are the counts of this window and of the one before, which weighs by the share of it that the sliding window
    still covers. What is refused is not counted, so that who keeps trying gets his share.
    """

    def __init__(self, limit: int, window_ms: int, max_keys: int = MAX_KEYS) -> None:
        self._limit = limit
        self._window_ms = window_ms
        self._max_keys = max_keys
        self._counts: dict[object, tuple[int, int, int]] = {}  # key → window, count in it, count in the one before

    def take(self, key: object, now_ms: int) -> bool:
        """Count one more under `key`; False when that would exceed the limit, and then nothing is counted."""
        if self._limit <= 0:
            return True
        window, passed_ms = divmod(now_ms, self._window_ms)
        seen, current, previous = self._counts.pop(key, (window, 0, 0))
        if seen != window:
            current, previous = 0, (current if seen == window - 1 else 0)
        weight = current * self._window_ms + previous * (self._window_ms - passed_ms)
        allowed = weight + self._window_ms <= self._limit * self._window_ms
        self._counts[key] = (window, current + allowed, previous)
        if len(self._counts) > self._max_keys:
            self._forget()
        return allowed

    def __len__(self) -> int:
        return len(self._counts)

    def _forget(self) -> None:
        # In the order of their last use. Many at once: each search for the first one walks over those that went before.
        for key in list(itertools.islice(self._counts, max(1, self._max_keys // FORGOTTEN_PARTS))):
            del self._counts[key]


class LoginLimiter:
    """Limits on logins per charger and per address.

    A charger's own address, the one of its last accepted login, is counted apart from all others: strangers who name
    its id use up only what strangers may. Who shares that address is told apart by nothing, so an id that nobody holds
    keeps a reserve: beyond the limit one login is let in whenever a share of the window went by since the last one.
    """

    def __init__(self, limits: LoginLimits) -> None:
        self._per_address = SlidingLimit(limits.per_address, limits.window_ms)
        self._per_pile = SlidingLimit(limits.per_pile, limits.window_ms)
        self._reserve_ms = limits.window_ms // max(1, limits.per_pile)
        self._home: dict[int, tuple[str, int]] = {}  # address and time of the last accepted login

    def address_refusal(self, address: str, now_ms: int) -> str:
        """`ADDRESS_LIMIT` when that address tried too often, else empty. Counts every login, whoever it names."""
        return "" if self._per_address.take(address, now_ms) else ADDRESS_LIMIT

    def pile_refusal(self, pile_id: int, address: str, now_ms: int, *, is_held: bool) -> str:
        """`PILE_LIMIT` when that charger logged in too often, else empty. `is_held`: a live connection has the id."""
        home, accepted_ms = self._home.get(pile_id, ("", now_ms))
        if self._per_pile.take((pile_id, home == address), now_ms):
            return ""
        is_too_soon = 0 <= now_ms - accepted_ms < self._reserve_ms
        return PILE_LIMIT if is_held or is_too_soon else ""

    def accepted(self, pile_id: int, address: str, now_ms: int) -> None:
        """That charger logged in from there."""
        self._home[pile_id] = address, now_ms


class LoginDecision(msgspec.Struct, frozen=True):
    """What becomes of the login of connection `newcomer`: `refusal` is empty when it takes the id over."""

    newcomer: int
    refusal: str = ""


class PendingLogin(msgspec.Struct):
    """A login that waits for what the connections `rivals`, which hold the id, answer to their probes.

    `heard_ms` is for how long they could be heard so far, `seen_ms` the last look, `was_held` what it saw.
    """

    newcomer: int
    pile_id: int
    connector: int
    rivals: set[int]
    since_ms: int
    seen_ms: int
    heard_ms: int = 0
    was_held: bool = False


class PendingLogins:
    """Logins that wait for a probe, by the newcomer's connection; connections are known by their numbers.

    Times are of a clock that never steps.

    Invariants:

    1. Of two logins that want the same connector at most one waits; the later one is refused at once.
    2. Each pending login ends by exactly one decision, or with its newcomer.
    3. A rival loses its place only for silence while it was listened to: neither time in which it was not read from
       counts, nor time in which nobody was.
    """

    def __init__(self, probe_ms: int = PROBE_MS) -> None:
        self._probe_ms = probe_ms
        self._look_ms = min(LOOK_MS, max(1, probe_ms // 10))
        self._pending: dict[int, PendingLogin] = {}
        self._newcomers: dict[int, set[int]] = {}  # rival → newcomers that wait for it

    def begin(self, newcomer: int, pile_id: int, connector: int, rivals: set[int], now_ms: int) -> str:
        """Wait for `rivals`; gives `LOGIN_PENDING` when another login waits for the same place, else empty."""
        for other in self._pending.values():
            if other.pile_id == pile_id and same_place(other.connector, connector):
                return LOGIN_PENDING
        self._pending[newcomer] = PendingLogin(newcomer, pile_id, connector, set(rivals), now_ms, now_ms)
        for rival in rivals:
            self._newcomers.setdefault(rival, set()).add(newcomer)
        return ""

    @property
    def next_look_ms(self) -> int:
        """In how many milliseconds to `look` again; 0 when nobody waits."""
        shortest = min((self._probe_ms - login.heard_ms for login in self._pending.values()), default=0)
        return min(self._look_ms, max(1, shortest)) if self._pending else 0

    def answered(self, rival: int) -> list[LoginDecision]:
        """A good frame came from `rival` after its probe: it lives and stays."""
        return [self._decide(newcomer, ID_IN_USE) for newcomer in sorted(self._newcomers.get(rival, ()))]

    def gone(self, connection: int) -> list[LoginDecision]:
        """A connection is over: nobody waits for it any more, and it waits for nobody."""
        if connection in self._pending:
            self._remove(connection)
        decisions = []
        for newcomer in sorted(self._newcomers.pop(connection, ())):
            pending = self._pending[newcomer]
            pending.rivals.discard(connection)
            if not pending.rivals:
                decisions.append(self._decide(newcomer))
        return decisions

    def look(self, now_ms: int, is_held: Callable[[int], bool]) -> list[LoginDecision]:
        """Those whose rivals stayed silent for the whole probe, and those that cannot wait for ever.

        `is_held` tells of a rival that it is not read from for a reason of ours: what it answers is not heard yet. Who
        still cannot be judged after `PATIENCE_PROBES` probes stays, and the newcomer is refused.
        """
        decisions = []
        for login in list(self._pending.values()):
            passed_ms = now_ms - login.seen_ms
            is_now_held = any(is_held(rival) for rival in login.rivals)
            if passed_ms <= 2 * self._look_ms and not is_now_held and not login.was_held:
                login.heard_ms += passed_ms
            login.seen_ms = now_ms
            login.was_held = is_now_held
            if login.heard_ms >= self._probe_ms:
                decisions.append(self._decide(login.newcomer))
            elif now_ms - login.since_ms >= PATIENCE_PROBES * self._probe_ms:
                decisions.append(self._decide(login.newcomer, LOGIN_PENDING))
        return decisions

    def __len__(self) -> int:
        return len(self._pending)

    def _decide(self, newcomer: int, refusal: str = "") -> LoginDecision:
        self._remove(newcomer)
        return LoginDecision(newcomer, refusal)

    def _remove(self, newcomer: int) -> None:
        for rival in self._pending.pop(newcomer).rivals:
            waiting = self._newcomers.get(rival)
            if waiting is not None:
                waiting.discard(newcomer)
                if not waiting:
                    del self._newcomers[rival]


def same_place(connector: int, other: int) -> bool:
    """Whether two connections of one charger speak for the same gun; 0 speaks for all of them (aaf5.md section 6)."""
    return connector == other or connector == 0 or other == 0


def ip_of(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address of a peer "host:port", None where that is none. An IPv4 address in its IPv6 form is the former."""
    return _ip_of_host(_host_of(peer))


def address_of(peer: str) -> str:
    """The address that limits count for a peer "host:port". Of IPv6 the network: one line has 2^64 addresses."""
    return _counted_address(_host_of(peer))


def _host_of(peer: str) -> str:
    return peer.rpartition(":")[0].strip("[]") or peer


@lru_cache(maxsize=_HOSTS)
def _ip_of_host(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None) or address


@lru_cache(maxsize=_HOSTS)
def _counted_address(host: str) -> str:
    address = _ip_of_host(host)
    if address is None:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, IPV6_NETWORK_BITS), strict=False))
    return str(address)
