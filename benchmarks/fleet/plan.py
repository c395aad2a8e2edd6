"""Who charges where and when: a seeded plan of charges, outages and faults for every connector of a fleet.

Equal arguments give an equal plan, in any process; a later `to_ms` only adds charges at the end. So one process can
write the history of a day and another one play its continuation.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet.charge import NOT_ASKED, START_BY_APP, START_BY_OFFLINE_CARD, Charge
from benchmarks.fleet.drivers import ChargeMaker, Season, change_fault
from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.faults import OFFLINE_FAULTS, VISIBLE_FAULTS, Fault, FaultMix
from benchmarks.fleet.firmware import is_careless
from benchmarks.fleet.line_faults import LineFault
from benchmarks.fleet.parallel import pair, pairs_guns
from benchmarks.fleet.piles import AAF5, PILE_CODE_DIGITS, SimPile
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.traits import Aaf5Traits, Traits, draw_aaf5_traits, draw_traits

FOREVER_MS: Final = 2**62
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
RUSH_BEFORE_LIVE_MS: Final = 50 * MINUTE_MS
LIVE_HORIZON_MS: Final = 6 * HOUR_MS
SHOWN_WITHIN_MS: Final = 15 * MINUTE_MS
SHOW_EVERY: Final = 5
LOST_PILES_LIMIT: Final = 0.02


class Outage(msgspec.Struct, frozen=True):
    """The charger's radio is silent from `from_ms` until before `to_ms`; `FOREVER_MS` = it never comes back."""

    from_ms: int
    to_ms: int


class ConnectorPlan(msgspec.Struct, frozen=True):
    """The charges of one connector in the order of time; they do not overlap, nor do their times of being plugged."""

    connector: int
    phase_ms: int
    charges: tuple[Charge, ...]


class PilePlan(msgspec.Struct, frozen=True):
    """One charger's part: its firmware's ways, its connectors, and when its radio is silent (ascending, apart).

    `line_faults`: how it misbehaves on the line in the live part.
    """

    pile: SimPile
    traits: Traits
    connectors: tuple[ConnectorPlan, ...]
    outages: tuple[Outage, ...]
    aaf5: Aaf5Traits | None = None
    line_faults: frozenset[LineFault] = frozenset()

    def online(self, times_ms: IntArray) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """At which of the moments the charger can be heard."""
        heard = np.ones(len(times_ms), dtype=np.bool_)
        for outage in self.outages:
            heard &= (times_ms < outage.from_ms) | (times_ms >= outage.to_ms)
        return heard

    def online_from(self, time_ms: int) -> int:
        """The first moment from `time_ms` on when the charger can be heard; `FOREVER_MS` when never again."""
        for outage in self.outages:
            if outage.from_ms <= time_ms < outage.to_ms:
                return outage.to_ms
        return time_ms


class Plan(msgspec.Struct, frozen=True):
    """The whole fleet's plan. `live_ms`: where the history ends and the live part begins, if it was made for a demo."""

    piles: tuple[PilePlan, ...]
    from_ms: int
    to_ms: int
    live_ms: int | None

    def charges(self) -> list[Charge]:
        """All charges, in the order of their ends."""
        every = (connector.charges for pile in self.piles for connector in pile.connectors)
        return sorted((charge for charges in every for charge in charges), key=lambda charge: charge.end_ms)


def build_plan(
    fleet: Sequence[SimPile],
    seed: int,
    from_ms: int,
    to_ms: int,
    *,
    live_ms: int | None = None,
    faults: FaultMix | None = None,
) -> Plan:
    """The plan of `fleet` from `from_ms` until `to_ms`.

    With `live_ms` the fleet is in a rush from 50 minutes before that moment on: many sessions are under way then, a
    bill follows every few seconds, and every fifth of those that end in the next 15 minutes has a fault that shows on
    its bill. Raises `FleetError` for an empty or reversed window and for codes that are not 14 digits or come twice.
    """
    if to_ms <= from_ms:
        raise FleetError(f"a plan must end after it begins: from {from_ms} to {to_ms}")
    codes = {pile.code for pile in fleet}
    wrong = [code for code in codes if len(code) != PILE_CODE_DIGITS or not code.isdecimal()]
    if wrong or len(codes) != len(fleet):
        raise FleetError(f"each charger needs its own code of {PILE_CODE_DIGITS} digits{': ' if wrong else ''}{wrong}")
    mix = FaultMix() if faults is None else faults
    rush_ms = FOREVER_MS if live_ms is None else live_ms - RUSH_BEFORE_LIVE_MS
    piles = [_schedule(pile, seed, Season(from_ms, to_ms, rush_ms), mix) for pile in fleet]
    if live_ms is not None and faults is None:
        piles = _show_faults(piles, live_ms)
    return Plan(tuple(_settle_outages(_spare_most(piles))), from_ms, to_ms, live_ms)


def demo_plan(
    fleet: Sequence[SimPile], seed: int, live_ms: int, *, history_ms: int = 24 * HOUR_MS, faults: FaultMix | None = None
) -> Plan:
    """The plan of a demo: a day of history before `live_ms`, and 6 hours of rush after it."""
    return build_plan(fleet, seed, live_ms - history_ms, live_ms + LIVE_HORIZON_MS, live_ms=live_ms, faults=faults)


def _schedule(pile: SimPile, seed: int, season: Season, mix: FaultMix) -> PilePlan:
    random = np.random.default_rng([seed, int(pile.code)])
    traits = draw_traits(random, pile)
    aaf5 = draw_aaf5_traits(random, pile) if pile.protocol == AAF5 else None
    if is_careless(pile):
        mix = mix.careless()
    asks_platform = traits.asks_platform if aaf5 is None else aaf5.asks_platform
    connectors = tuple(
        ConnectorPlan(
            connector,
            int(random.integers(0, 300_000)),
            tuple(ChargeMaker(pile, connector, seed, season, mix, asks_platform=asks_platform).charges()),
        )
        for connector in range(1, pile.connectors + 1)
    )
    if pairs_guns(pile, traits):
        paired = pair(connectors[0].charges, connectors[1].charges)
        changed = (msgspec.structs.replace(c, charges=mine) for c, mine in zip(connectors, paired, strict=False))
        connectors = (*changed, *connectors[len(paired) :])
    return PilePlan(pile, traits, connectors, (), aaf5)


def _show_faults(piles: list[PilePlan], live_ms: int) -> list[PilePlan]:
    """Give every fifth charge that ends soon after `live_ms` a fault that shows on its bill."""
    ends = (
        (charge.end_ms, charge.key)
        for pile in piles
        for connector in pile.connectors
        for charge in connector.charges
        if live_ms <= charge.end_ms < live_ms + SHOWN_WITHIN_MS
    )
    chosen = sorted(ends)[1::SHOW_EVERY]
    faults = {key: VISIBLE_FAULTS[i % len(VISIBLE_FAULTS)] for i, (_, key) in enumerate(chosen)}

    def changed(charge: Charge) -> Charge:
        fault = faults.get(charge.key)
        return charge if fault is None else change_fault(charge, fault)

    return [_map_charges(pile, changed) for pile in piles]


def _spare_most(piles: list[PilePlan]) -> list[PilePlan]:
    """Let no more than 2 % of the chargers disappear for ever; the others' fate is a lost record instead."""
    allowed = max(1, int(len(piles) * LOST_PILES_LIMIT))
    lost: list[tuple[int, str]] = sorted(
        (charge.end_ms, pile.pile.code)
        for pile in piles
        for connector in pile.connectors
        for charge in connector.charges
        if charge.fault is Fault.OFFLINE_FOREVER
    )
    gone = {code for _, code in lost[:allowed]}

    def changed(charge: Charge) -> Charge:
        spared = charge.fault is Fault.OFFLINE_FOREVER and charge.pile.code not in gone
        return change_fault(charge, Fault.RECORD_LOST) if spared else charge

    return [_map_charges(pile, changed) for pile in piles]


def _settle_outages(piles: list[PilePlan]) -> list[PilePlan]:
    """Derive each charger's silent times from its charges' faults, and make the charges fit them.

    What was asked of the platform while the charger could not hear was asked of its own list of cards. After it is lost
    nobody comes any more.
    """
    settled = []
    for pile in piles:
        wishes = [
            _outage_of(charge)
            for connector in pile.connectors
            for charge in connector.charges
            if charge.fault in OFFLINE_FAULTS
        ]
        silent = msgspec.structs.replace(pile, outages=_merged(wishes))
        lost_ms = (
            silent.outages[-1].from_ms if silent.outages and silent.outages[-1].to_ms == FOREVER_MS else FOREVER_MS
        )
        kept = tuple(
            msgspec.structs.replace(
                connector,
                charges=tuple(_reachable(silent, charge) for charge in connector.charges if charge.plug_ms < lost_ms),
            )
            for connector in silent.connectors
        )
        settled.append(msgspec.structs.replace(silent, connectors=kept))
    return settled


def _outage_of(charge: Charge) -> Outage:
    length_ms = charge.stop_ms - charge.charging_ms
    dice = (charge.salt * 7_919) % 1_000 / 1_000
    begin_ms = charge.charging_ms + int(length_ms * (0.25 + 0.2 * dice))
    if charge.fault is Fault.OFFLINE_FOREVER:
        return Outage(begin_ms, FOREVER_MS)
    if charge.fault is Fault.OFFLINE_END:
        return Outage(
            charge.stop_ms - int(length_ms * (0.05 + 0.2 * dice)), charge.record_ms + int((2 + 15 * dice) * MINUTE_MS)
        )
    return Outage(begin_ms, begin_ms + min(int((2 + 6 * dice) * MINUTE_MS), length_ms // 2))


def _merged(outages: list[Outage]) -> tuple[Outage, ...]:
    merged: list[Outage] = []
    for outage in sorted(outages, key=lambda outage: (outage.from_ms, outage.to_ms)):
        if merged and outage.from_ms <= merged[-1].to_ms + MINUTE_MS:
            merged[-1] = Outage(merged[-1].from_ms, max(merged[-1].to_ms, outage.to_ms))
        else:
            merged.append(outage)
    return tuple(merged)


def _reachable(pile: PilePlan, charge: Charge) -> Charge:
    unheard = (
        pile.online_from(charge.order_ms) != charge.order_ms or pile.online_from(charge.start_ms) != charge.start_ms
    )
    if unheard and (charge.start_mode == START_BY_APP or charge.asks_by != NOT_ASKED):
        card = f"{charge.salt % 10**8:016d}"
        offline = {"start_mode": START_BY_OFFLINE_CARD, "physical_card": card, "asks_by": NOT_ASKED, "account": ""}
        return msgspec.structs.replace(charge, **offline)
    return charge


def _map_charges(pile: PilePlan, change: Callable[[Charge], Charge]) -> PilePlan:
    connectors = tuple(
        msgspec.structs.replace(connector, charges=tuple(change(charge) for charge in connector.charges))
        for connector in pile.connectors
    )
    return msgspec.structs.replace(pile, connectors=connectors)
