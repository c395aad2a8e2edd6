"""A whole fleet on real sockets: switched on together, stopped in order, with an account of what it did."""

import asyncio
from typing import Any, Final

from benchmarks.fleet.aaf5_charger import Aaf5Charger
from benchmarks.fleet.charger import Charger
from benchmarks.fleet.clock import Clock
from benchmarks.fleet.device import Device, Timings
from benchmarks.fleet.link import Counters
from benchmarks.fleet.orders import Orders
from benchmarks.fleet.piles import AAF5
from benchmarks.fleet.plan import Plan

LAST_ACKS_S: Final = 1.5
LOOK_AGAIN_S: Final = 0.05


class LiveFleet:
    """All chargers of a plan, connected to one platform.

    Chargers of AAF5 connect to `aaf5_port`; without it they stay switched off.
    """

    def __init__(
        self,
        plan: Plan,
        host: str,
        port: int,
        *,
        aaf5_port: int | None = None,
        clock: Clock | None = None,
        orders: Orders | None = None,
        with_bms: bool = True,
        timings: Timings | None = None,
    ) -> None:
        self.counters = Counters()
        clock = clock or Clock()
        live_ms = clock.now_ms() if plan.live_ms is None else plan.live_ms
        self.chargers: list[Device] = []
        for pile in plan.piles:
            if pile.pile.protocol != AAF5:
                charger: Device = Charger(
                    pile,
                    host,
                    port,
                    clock,
                    self.counters,
                    live_ms=live_ms,
                    orders=orders,
                    with_bms=with_bms,
                    first_contact=plan.live_ms is None,
                    timings=timings,
                )
            elif aaf5_port is not None:
                charger = Aaf5Charger(
                    pile, host, aaf5_port, clock, self.counters, live_ms=live_ms, orders=orders, timings=timings
                )
            else:
                continue
            self.chargers.append(charger)

    def start(self) -> None:
        """Switch all chargers on."""
        for charger in self.chargers:
            charger.start()

    async def stop(self) -> None:
        """Let nothing new begin, wait up to 1.5 s for acknowledgements under way, hang up."""
        for charger in self.chargers:
            charger.stop_charging()
        deadline = asyncio.get_running_loop().time() + LAST_ACKS_S
        while self._waiting() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_AGAIN_S)
        await asyncio.gather(*(charger.stop() for charger in self.chargers))
        # One turn of the loop lets the sockets close.
        await asyncio.sleep(0)

    def report(self) -> dict[str, Any]:
        """What was sent, and which records (by trade number) the platform acknowledged or did not."""
        counters = self.counters
        return {
            "chargers": len(self.chargers),
            "online": sum(charger.online for charger in self.chargers),
            "frames_sent": counters.frames_sent,
            "realtime_sent": counters.realtime_sent,
            "records_sent": counters.records_sent,
            "bytes_sent": counters.bytes_sent,
            "frames_received": counters.frames_received,
            "bad_bytes_received": counters.bad_bytes_received,
            "connections": counters.connections,
            "connections_lost": counters.connections_lost,
            "logins_refused": counters.logins_refused,
            "sessions": counters.sessions,
            "starts_abandoned": counters.starts_abandoned,
            "starts_refused": counters.starts_refused,
            "reboots": counters.reboots,
            "wrong_acks": counters.wrong_acks,
            "strangers": counters.strangers,
            "strangers_refused": counters.strangers_refused,
            "orders_answered": counters.orders_answered,
            "acked_bills": [trade_no for charger in self.chargers for trade_no in charger.acknowledged],
            "unacked": [trade_no for charger in self.chargers for trade_no in charger.unacknowledged],
        }

    def _waiting(self) -> bool:
        return any(charger.online and charger.unacknowledged for charger in self.chargers)
