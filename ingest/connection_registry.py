"""Which charger is connected where, and what the gateway remembers of each: a cache that readings can rebuild."""

from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from core.connector import ConnectorCycle
from core.directory import Pile
from core.meter.profile import MeterProfile
from core.session_number import packed_text
from core.tariff import TariffTimeline, day_prices
from ingest.charger_protocol import ChargerDialogue
from ingest.login_rules import same_place
from ingest.pile_memory import ConnectorMemory, PileMemory

CONNECTOR_PLACES: Final = 100
CHARGING_STATE: Final = 3
_NOT_TOLD: Final = -1
# Sessions whose number is not 32 hex digits that a charger's state remembers: two for each connector of the largest.
SESSION_TEXTS: Final = 64
# A record comes within 30 s of the end (ykc.md section 5), and readings every 15 s: older ones are backlog.
FRESH_RECORD_MS: Final = 120_000
# A charger's clock and the platform's differ by less when both are right; its frames tell whole seconds.
CLOCK_PLAY_MS: Final = 60_000


class Link(Protocol):
    """A live connection, as the registry and the command desk see it."""

    connection_id: int

    @property
    def dialogue(self) -> ChargerDialogue:
        """The talk with the charger."""

    def send(self, frame: bytes, connector: int, now_ms: int, kept: bytes = b"") -> None:
        """Send a frame that the platform starts by itself; `kept` is stored in its place where it holds a secret."""

    def replaced(self) -> None:
        """The charger has logged in over another connection: hang up."""


class PileState:
    """The connectors of one charger, across its connections, and when it was last sent what.

    There is one for every charger that was ever connected, so it holds only what it was told.
    """

    __slots__ = (
        "_beyond",
        "_clock_offset_ms",
        "_clock_right_since_ms",
        "_session_texts",
        "_tariff_acks",
        "cycles",
        "known_ms",
        "pile",
        "tariff_look_ms",
        "tariff_push_ms",
        "time_sync_ms",
    )

    def __init__(self, pile: Pile) -> None:
        self.pile = pile
        self.cycles: list[ConnectorCycle | None] = []  # by number; as long as the highest one spoken of needs
        self.time_sync_ms = 0
        self.tariff_push_ms = 0
        self.tariff_look_ms = 0
        self.known_ms = 0  # when other workers were told last what is remembered here
        self._clock_offset_ms = 0
        self._clock_right_since_ms = 0
        self._tariff_acks: tuple[tuple[int, int], ...] = ()
        self._session_texts: dict[tuple[int, int], str] | None = None
        # Connectors that it should not have, with the reading last told of.
        self._beyond: dict[int, int] | None = None

    def cycle(self, connector: int, now_ms: int) -> ConnectorCycle:
        """The life cycle of a connector 1..99, made when it is first spoken of."""
        if connector > self.pile.connectors:
            self._beyond = self._beyond or {}
            self._beyond[connector] = _NOT_TOLD
        cycle = self.known_cycle(connector)
        if cycle is None:
            if not 0 < connector < CONNECTOR_PLACES:
                raise ValueError(f"connectors have the numbers 1 to {CONNECTOR_PLACES - 1}, not {connector}")
            # In place: the streams of the charger's connections look into the same list.
            self.cycles += [None] * (connector + 1 - len(self.cycles))
            cycle = self.cycles[connector] = ConnectorCycle(_profile_of(self.pile))
            self.price(connector, now_ms)
        return cycle

    def known_cycle(self, connector: int) -> ConnectorCycle | None:
        """The life cycle of a connector, None while nothing was heard of it."""
        return self.cycles[connector] if 0 <= connector < len(self.cycles) else None

    def heard_beyond(self) -> list[int]:
        """Connectors that the master data do not have, of which readings or records came since the last call."""
        heard: list[int] = []
        if self._beyond is None:
            return heard
        for connector, told_ms in self._beyond.items():
            cycle = self.known_cycle(connector)
            if cycle is None or connector <= self.pile.connectors:
                continue
            if cycle.last_ms != told_ms:
                self._beyond[connector] = cycle.last_ms
                heard.append(connector)
        return sorted(heard)

    def reconnected(self, connector: int = 0) -> None:
        """The charger speaks over a new connection, for one connector or (0) for all: what was open is not its own yet.

        Its readings go on with a session when they name it and its register goes on (`ConnectorCycle.reconnected`).
        """
        for number, cycle in enumerate(self.cycles):
            if cycle is not None and connector in (0, number):
                cycle.reconnected()

    def note_clock(self, pile_ms: int, at_ms: int) -> None:
        """The charger's clock showed `pile_ms` at `at_ms`: in its login, or because it was just set."""
        offset_ms = pile_ms - at_ms
        if abs(offset_ms) > CLOCK_PLAY_MS:
            self._clock_offset_ms, self._clock_right_since_ms = offset_ms, 0
        elif not self._clock_right_since_ms:
            self._clock_right_since_ms = at_ms

    @property
    def clock_shown(self) -> bool:
        """Whether the charger's clock was ever seen."""
        return bool(self._clock_offset_ms or self._clock_right_since_ms)

    def clock_offset_ms(self, told_ms: int) -> int:
        """Charger less platform when its clock told that time; 0 for one that is in order, or merely imprecise.

        A charge that began before the clock was set goes on with the begin that the wrong clock wrote.
        """
        right_since_ms = self._clock_right_since_ms
        return 0 if right_since_ms and told_ms >= right_since_ms - CLOCK_PLAY_MS else self._clock_offset_ms

    def note_session(self, trade_hi: int, trade_lo: int, trade_no: str) -> None:
        """Remember the number of a session whose halves are only its digest."""
        texts = self._session_texts = self._session_texts or {}
        texts.pop((trade_hi, trade_lo), None)
        texts[trade_hi, trade_lo] = trade_no
        if len(texts) > SESSION_TEXTS:
            del texts[next(iter(texts))]

    def session_text(self, trade_hi: int, trade_lo: int) -> str:
        """The number of the session with these halves, empty for (0, 0)."""
        return self._noted_text(trade_hi, trade_lo) or packed_text(trade_hi, trade_lo)

    def memory(self, as_of_ms: int, connector: int = 0) -> PileMemory:
        """What the next worker should know, of one connector or (0) of all."""
        connectors = [
            ConnectorMemory(number, cycle.memory(), self._noted_text(cycle.trade_hi, cycle.trade_lo))
            for number, cycle in enumerate(self.cycles)
            if cycle is not None and cycle.seen and connector in (0, number)
        ]
        return PileMemory(
            pile_id=self.pile.pile_id,
            as_of_ms=as_of_ms,
            tariff_acks=list(self._tariff_acks),
            clock_offset_ms=self._clock_offset_ms,
            clock_right_since_ms=self._clock_right_since_ms,
            time_sync_ms=self.time_sync_ms,
            tariff_push_ms=self.tariff_push_ms,
            connectors=connectors,
        )

    def recall(self, memory: PileMemory, now_ms: int) -> None:
        """Take over what another worker knew, where it is newer than what is known here."""
        own = self.memory(0)
        newer_acks = memory.tariff_acks != own.tariff_acks and memory.tariff_acks[-1:] >= own.tariff_acks[-1:]
        if newer_acks:
            self._tariff_acks = tuple(memory.tariff_acks)
        if memory.clock_offset_ms or memory.clock_right_since_ms:
            self._clock_offset_ms = memory.clock_offset_ms
            self._clock_right_since_ms = memory.clock_right_since_ms
        self.time_sync_ms = max(self.time_sync_ms, memory.time_sync_ms)
        self.tariff_push_ms = max(self.tariff_push_ms, memory.tariff_push_ms)
        for told in memory.connectors:
            known = self.known_cycle(told.connector)
            if known is None or known.last_ms < told.last_ms:
                cycle = self.cycle(told.connector, now_ms)
                cycle.recall(told.cycle)
                # It came over another connection: what speaks here has to prove that it goes on with the session.
                cycle.reconnected()
                if told.session:
                    self.note_session(cycle.trade_hi, cycle.trade_lo, told.session)

    def tariff_acked(self, ack_ms: int, tariff_version_id: int) -> None:
        """The charger showed which tariff version it holds; it prices the next charge."""
        self._tariff_acks = (*self._tariff_acks[-1:], (ack_ms, tariff_version_id))

    @property
    def held_tariff_id(self) -> int | None:
        """The tariff version that the charger showed last, None while it showed none."""
        return self._tariff_acks[-1][1] if self._tariff_acks else None

    def price(self, connector: int, from_ms: int) -> None:
        """Price the connector's live figure by the tariff in force at `from_ms`."""
        cycle = self.known_cycle(connector)
        if cycle is None:
            return
        timeline = TariffTimeline(by_date=self.pile.tariffs, acks=self._tariff_acks)
        prices = day_prices(timeline, from_ms, self.pile.zone)
        cycle.set_prices(*prices)

    def is_charging(self, connector: int) -> bool:
        """Whether the last frame heard of the connector said that it charges."""
        cycle = self.known_cycle(connector)
        return cycle is not None and cycle.state == CHARGING_STATE

    @property
    def is_idle(self) -> bool:
        """Whether no connector was last heard charging."""
        return not any(cycle is not None and cycle.state == CHARGING_STATE for cycle in self.cycles)

    def trade_no(self, connector: int) -> str:
        """The session that the connector is in or was last in, empty when none was seen."""
        cycle = self.known_cycle(connector)
        if cycle is None or not cycle.session_start_ms:
            return ""
        return self.session_text(cycle.trade_hi, cycle.trade_lo)

    def record_is_fresh(self, connector: int, trade_no: str, receive_ms: int) -> bool:
        """Whether that charge was seen to run at most two minutes ago, so that its record was written just now."""
        cycle = self.known_cycle(connector)
        if cycle is None or self.trade_no(connector) != trade_no:
            return False
        return 0 <= receive_ms - cycle.last_charging_ms <= FRESH_RECORD_MS

    def _noted_text(self, trade_hi: int, trade_lo: int) -> str:
        return self._session_texts.get((trade_hi, trade_lo), "") if self._session_texts is not None else ""


def _profile_of(pile: Pile) -> MeterProfile:
    """One object for all meters of a kind."""
    return _same_profile(MeterProfile.of_pile(pile))


@lru_cache(maxsize=1_024)
def _same_profile(profile: MeterProfile) -> MeterProfile:
    return profile


class _Place(NamedTuple):
    """A connection and the connector that it speaks for, 0 = all."""

    connector: int
    link: Link


class ConnectionRegistry:
    """Chargers by their number: their state, and the live connections of each, by connector.

    A charger has one connection, under connector 0, or one for each gun (aaf5.md section 6).
    """

    def __init__(self) -> None:
        self._states: dict[int, PileState] = {}
        self._places: dict[int, tuple[_Place, ...]] = {}  # of each charger, in the order of their logins
        self._connected = 0

    def state_of(self, pile: Pile) -> PileState:
        """What is remembered of a charger; a newer record of master data takes the older one's place."""
        state = self._states.get(pile.pile_id)
        if state is None:
            state = self._states[pile.pile_id] = PileState(pile)
        else:
            state.pile = pile
        return state

    def link_of(self, pile: Pile, connector: int = 0) -> Link | None:
        """The live connection that reaches that connector, None while it is away.

        0 asks for the charger as a whole: where each gun has a connection, that of the first one connected.
        """
        places = self._places.get(pile.pile_id)
        if places is None:
            return None
        if connector == 0:
            return min(places, key=_connector_of).link
        links = {place.connector: place.link for place in places}
        return links.get(connector) or links.get(0)

    def links_of(self, pile: Pile) -> list[Link]:
        """All live connections of a charger, in the order of their connectors."""
        return [place.link for place in sorted(self._places.get(pile.pile_id, ()), key=_connector_of)]

    def links_of_number(self, pile_id: int) -> list[Link]:
        """All live connections of the charger with this number."""
        return [place.link for place in self._places.get(pile_id, ())]

    def rivals(self, pile: Pile, connector: int, link: Link) -> list[Link]:
        """The other live connections that speak for the same place as `link` would."""
        places = self._places.get(pile.pile_id, ())
        return [other for place, other in places if other is not link and same_place(place, connector)]

    def logged_in(self, pile: Pile, link: Link, connector: int = 0) -> None:
        """`link` speaks for that place of the charger from now on; others that did are told to hang up."""
        rivals = self.rivals(pile, connector, link)
        before = self._places.get(pile.pile_id, ())
        kept = [place for place in before if place.link is not link and place.link not in rivals]
        self._places[pile.pile_id] = (*kept, _Place(connector, link))
        self._connected += len(kept) + 1 - len(before)
        for rival in rivals:
            rival.replaced()

    def closed(self, pile: Pile, link: Link) -> bool:
        """A connection is over. Gives whether it still spoke for its place: not when it was replaced."""
        places = self._places.get(pile.pile_id, ())
        kept = tuple(place for place in places if place.link is not link)
        if len(kept) == len(places):
            return False
        self._connected -= 1
        if kept:
            self._places[pile.pile_id] = kept
        else:
            del self._places[pile.pile_id]
        return True

    def states(self) -> list[PileState]:
        """What is remembered of every charger."""
        return list(self._states.values())

    @property
    def connected(self) -> int:
        """Number of connections that have logged in and still speak for their charger."""
        return self._connected


def _connector_of(place: _Place) -> int:
    return place.connector
