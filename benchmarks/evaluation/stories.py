"""The charges of one charger, each with its fault and its truth."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.evaluation import aaf5_frames, ykc_frames
from benchmarks.evaluation.chargers import CHARGES_EACH, KWH_E4, Charger, charger
from benchmarks.evaluation.charges import TrueCharge, draw_charges
from benchmarks.evaluation.faults import ALSO_IN_SHORT_ONES, FAULTS, FEWEST_READINGS, MOVES_THE_REGISTER
from benchmarks.evaluation.meter import E4_DIGITS, Meter
from benchmarks.evaluation.mixes import FaultDraw, Mix
from benchmarks.evaluation.record import ToldRecord, told_record, true_amount_fen
from benchmarks.evaluation.story import Story
from benchmarks.evaluation.telling import ToldReadings, meter_of, told_readings
from benchmarks.fleet.piles import YKC

SHARE_BOOTED: Final = 0.3
MOST_DRAWS: Final = 100
LOWEST_REGISTER_E4: Final = 10 * KWH_E4
HIGHEST_REGISTER_E4: Final = 90_000 * KWH_E4


class Truth(msgspec.Struct, frozen=True):
    """What is right for one charge, and what went wrong. `parts`: the faults of a mixed one."""

    pile: str
    trade_no: str
    model: str
    fault: str
    parts: tuple[str, ...]
    quantum_e4kwh: int
    energy_e4kwh: int
    amount_fen: int
    readings: int


class ToldCharge(msgspec.Struct, frozen=True):
    """A charge with all that its charger tells of it."""

    story: Story
    meter: Meter
    readings: ToldReadings
    record: ToldRecord | None
    truth: Truth


def told_charges(seed: int, number: int, mix: Mix, charges: int = CHARGES_EACH) -> tuple[Charger, list[ToldCharge]]:
    """The charger of that number and its charges. Equal arguments give equal charges."""
    drawn, random = charger(seed, number, charges)
    true = draw_charges(drawn, random)
    draw = FaultDraw(drawn.model, mix, random)
    faults = draw.plan(len(true))
    told: list[ToldCharge] = []
    register = _first_register(drawn, true, faults, draw, random)
    for charge, fault in zip(true, faults, strict=True):
        register = _booted(drawn, register, random)
        story = _story(drawn, charge, fault, draw, register, random)
        meter = meter_of(story)
        readings = told_readings(story, meter, random)
        told.append(ToldCharge(story, meter, readings, told_record(story, meter), _truth(story, readings)))
        register = int(meter.register_at(np.array([charge.stop_ms], dtype=np.int64))[0])
    return drawn, told


def trade_no(story: Story) -> str:
    """The number by which the platform knows the charge."""
    return ykc_frames.trade_no(story) if story.charger.model.protocol == YKC else aaf5_frames.trade_no(story)


def _story(
    drawn: Charger, charge: TrueCharge, fault: str, draw: FaultDraw, register: int, random: np.random.Generator
) -> Story:
    """The charge with its fault, or with another one where it cannot have that."""
    for _ in range(MOST_DRAWS):
        story = Story(drawn, charge, register, random)
        story.fault, story.faults = fault, (fault,)
        long_enough = len(story.taken_ms) >= FEWEST_READINGS or fault in ALSO_IN_SHORT_ONES
        if long_enough and FAULTS[fault](story, random):
            return story
        fault = draw.another()
    return Story(drawn, charge, register, random)


def _first_register(
    drawn: Charger, charges: list[TrueCharge], faults: list[str], draw: FaultDraw, random: np.random.Generator
) -> int:
    """Where the register stands before the first charge.

    Where it is to roll over in one of them, nothing else may move it until then.
    """
    if drawn.model.register == "boot":
        return int(random.integers(0, 500 * KWH_E4))
    if "rollover" not in faults:
        low, high = np.log(LOWEST_REGISTER_E4), np.log(HIGHEST_REGISTER_E4)
        return int(np.exp(random.uniform(low, high)))
    place = faults.index("rollover")
    faults[:place] = [draw.standing() if fault in MOVES_THE_REGISTER else fault for fault in faults[:place]]
    before = sum(charge.energy_e4kwh for charge in charges[:place])
    into = int(charges[place].energy_e4kwh * random.uniform(0.05, 0.95))
    return int(10 ** (drawn.model.wraps_at_digits + E4_DIGITS)) - before - into


def _booted(drawn: Charger, register: int, random: np.random.Generator) -> int:
    """A register that restarts with its charger does so now and then between charges."""
    return 0 if drawn.model.register == "boot" and random.random() < SHARE_BOOTED else register


def _truth(story: Story, readings: ToldReadings) -> Truth:
    return Truth(
        pile=story.charger.pile.code,
        trade_no=trade_no(story),
        model=story.charger.model.key,
        fault=story.fault,
        parts=story.faults if story.fault == "mixed" else (),
        quantum_e4kwh=story.charger.model.quantum_e4kwh,
        energy_e4kwh=story.charge.energy_e4kwh,
        amount_fen=true_amount_fen(story.charge),
        readings=len(readings),
    )
