"""Faults asked for by name: how often each happens in a run."""

from collections.abc import Mapping, Sequence

import msgspec

from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.line_faults import LineFault
from benchmarks.fleet.plan import Plan


class FaultOptions(msgspec.Struct, frozen=True):
    """`mix` is None where no fault of charges is named: then the usual ones happen. `line`: the share of chargers."""

    mix: FaultMix | None
    line: dict[LineFault, float]


def read_faults(words: Sequence[str]) -> FaultOptions:
    """Read `name=share` pairs: of charges, or of chargers for what happens on the line; a name alone means all.

    Raises `FleetError` for a name that is none and for a share outside 0 to 1.
    """
    charges: dict[Fault, float] = {}
    line: dict[LineFault, float] = {}
    for word in words:
        name, _, written = word.partition("=")
        share = _share(word, written)
        if name in LineFault.__members__.values():
            line[LineFault(name)] = share
        elif name in Fault.__members__.values():
            charges[Fault(name)] = share
        else:
            known = ", ".join(sorted([*Fault, *LineFault]))
            raise FleetError(f"--fault {word}: there is no fault {name!r}; known are {known}")
    return FaultOptions(FaultMix(charges) if charges else None, line)


def with_line_faults(plan: Plan, shares: Mapping[LineFault, float]) -> Plan:
    """The same plan in which each fault happens at its share of the chargers (at one of them at least), spread out."""
    faults: list[set[LineFault]] = [set() for _ in plan.piles]
    for offset, (fault, share) in enumerate(sorted(shares.items())):
        wanted = max(round(share * len(faults)), 1) if share > 0 else 0
        for i in range(wanted):
            faults[(offset + i * len(faults) // wanted) % len(faults)].add(fault)
    piles = tuple(
        msgspec.structs.replace(pile, line_faults=frozenset(mine))
        for pile, mine in zip(plan.piles, faults, strict=True)
    )
    return msgspec.structs.replace(plan, piles=piles)


def _share(word: str, written: str) -> float:
    try:
        share = float(written) if written else 1.0
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise FleetError(f"--fault {word}: the share must be a number from 0 to 1")
    return share
