"""Which charger is connected where, and what the gateway remembers of each: a cache that readings can rebuild."""

from typing import Final, Protocol

from core.connector import ConnectorCycle
from core.directory import Pile
from core.meter.profile import MeterProfile
from core.tariff import TariffTimeline, day_prices
from ingest.ykc_dialogue import YkcDialogue

CONNECTOR_PLACES: Final = 100
CHARGING_STATE: Final = 3
# A record comes within 30 s of the end (ykc.md section 5), and readings every 15 s: older ones are backlog.
FRESH_RECORD_MS: Final = 120_000


class Link(Protocol):
    """A live connection, as the registry and the command desk see it."""

    dialogue: YkcDialogue

    def send(self, frame: bytes, connector: int, now_ms: int) -> None:
        """Send a frame that the platform starts by itself."""

    def replaced(self) -> None:
        """The charger has logged in over another connection: hang up."""


class PileState:
    """The connectors of one charger, across its connections."""

    def __init__(self, pile: Pile) -> None:
        self.pile = pile
        self.cycles: list[ConnectorCycle | None] = [None] * CONNECTOR_PLACES
        self.time_sync_ms = 0
        self._tariff_acks: list[tuple[int, int]] = []

    def cycle(self, connector: int, now_ms: int) -> ConnectorCycle:
        """The life cycle of a connector 1..99, made when it is first spoken of."""
        cycle = self.cycles[connector]
        if cycle is None:
            cycle = self.cycles[connector] = ConnectorCycle(MeterProfile.of_pile(self.pile))
            self.price(connector, now_ms)
        return cycle

    def tariff_acked(self, ack_ms: int, tariff_version_id: int) -> None:
        """The charger showed which tariff version it holds; it prices the next charge."""
        self._tariff_acks = [*self._tariff_acks[-1:], (ack_ms, tariff_version_id)]

    def price(self, connector: int, from_ms: int) -> None:
        """Price the connector's live figure by the tariff in force at `from_ms`."""
        cycle = self.cycles[connector]
        if cycle is None:
            return
        timeline = TariffTimeline(by_date=self.pile.tariffs, acks=tuple(self._tariff_acks))
        prices = day_prices(timeline, from_ms, self.pile.zone)
        cycle.set_prices(*prices)

    def is_charging(self, connector: int) -> bool:
        """Whether the last frame heard of the connector said that it charges."""
        cycle = self.cycles[connector]
        return cycle is not None and cycle.state == CHARGING_STATE

    def trade_no(self, connector: int) -> str:
        """The session that the connector is in or was last in, empty when none was seen."""
        cycle = self.cycles[connector]
        return cycle.trade_no if cycle is not None else ""

    def record_is_fresh(self, connector: int, trade_no: str, receive_ms: int) -> bool:
        """Whether that charge was seen to run at most two minutes ago, so that its record was written just now."""
        cycle = self.cycles[connector] if 0 <= connector < CONNECTOR_PLACES else None
        if cycle is None or cycle.trade_no != trade_no:
            return False
        return 0 <= receive_ms - cycle.last_charging_ms <= FRESH_RECORD_MS


class ConnectionRegistry:
    """Chargers by their number: their state, and the one live connection of each."""

    def __init__(self) -> None:
        self._states: dict[int, PileState] = {}
        self._links: dict[int, Link] = {}

    def state_of(self, pile: Pile) -> PileState:
        """What is remembered of a charger; a newer record of master data takes the older one's place."""
        state = self._states.get(pile.pile_id)
        if state is None:
            state = self._states[pile.pile_id] = PileState(pile)
        else:
            state.pile = pile
        return state

    def link_of(self, pile: Pile) -> Link | None:
        """The live connection of a charger, None while it is away."""
        return self._links.get(pile.pile_id)

    def logged_in(self, pile: Pile, link: Link) -> None:
        """`link` speaks for the charger from now on; another connection that did is told to hang up."""
        old = self._links.get(pile.pile_id)
        self._links[pile.pile_id] = link
        if old is not None and old is not link:
            old.replaced()

    def closed(self, pile: Pile, link: Link) -> bool:
        """A connection is over. Gives whether the charger cannot be reached any more: not when it was replaced."""
        if self._links.get(pile.pile_id) is not link:
            return False
        del self._links[pile.pile_id]
        return True

    @property
    def connected(self) -> int:
        """Number of chargers that have logged in and are still connected."""
        return len(self._links)
