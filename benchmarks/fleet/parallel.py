"""Two guns of one charger for one vehicle (ykc.md section 5, parallel charging)."""

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from benchmarks.fleet.charge import NOT_ASKED, Charge
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.piles import AAF5, SimPile
from benchmarks.fleet.traits import V1_6, Traits

TWIN_EVERY: Final = 3
APART_MS: Final = 60_000
MAIN: Final = 0
AUXILIARY: Final = 1
GUN_OF_TRADE_NO: Final = slice(14, 16)


def pairs_guns(pile: SimPile, traits: Traits) -> bool:
    """Whether vehicles may take both guns: it came with 1.6, and only chargers that ask the platform do it here."""
    able = pile.is_dc and pile.connectors > 1 and pile.protocol != AAF5
    return able and traits.version >= V1_6 and traits.asks_platform


def pair(charges: tuple[Charge, ...], others: tuple[Charge, ...]) -> tuple[tuple[Charge, ...], tuple[Charge, ...]]:
    """The charges of the main and of the auxiliary gun, with a twin beside every third clean charge that asks.

    Who would have come to the other gun meanwhile goes elsewhere; its register counts the twins' energy too.
    """
    paired = [charge for charge in charges if _takes_both(charge)]
    main = tuple(_as_pair(charge, MAIN) if _takes_both(charge) else charge for charge in charges)
    left = [charge for charge in others if not any(_meet(charge, twin) for twin in paired)]
    auxiliary = sorted((*left, *map(_twin, paired)), key=lambda charge: charge.plug_ms)
    return main, _with_registers(auxiliary)


def _takes_both(charge: Charge) -> bool:
    return charge.asks_by != NOT_ASKED and charge.fault is Fault.NONE and charge.salt % TWIN_EVERY == 0


def _meet(charge: Charge, other: Charge) -> bool:
    return charge.plug_ms < other.unplug_ms + APART_MS and other.plug_ms < charge.unplug_ms + APART_MS


def _twin(charge: Charge) -> Charge:
    number = charge.trade_no
    return msgspec.structs.replace(
        _as_pair(charge, AUXILIARY),
        connector=2,
        trade_no=f"{number[: GUN_OF_TRADE_NO.start]}{charge.pile.gun_no(2)}{number[GUN_OF_TRADE_NO.stop :]}",
        salt=charge.salt + 1,
    )


def _as_pair(charge: Charge, role: int) -> Charge:
    local = datetime.fromtimestamp(charge.order_ms // 1000, UTC).astimezone(ZoneInfo(charge.pile.zone))
    return msgspec.structs.replace(charge, parallel_no=local.strftime("%y%m%d%H%M%S"), gun_role=role)


def _with_registers(charges: list[Charge]) -> tuple[Charge, ...]:
    """The charges of one gun with its register going on from one to the next."""
    register_e4kwh = min((charge.meter_start_e4kwh for charge in charges), default=0)
    followed = []
    for charge in charges:
        followed.append(msgspec.structs.replace(charge, meter_start_e4kwh=register_e4kwh))
        register_e4kwh = followed[-1].register_after_e4kwh
    return tuple(followed)
