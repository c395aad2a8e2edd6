"""Every order of the platform, given to simulated chargers through a gateway's command desk: which, where, and when."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from benchmarks.fleet.clock import Clock
from benchmarks.fleet.device import Device
from benchmarks.fleet.orders import BALANCE_FEN, PAUSE_S, TRIES
from ingest.commands import CommandDesk, CommandResult

LOOK_S: Final = 1.0
PATIENCE_MS: Final = 40 * 60_000
AAF5_TARIFF: Final = bytes(range(1, 67)).hex().upper()
QR_CODES: Final = ("https://example.org/pay?gun=1", "https://example.org/pay?gun=2")
CARDS: Final = [{"physical_card": f"{n:016X}", "logical_card": f"{n:016d}"} for n in range(1, 16)]
PHYSICAL_CARDS: Final = [card["physical_card"] for card in CARDS]


class GivenOrder(msgspec.Struct, frozen=True):
    """An order as it was given, and what its sender was told."""

    protocol: str
    name: str
    result: CommandResult


class Places(msgspec.Struct, frozen=True):
    """The chargers that orders are given to: by code, to whom nobody comes, and the one where two vehicles wait."""

    quiet_ykc: str
    quiet_aaf5: str
    quiet_letters: str
    parallel: str


class Desk:
    """Gives orders, and remembers them; a driver's app orders here too (`benchmarks.fleet.orders.Orders`)."""

    def __init__(self, commands: CommandDesk, protocol_of: dict[str, str]) -> None:
        self.given: list[GivenOrder] = []
        self._commands = commands
        self._protocol_of = protocol_of

    async def order(self, name: str, pile: str, connector: int = 0, **arguments: Any) -> CommandResult:
        """One order, and its outcome."""
        result = await self._commands.order(name, pile, connector, **arguments)
        self.given.append(GivenOrder(self._protocol_of[pile], name, result))
        return result

    async def start(self, pile_code: str, connector: int) -> bool:
        """As in `Orders`: a driver tries twice, then leaves."""
        return await self._tries("remote_start", pile_code, connector, balance_fen=BALANCE_FEN)

    async def stop(self, pile_code: str, connector: int) -> bool:
        """As in `Orders`."""
        return await self._tries("remote_stop", pile_code, connector)

    async def _tries(self, name: str, pile_code: str, connector: int, **arguments: Any) -> bool:
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(PAUSE_S)
            if (await self.order(name, pile_code, connector, **arguments)).ok:
                return True
        return False


class Operator:
    """Somebody at the platform who gives every order that drivers do not give, one after the other."""

    def __init__(self, desk: Desk, chargers: list[Device], clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._chargers = {charger.plan.pile.code: charger for charger in chargers}

    async def give_all(self, places: Places) -> None:
        """All of them; returns when the last one is settled."""
        await asyncio.gather(
            self._quiet_ykc(places.quiet_ykc),
            self._quiet_aaf5(places.quiet_aaf5),
            self._quiet_letters(places.quiet_letters),
            self._parallel(places.parallel),
            self._balance(),
        )

    async def _quiet_ykc(self, pile: str) -> None:
        order = self._desk.order
        await self._online(pile)
        await order("read_realtime", pile, 1)
        await order("time_sync", pile)
        await order("tariff_set", pile)
        await order("card_sync", pile, cards=CARDS)
        await order("card_query", pile, cards=PHYSICAL_CARDS)
        await order("card_clear", pile, cards=PHYSICAL_CARDS[:3])
        await order("work_params", pile, disabled=False, max_power_pct=80)
        await order("lock_control", pile, 1, action="lower")
        await order("lock_control", pile, 1, action="raise")
        await order("remote_stop", pile, 1)
        await self._around_a_boot(pile, lambda: order("reboot", pile, when="now"))
        firmware: dict[str, Any] = {
            "host": "192.0.2.1",
            "path": "/firmware/V9.9.9.bin",
            "user": "pile",
            "password": "secret",
        }
        await self._around_a_boot(pile, lambda: order("update", pile, when="now", **firmware))

    async def _quiet_aaf5(self, pile: str) -> None:
        order = self._desk.order
        await self._online(pile)
        await order("int_params", pile, addr=21, count=3)
        await order("int_params", pile, addr=21, values=[12])
        await order("str_params", pile, addr=2)
        await order("str_params", pile, addr=9, text="unknown")
        await order("time_sync", pile)
        await order("tariff", pile, tariff=AAF5_TARIFF)
        await order("qr_codes", pile, qr_codes=QR_CODES)
        await order("cancel_booking", pile, 1)
        await order("remote_stop", pile, 1)
        await self._around_a_boot(pile, lambda: order("reboot", pile))

    async def _quiet_letters(self, pile: str) -> None:
        """An order to start for which no vehicle comes, and some for guns with connections of their own."""
        order = self._desk.order
        await self._online(pile)
        await order("int_params", pile, addr=7)
        await order("time_sync", pile)
        await order("remote_start", pile, 2, balance_fen=BALANCE_FEN)

    async def _parallel(self, pile: str) -> None:
        """Both guns for one vehicle, when it stands there."""
        players = self._chargers[pile].players
        await self._until(lambda: all(player.next_charge is not None for player in players.values()))
        await self._desk.order("parallel_start", pile, connectors=sorted(players), balance_fen=BALANCE_FEN)

    async def _balance(self) -> None:
        """More money for whoever charges."""
        await self._until(lambda: bool(self._charging()))
        pile, connector = self._charging()[0]
        await self._desk.order("balance_update", pile, connector, balance_fen=BALANCE_FEN)

    def _charging(self) -> list[tuple[str, int]]:
        return [
            (code, player.number)
            for code, charger in self._chargers.items()
            for player in charger.players.values()
            if charger.online and charger.plan.aaf5 is None and player.charging is not None
        ]

    async def _around_a_boot(self, pile: str, give: Callable[[], Awaitable[CommandResult]]) -> None:
        await give()
        await self._until(lambda: not self._chargers[pile].online)
        await self._online(pile)

    async def _online(self, pile: str) -> None:
        await self._until(lambda: self._chargers[pile].online)
        # The greeting's own orders are settled then.
        await asyncio.sleep(LOOK_S)

    async def _until(self, condition: Callable[[], bool]) -> None:
        end_ms = self._clock.now_ms() + PATIENCE_MS
        while not condition() and self._clock.now_ms() < end_ms:
            await asyncio.sleep(LOOK_S)
