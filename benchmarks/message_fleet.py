"""The small fleet that plays every message: chargers of each kind, chosen from a plan by the ways of their firmware."""

from collections.abc import Callable
from typing import Final

import msgspec

from benchmarks.fleet.charge import Charge
from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.piles import AAF5, SimPile, simple_aaf5_fleet, simple_fleet
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, PilePlan, Plan, demo_plan
from benchmarks.fleet.traits import V1_5, V1_6
from benchmarks.message_orders import Places
from core.directory import Ownership, Pile, PileDirectory

SEED: Final = 7
CANDIDATES_YKC: Final = 120
CANDIDATES_AAF5: Final = 24
HISTORY_MS: Final = 3 * HOUR_MS
# More of what makes messages that are rare, and enough clean charges beside.
FAULTS: Final = {
    Fault.START_FAILED: 0.25,
    Fault.RECORD_REPEATED: 0.10,
    Fault.OFFLINE_STORED: 0.05,
    Fault.DUPLICATED_FRAMES: 0.05,
}
PAIRED_WITHIN_MS: Final = 20 * MINUTE_MS
WAITING_FROM_MS: Final = 2 * MINUTE_MS
WAITING_MS: Final = 5 * MINUTE_MS


def small_fleet(live_ms: int) -> tuple[Plan, Places]:
    """A plan that goes on at `live_ms`, and which of its chargers orders are for."""
    piles = (*simple_fleet(CANDIDATES_YKC), *simple_aaf5_fleet(CANDIDATES_AAF5))
    plan = demo_plan(piles, SEED, live_ms, history_ms=HISTORY_MS, faults=FaultMix(FAULTS))
    left = list(plan.piles)
    chosen: list[PilePlan] = []

    def take(count: int, is_wanted: Callable[[PilePlan], bool]) -> list[PilePlan]:
        taken = [pile for pile in left if is_wanted(pile)][:count]
        for pile in taken:
            left.remove(pile)
        chosen.extend(taken)
        return taken

    take(2, lambda p: _pairs_soon(p, live_ms))
    take(4, lambda p: _asks(p) and p.pile.is_dc and p.traits.version == V1_6)
    take(2, lambda p: _asks(p) and p.traits.version == V1_5)
    take(2, lambda p: _is_ykc(p) and p.traits.has_lock)
    take(2, lambda p: _is_ykc(p) and p.traits.extended)
    take(1, lambda p: _is_ykc(p) and not p.pile.is_dc)
    take(1, lambda p: _is_ykc(p) and p.traits.checksum_order == "be")
    take(4, lambda p: _is_ykc(p) and p.pile.is_dc)
    take(2, lambda p: p.aaf5 is not None and p.aaf5.asks_platform)
    take(1, lambda p: p.aaf5 is not None and p.pile.gun_letters and not p.aaf5.temperatures)
    take(1, lambda p: p.aaf5 is not None and p.pile.gun_letters and p.aaf5.temperatures)
    take(1, lambda p: p.aaf5 is not None and p.aaf5.serial and p.aaf5.tail)
    take(2, lambda p: p.aaf5 is not None and p.aaf5.serial and not p.aaf5.tail)
    [ykc] = take(1, lambda p: _is_ykc(p) and p.pile.is_dc and p.traits.version == V1_6)
    [aaf5] = take(1, lambda p: p.aaf5 is not None and p.aaf5.serial)
    [letters] = take(1, lambda p: p.aaf5 is not None and p.pile.gun_letters and p.pile.connectors > 1)
    [parallel] = take(1, lambda p: _is_ykc(p) and p.pile.is_dc and p.traits.version == V1_6)
    changed = {
        ykc.pile.code: _with_locks(_quiet(ykc)),
        aaf5.pile.code: _quiet(aaf5),
        letters.pile.code: _quiet(letters),
        parallel.pile.code: _waiting(parallel, live_ms + WAITING_FROM_MS),
    }
    piles_played = tuple(changed.get(pile.pile.code, pile) for pile in chosen)
    places = Places(ykc.pile.code, aaf5.pile.code, letters.pile.code, parallel.pile.code)
    return msgspec.structs.replace(plan, piles=piles_played), places


def directory_of(plan: Plan) -> PileDirectory:
    """The master data of the chargers of a plan, as a platform keeps them."""
    return PileDirectory([_pile_of(pile.pile, 1 + i) for i, pile in enumerate(plan.piles)])


def _pile_of(pile: SimPile, pile_id: int) -> Pile:
    return Pile(
        pile_id=pile_id,
        code=pile.code,
        protocol=pile.protocol,
        station_id=1,
        zone=pile.zone,
        connectors=pile.connectors,
        rated_power_w=pile.rated_power_w,
        register_kind="lifetime" if pile.protocol == AAF5 else "session",
        quantum_e4kwh=pile.quantum_e4kwh,
        register_digits=0,
        occupancy_grace_ms=30 * MINUTE_MS,
        commissioned_ms=0,
        current_kind=pile.current_kind,
        owners=(Ownership(2, 0),),
        # The charger holds another number than this one: it fetches its tariff at the first login.
        tariffs=tuple(
            msgspec.structs.replace(version, tariff_version_id=1 + i, tariff_id=1, model_no=f"01{i + 1:02d}")
            for i, version in enumerate(pile.tariffs)
        ),
        gun_letters=pile.gun_letters,
    )


def _is_ykc(plan: PilePlan) -> bool:
    return plan.aaf5 is None


def _asks(plan: PilePlan) -> bool:
    return plan.aaf5 is None and plan.traits.asks_platform


def _pairs_soon(plan: PilePlan, live_ms: int) -> bool:
    """Whether one vehicle comes for both guns early in the live part."""
    first, last = live_ms + MINUTE_MS, live_ms + PAIRED_WITHIN_MS
    return any(charge.parallel_no and first < charge.plug_ms < last for charge in plan.connectors[0].charges)


def _quiet(plan: PilePlan) -> PilePlan:
    """Nobody comes to it, and its radio is always there."""
    connectors = tuple(msgspec.structs.replace(connector, charges=()) for connector in plan.connectors)
    return msgspec.structs.replace(plan, connectors=connectors, outages=())


def _with_locks(plan: PilePlan) -> PilePlan:
    return msgspec.structs.replace(plan, traits=msgspec.structs.replace(plan.traits, has_lock=True))


def _waiting(plan: PilePlan, plug_ms: int) -> PilePlan:
    """One vehicle at each connector, plugged in and waiting for an order."""
    connectors = tuple(
        msgspec.structs.replace(connector, charges=(_patient(_clean(connector.charges), plug_ms),))
        for connector in plan.connectors
    )
    return msgspec.structs.replace(plan, connectors=connectors, outages=())


def _clean(charges: tuple[Charge, ...]) -> Charge:
    return next(charge for charge in charges if charge.fault is Fault.NONE)


def _patient(charge: Charge, plug_ms: int) -> Charge:
    late = charge.shifted(plug_ms + WAITING_MS - charge.order_ms)
    return msgspec.structs.replace(late, plug_ms=plug_ms)
