"""What a connected charger must be brought to: the right time, and the tariff that is valid now."""

from typing import Final, Protocol

from core.directory import Pile, PileDirectory
from ingest.alarm_desk import AlarmDesk
from ingest.connection_registry import PileState
from ingest.events import ClockOffset, Event, TariffAck

CLOCK_OFF: Final = "clock_off"
TARIFF_MISMATCH: Final = "tariff_mismatch"
# A clock that is off although it was just set will not be better for being set again: the next day's turn does it.
AFTER_SETTING: Final = "time_sync_reply"
CLOCK_RETRY_MS: Final = 300_000
LOOK_EVERY_MS: Final = 10_000


class Orders(Protocol):
    """How the orders of the upkeep leave."""

    def set_clock(self, pile: Pile) -> None:
        """Send the time."""

    def push_tariff(self, pile: Pile) -> None:
        """Send the tariff that is valid now."""


class Upkeep:
    """Watches the facts about clocks and tariffs, and acts on them when `ConnectionWatch` looks after a charger.

    A tariff is in order when the charger showed the version that is valid by date. One that showed another, or none
    that anybody knows, differs until it acknowledges the valid one (ykc.md section 5): by its own 0x09, or by 0x58 that
    is sent when nothing charges. Chargers whose protocol has no such talk are left alone.
    """

    def __init__(
        self,
        directory: PileDirectory,
        alarms: AlarmDesk,
        orders: Orders,
        *,
        clock_limit_ms: int,
        time_sync_interval_ms: int,
        tariff_grace_ms: int,
        tariff_push_ms: int,
    ) -> None:
        self.tariff_differences: set[int] = set()
        self._directory = directory
        self._alarms = alarms
        self._orders = orders
        self._clock_limit_ms = clock_limit_ms
        self._time_sync_interval_ms = time_sync_interval_ms
        self._tariff_grace_ms = tariff_grace_ms
        self._tariff_push_ms = tariff_push_ms
        self._clocks_off: set[int] = set()

    def heard(self, event: Event) -> None:
        """A fact was written."""
        if isinstance(event, ClockOffset):
            self._clock_heard(event)
        elif isinstance(event, TariffAck) and event.pile_id in self.tariff_differences:
            pile = self._directory.by_id(event.pile_id)
            valid = pile.tariff_at(event.event_ms) if pile is not None else None
            if valid is None or valid.tariff_version_id == event.tariff_version_id:
                self._tariff_in_order(event.pile_id)

    def look_after(self, pile: Pile, state: PileState, logged_in_ms: int, now_ms: int, *, tariffs: bool) -> None:
        """Send what the charger needs. `tariffs`: whether its protocol tells which tariff it holds."""
        self._look_after_clock(pile, state, now_ms)
        if tariffs and now_ms - logged_in_ms >= self._tariff_grace_ms and now_ms >= state.tariff_look_ms:
            state.tariff_look_ms = now_ms + LOOK_EVERY_MS
            self._look_after_tariff(self._directory.by_id(pile.pile_id) or pile, state, now_ms)

    def next_look_ms(self, pile: Pile, state: PileState, logged_in_ms: int, now_ms: int, *, tariffs: bool) -> int:
        """When `look_after` has something to do for the charger, as far as is known now."""
        retry_ms = CLOCK_RETRY_MS if pile.pile_id in self._clocks_off else self._time_sync_interval_ms
        looks = [state.time_sync_ms + min(retry_ms, self._time_sync_interval_ms) + 1]
        if tariffs:
            first_ms = logged_in_ms + self._tariff_grace_ms
            if now_ms < first_ms:
                looks.append(first_ms)
            elif pile.pile_id in self.tariff_differences:
                looks.append(state.tariff_look_ms)
        return min(looks)

    def _clock_heard(self, event: ClockOffset) -> None:
        pile = self._directory.by_id(event.pile_id)
        if abs(event.offset_ms) <= self._clock_limit_ms:
            self._clocks_off.discard(event.pile_id)
            self._alarms.settle(CLOCK_OFF, event.pile_id)
            return
        detail = f"{event.offset_ms / 1_000:+.0f} s, by its {event.source}"
        self._alarms.ring(CLOCK_OFF, pile_id=event.pile_id, pile=pile.code if pile else "", detail=detail)
        if event.source == AFTER_SETTING:
            self._clocks_off.discard(event.pile_id)
        else:
            self._clocks_off.add(event.pile_id)

    def _look_after_clock(self, pile: Pile, state: PileState, now_ms: int) -> None:
        since_ms = now_ms - state.time_sync_ms
        off = pile.pile_id in self._clocks_off
        if since_ms > self._time_sync_interval_ms or (off and since_ms > CLOCK_RETRY_MS):
            self._clocks_off.discard(pile.pile_id)
            self._orders.set_clock(pile)

    def _look_after_tariff(self, pile: Pile, state: PileState, now_ms: int) -> None:
        valid = pile.tariff_at(now_ms)
        if valid is None or state.held_tariff_id == valid.tariff_version_id:
            self._tariff_in_order(pile.pile_id)
            return
        self.tariff_differences.add(pile.pile_id)
        held = next((version for version in pile.tariffs if version.tariff_version_id == state.held_tariff_id), None)
        has = f"model {held.model_no}" if held is not None else "no model that is known here"
        self._alarms.ring(
            TARIFF_MISMATCH,
            pile_id=pile.pile_id,
            pile=pile.code,
            detail=f"it holds {has}, valid is {valid.model_no} (version {valid.tariff_version_id})",
        )
        if state.is_idle and now_ms - state.tariff_push_ms >= self._tariff_push_ms:
            state.tariff_push_ms = now_ms
            self._orders.push_tariff(pile)

    def _tariff_in_order(self, pile_id: int) -> None:
        if pile_id in self.tariff_differences:
            self.tariff_differences.discard(pile_id)
            self._alarms.settle(TARIFF_MISMATCH, pile_id)
