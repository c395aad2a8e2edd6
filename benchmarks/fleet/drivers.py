"""The people and vehicles at one connector: when they come, how they start, what they take, when they leave."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from benchmarks.fleet.accounts import CARDS, STATION_ACCOUNT, VINS, regular_of
from benchmarks.fleet.charge import (
    ASK_BY_ACCOUNT,
    ASK_BY_CARD,
    ASK_BY_VIN,
    BATTERY_FULL,
    NOT_ASKED,
    START_BY_APP,
    START_BY_CARD,
    START_BY_OFFLINE_CARD,
    START_BY_VIN,
    STOPPED_BY_APP,
    STOPPED_BY_HAND,
    Charge,
)
from benchmarks.fleet.faults import Fault, FaultMix, plan_glitches
from benchmarks.fleet.piles import AAF5, SimPile
from benchmarks.fleet.power import PowerCurve, charge_curve

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS

# How busy each local hour is; 1 = the mean.
PUBLIC_HOURS: Final = (
    *(0.7, 0.5, 0.4, 0.3, 0.3, 0.4, 0.6, 0.9, 1.0, 1.0, 1.1, 1.3),
    *(1.5, 1.4, 1.2, 1.1, 1.0, 1.1, 1.3, 1.4, 1.4, 1.4, 1.4, 1.1),
)
DEPOT_HOURS: Final = (
    *(2.2, 2.0, 1.6, 1.2, 0.8, 0.4, 0.2, 0.2, 0.3, 0.6, 0.9, 1.2),
    *(1.4, 1.0, 0.6, 0.5, 0.4, 0.3, 0.3, 0.5, 0.9, 1.4, 2.0, 2.4),
)

LONG_PARKING_SHARE: Final = 0.08
PASSWORD_SHARE: Final = 0.2
RECORD_LATE_MS: Final = 75_000
START_FAILED_REASONS: Final = (0x4B, 0x52, 0x57, 0x5A)
VIN_SIGNS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


class Season(msgspec.Struct, frozen=True):
    """The time a plan covers. From `rush_ms` on drivers come one after the other and stay short."""

    from_ms: int
    to_ms: int
    rush_ms: int


class Vehicle(msgspec.Struct, frozen=True):
    """What is plugged in. `peak_w`: what battery and charger together allow."""

    vin: str
    battery_e4kwh: int
    soc: int
    peak_w: int


class ChargeMaker:
    """Makes the charges of one connector, one after the other, from its own stream of random numbers."""

    def __init__(
        self, pile: SimPile, connector: int, seed: int, season: Season, mix: FaultMix, *, asks_platform: bool = False
    ) -> None:
        self._pile = pile
        self._connector = connector
        self._season = season
        self._mix = mix.of_vendor(pile.vendor)
        self._asks_platform = asks_platform
        self._random = np.random.default_rng([seed, int(pile.code), connector])
        self._zone = ZoneInfo(pile.zone)
        self._register_e4kwh = int(self._random.integers(1_000, 90_000)) * 10_000
        self._number = 0

    def charges(self) -> Iterator[Charge]:
        """All charges that begin in the season."""
        free_ms = self._season.from_ms + int(self._random.uniform(0, self._mean_pause_ms(self._season.from_ms)))
        while (plug_ms := self._next_plug_ms(free_ms)) < self._season.to_ms:
            charge = self._charge(plug_ms)
            yield charge
            self._register_e4kwh = charge.register_after_e4kwh
            self._number += 1
            free_ms = charge.unplug_ms

    def _mean_pause_ms(self, time_ms: int) -> float:
        hours = DEPOT_HOURS if self._pile.depot else PUBLIC_HOURS
        weight = hours[self._local(time_ms).hour]
        return (85 if self._pile.is_dc else 400) * MINUTE_MS / weight

    def _next_plug_ms(self, free_ms: int) -> int:
        rush_ms = self._season.rush_ms
        if free_ms >= rush_ms:
            return free_ms + int(self._random.uniform(30_000, 4 * MINUTE_MS))
        plug_ms = free_ms + 45_000 + int(self._random.exponential(self._mean_pause_ms(free_ms)))
        if plug_ms < rush_ms:
            return plug_ms
        return rush_ms + int(self._random.uniform(0, 25 * MINUTE_MS))

    def _charge(self, plug_ms: int) -> Charge:
        random = self._random
        fault = self._mix.draw(random)
        vehicle = self._vehicle()
        curve = self._curve(vehicle, plug_ms >= self._season.rush_ms)
        order_ms = plug_ms + int(random.uniform(10_000, 40_000))
        start_ms = order_ms + int(random.uniform(1_500, 4_000))
        charging_ms = start_ms + int(random.uniform(8_000, 25_000))
        stop_ms = charging_ms + curve.duration_ms
        end_ms = stop_ms + int(random.uniform(5_000, 26_000))
        record_ms = end_ms + int(random.uniform(200, 3_000))
        salt = int(random.integers(1, 2**31))
        mode = self._start_mode(vehicle)
        asks_by = self._asks_by(mode)
        regular = regular_of(self._pile.code, self._connector, salt)
        if asks_by == ASK_BY_VIN:
            vehicle = msgspec.structs.replace(vehicle, vin=VINS[regular])
        elif asks_by != NOT_ASKED:
            mode = START_BY_CARD
        charge = Charge(
            pile=self._pile,
            connector=self._connector,
            trade_no=self._trade_no(order_ms),
            start_mode=mode,
            plug_ms=plug_ms,
            order_ms=order_ms,
            start_ms=start_ms,
            charging_ms=charging_ms,
            stop_ms=stop_ms,
            end_ms=end_ms,
            record_ms=record_ms,
            unplug_ms=record_ms + self._parking_ms(plug_ms >= self._season.rush_ms),
            curve=curve,
            battery_e4kwh=vehicle.battery_e4kwh,
            soc_start=vehicle.soc,
            vin=vehicle.vin,
            physical_card=_card(mode, asks_by, salt, regular),
            stop_reason=self._stop_reason(vehicle, curve, mode),
            meter_start_e4kwh=self._register_e4kwh,
            fault=Fault.NONE,
            glitches=(),
            salt=salt,
            asks_by=asks_by,
            account=_account(asks_by, regular),
        )
        return change_fault(charge, fault)

    def _vehicle(self) -> Vehicle:
        random = self._random
        bus = self._pile.depot
        battery_kwh = random.uniform(140, 350) if bus else random.uniform(38, 90)
        wish_w = random.uniform(80_000, 170_000) if bus else random.uniform(45_000, 130_000)
        known = self._pile.is_dc and random.random() > 0.06
        return Vehicle(
            vin=self._vin("LZY" if bus else "LSV") if known else "",
            battery_e4kwh=int(battery_kwh * 10_000),
            soc=int(random.uniform(12, 62)),
            peak_w=int(min(self._pile.rated_power_w * 0.98, wish_w)),
        )

    def _vin(self, maker: str) -> str:
        signs = "".join(VIN_SIGNS[i] for i in self._random.integers(0, len(VIN_SIGNS), 10))
        return f"{maker}{signs}{self._random.integers(0, 10_000):04d}"

    def _curve(self, vehicle: Vehicle, rush: bool) -> PowerCurve:
        random = self._random
        if not self._pile.is_dc:
            minutes = random.uniform(25, 75) if rush else random.uniform(60, 300)
        elif rush:
            minutes = random.uniform(8, 20) if random.random() < 0.85 else random.uniform(20, 50)
        else:
            minutes = min(max(random.lognormal(np.log(26), 0.45), 8), 50)
        curve = charge_curve(
            random,
            peak_w=vehicle.peak_w,
            capacity_e4kwh=vehicle.battery_e4kwh,
            soc_start=vehicle.soc,
            duration_ms=int(minutes * MINUTE_MS),
            pause=bool(random.random() < 0.02),
        )
        return curve.until(vehicle.battery_e4kwh * (99 - vehicle.soc) // 100)

    def _start_mode(self, vehicle: Vehicle) -> int:
        dice = self._random.random()
        if self._pile.protocol == AAF5:
            # AAF5 knows no start by VIN (aaf5.md section 4).
            return START_BY_APP if dice < 0.75 else START_BY_OFFLINE_CARD
        if not self._pile.depot and dice < 0.82:
            return START_BY_APP
        # A charger's own list knows cards only (ykc.md section 4.1): a vehicle is always asked for.
        by_vin = self._asks_platform and bool(vehicle.vin) and dice < (0.5 if self._pile.depot else 0.88)
        return START_BY_VIN if by_vin else START_BY_OFFLINE_CARD

    def _asks_by(self, mode: int) -> int:
        if not self._asks_platform or mode == START_BY_APP:
            return NOT_ASKED
        if mode == START_BY_VIN:
            return ASK_BY_VIN
        password = self._pile.protocol != AAF5 and self._random.random() < PASSWORD_SHARE
        return ASK_BY_ACCOUNT if password else ASK_BY_CARD

    def _stop_reason(self, vehicle: Vehicle, curve: PowerCurve, mode: int) -> int:
        if vehicle.soc + curve.total_e4kwh * 100 // vehicle.battery_e4kwh >= 97:
            return BATTERY_FULL
        return STOPPED_BY_APP if mode == START_BY_APP and self._random.random() < 0.7 else STOPPED_BY_HAND

    def _parking_ms(self, rush: bool) -> int:
        """Median 30 s; 8 % stay longer than half an hour (metering.md, "What real chargers do")."""
        if self._random.random() < LONG_PARKING_SHARE:
            return int(self._random.uniform(31, 45 if rush else 100) * MINUTE_MS)
        return int(min(self._random.lognormal(np.log(30_000), 0.9), 20 * MINUTE_MS))

    def _trade_no(self, order_ms: int) -> str:
        time = self._local(order_ms).strftime("%y%m%d%H%M%S")
        return f"{self._pile.code}{self._pile.gun_no(self._connector)}{time}{self._number % 10_000:04d}"

    def _local(self, time_ms: int) -> datetime:
        return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(self._zone)


def change_fault(charge: Charge, fault: Fault) -> Charge:
    """The same charge with another fault. A failed start stays one, and none becomes one later than at its making."""
    if fault is charge.fault or charge.fault is Fault.START_FAILED:
        return charge
    if fault is Fault.START_FAILED:
        return _failed_start(charge)
    if fault is Fault.STEP_LATE:
        late_ms = {"record_ms": charge.record_ms + RECORD_LATE_MS, "unplug_ms": charge.unplug_ms + RECORD_LATE_MS}
        charge = msgspec.structs.replace(charge, **late_ms)
    random = np.random.default_rng(charge.salt)
    glitches = plan_glitches(fault, random, charge.charging_ms, charge.stop_ms)
    return msgspec.structs.replace(charge, fault=fault, glitches=glitches)


def _card(mode: int, asks_by: int, salt: int, regular: int) -> str:
    if asks_by == ASK_BY_CARD:
        return CARDS[regular]
    return f"{salt % 10**8:016d}" if mode == START_BY_OFFLINE_CARD else "0" * 16


def _account(asks_by: int, regular: int) -> str:
    if asks_by == ASK_BY_CARD:
        return CARDS[regular]
    return STATION_ACCOUNT if asks_by == ASK_BY_ACCOUNT else "0" * 16


def _failed_start(charge: Charge) -> Charge:
    """Zero energy after 5 to 12 s: the vehicle or the charger refuses. A record is sent all the same."""
    stop_ms = charge.start_ms + 5_000 + charge.salt % 7_000
    early_ms = charge.end_ms - stop_ms
    return msgspec.structs.replace(
        charge,
        charging_ms=stop_ms,
        stop_ms=stop_ms,
        end_ms=stop_ms,
        record_ms=charge.record_ms - early_ms,
        unplug_ms=charge.unplug_ms - early_ms,
        curve=charge.curve.cut(0),
        stop_reason=START_FAILED_REASONS[charge.salt % len(START_FAILED_REASONS)],
        fault=Fault.START_FAILED,
        glitches=(),
    )
