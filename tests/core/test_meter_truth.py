"""A simulated meter with one fault each: the true energy lies inside the interval that is measured.

The simulation knows what was really delivered, second by second; the calculator sees what the meter showed. Faults
that no rule can see are left out: a register that falls by less than it rises within one period, or by two quanta.
"""

import random
from collections.abc import Callable
from typing import NamedTuple

import pytest

from core.meter.flags import Flag, Quality
from core.meter.measurement import Measurement, RegisterFacts, measure
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.readings import ReadingArrays

T0 = 1_700_000_000_000
SEEDS = 60


class Shown(NamedTuple):
    """One reading: when it was taken, when it arrived, what the meter showed, and the power then."""

    taken_s: int
    arrived_s: int
    value: int
    power_w: int


class Charge:
    """What really happened, and a meter that shows it without a fault."""

    def __init__(self, rng: random.Random, kind: str) -> None:
        rated_w = rng.choice([7_000, 60_000, 120_000, 180_000])
        quantum = rng.choice([1, 1, 100, 10_000])
        self.profile = MeterProfile(
            kind,  # type: ignore[arg-type]  # one of the two kinds of this module
            quantum,
            rated_w * 110 // 100,
            digits=6 if kind == "lifetime" else 0,
        )
        self.offset = rng.randint(1, 900_000) * 10_000 if kind == "lifetime" else 0
        self.seconds = rng.randint(900, 4_000)
        self._delivered_w_ms = [0]
        power_w = rng.randint(rated_w // 6, rated_w)
        self._power_w = []
        for _ in range(self.seconds):
            if rng.random() < 0.003:
                power_w = rng.choice([0, rng.randint(rated_w // 6, rated_w), rated_w])
            self._power_w.append(power_w)
            self._delivered_w_ms.append(self._delivered_w_ms[-1] + 1000 * power_w)

    def delivered_e4kwh(self, second: int) -> int:
        return self._delivered_w_ms[min(second, self.seconds)] // W_MS_PER_E4KWH

    def show(self, energy_e4kwh: int) -> int:
        """The register as the meter shows it: whole quanta, over its last digit."""
        value = energy_e4kwh + self.offset
        if self.profile.modulus_e4kwh:
            value %= self.profile.modulus_e4kwh
        return value // self.profile.quantum_e4kwh * self.profile.quantum_e4kwh

    def readings(self) -> list[Shown]:
        seconds = [*range(0, self.seconds, 15), self.seconds]
        return [
            Shown(second, second, self.show(self.delivered_e4kwh(second)), self._power_w[min(second, self.seconds - 1)])
            for second in seconds
        ]


Fault = Callable[[random.Random, Charge, list[Shown]], list[Shown]]


def no_fault(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    return shown


def zeros_at_start(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    until = rng.randint(1, 5)
    return [reading._replace(value=0) for reading in shown[:until]] + shown[until:]


def zeros_in_between(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    first = rng.randrange(1, len(shown) - 1)
    until = min(len(shown) - 1, first + rng.choice([1, 1, 2, 5, 20]))
    return shown[:first] + [reading._replace(value=0) for reading in shown[first:until]] + shown[until:]


def spike(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    place = rng.randrange(1, len(shown))
    quanta = rng.choice([rng.randint(3, 5_000), rng.randint(3, 100_000), 500_000_000])
    shown[place] = shown[place]._replace(value=shown[place].value + quanta * charge.profile.quantum_e4kwh)
    return shown


def dip(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    place = rng.randrange(1, len(shown))
    quantum = charge.profile.quantum_e4kwh
    shown[place] = shown[place]._replace(value=rng.randint(0, shown[place].value // quantum) * quantum)
    return shown


def restart(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    """The register counts from zero again, from some moment between two readings."""
    place = rng.randrange(len(shown) // 2, len(shown))
    lost = charge.delivered_e4kwh(shown[place].taken_s - rng.randint(0, 14)) + charge.offset
    return _fallen(charge, shown, place, lost)


def rollback(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    place = rng.randrange(len(shown) // 2, len(shown))
    return _fallen(charge, shown, place, rng.randint(1, max(1, charge.delivered_e4kwh(shown[place].taken_s))))


def _fallen(charge: Charge, shown: list[Shown], place: int, lost: int) -> list[Shown]:
    after = [
        reading._replace(value=max(0, charge.show(charge.delivered_e4kwh(reading.taken_s) - lost)))
        for reading in shown[place:]
    ]
    visible = shown[place - 1].value - after[0].value > 2 * charge.profile.quantum_e4kwh
    followed = any(reading.value < shown[place - 1].value for reading in after[1:2])
    return shown[:place] + after if visible and followed else shown


def silence_inside(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    first = rng.randrange(1, len(shown) - 1)
    return shown[:first] + shown[min(len(shown) - 1, first + rng.randint(5, 60)) :]


def silence_at_the_end(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    return shown[: rng.randint(2, len(shown))]


def silence_at_the_start(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    return shown[rng.randint(1, len(shown) - 2) :]


def frozen_then_right(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    first = rng.randrange(1, len(shown) - 1)
    until = min(len(shown) - 1, first + rng.randint(2, 60))
    return shown[:first] + [r._replace(value=shown[first - 1].value) for r in shown[first:until]] + shown[until:]


def frozen_to_the_end(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    first = rng.randrange(1, len(shown))
    return shown[:first] + [reading._replace(value=shown[first - 1].value) for reading in shown[first:]]


def arrives_late(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    for _ in range(3):
        first = rng.randrange(len(shown))
        until_s = shown[first].arrived_s + rng.randint(1, 30)
        shown = shown[:first] + [r._replace(arrived_s=max(r.arrived_s, until_s)) for r in shown[first:]]
    return shown


def twice_and_shuffled(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    shown = shown + [rng.choice(shown) for _ in range(5)]
    rng.shuffle(shown)
    return shown


def rolls_over(rng: random.Random, charge: Charge, shown: list[Shown]) -> list[Shown]:
    delivered = charge.delivered_e4kwh(charge.seconds)
    charge.offset = charge.profile.modulus_e4kwh - rng.randint(1, max(1, delivered))
    return charge.readings()


def measured_by(charge: Charge, shown: list[Shown], register: RegisterFacts | None = None) -> Measurement:
    readings = ReadingArrays.of(
        [T0 + 1000 * reading.arrived_s for reading in shown],
        [reading.value for reading in shown],
        power_w=[reading.power_w for reading in shown],
        charge_minutes=[reading.taken_s // 60 for reading in shown],
        seq=[reading.taken_s for reading in shown],
    )
    last_ms = T0 + 1000 * max(charge.seconds, max(reading.arrived_s for reading in shown))
    began_ms = T0 if charge.profile.register_kind == "lifetime" else 0
    return measure(readings, charge.profile, began_ms=began_ms, end_high_ms=last_ms, register=register)


EVERY_KIND = ("session", "lifetime")
CASES: list[tuple[Fault, tuple[str, ...]]] = [
    (no_fault, EVERY_KIND),
    (zeros_at_start, EVERY_KIND),
    (zeros_in_between, EVERY_KIND),
    (spike, EVERY_KIND),
    (dip, EVERY_KIND),
    (restart, EVERY_KIND),
    (rollback, EVERY_KIND),
    (silence_inside, EVERY_KIND),
    (silence_at_the_end, EVERY_KIND),
    (silence_at_the_start, EVERY_KIND),
    (frozen_then_right, EVERY_KIND),
    (frozen_to_the_end, EVERY_KIND),
    (arrives_late, EVERY_KIND),
    (twice_and_shuffled, EVERY_KIND),
    (rolls_over, ("lifetime",)),
]
PARAMETERS = [pytest.param(fault, kind, id=f"{fault.__name__}-{kind}") for fault, kinds in CASES for kind in kinds]


def cannot_be_seen(fault: Fault, profile: MeterProfile) -> int:
    """What a fault can do that no rule can see, 1e-4 kWh."""
    if fault in (spike, dip):
        return 3 * profile.quantum_e4kwh  # two quanta are jitter
    if fault is frozen_to_the_end:
        # Two quanta are how a register counts; power is sampled, and may change between two samples.
        return 2 * profile.quantum_e4kwh + profile.energy_at_pmax(15_000)
    return 0


@pytest.mark.parametrize(("fault", "kind"), PARAMETERS)
def test_the_truth_lies_inside_the_interval(fault: Fault, kind: str) -> None:
    for seed in range(SEEDS):
        rng = random.Random(f"{fault.__name__} {kind} {seed}")
        charge = Charge(rng, kind)
        measured = measured_by(charge, fault(rng, charge, charge.readings()))
        truth = charge.delivered_e4kwh(charge.seconds)
        slack = cannot_be_seen(fault, charge.profile)
        assert measured.low_e4kwh - slack <= truth <= measured.high_e4kwh + slack, (
            f"seed {seed}: {truth} is outside [{measured.low_e4kwh}, {measured.high_e4kwh}], {measured.flags!r}"
        )


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_clean_sessions_are_valid_and_two_quanta_wide(kind: str) -> None:
    for seed in range(SEEDS):
        rng = random.Random(f"clean {kind} {seed}")
        charge = Charge(rng, kind)
        measured = measured_by(charge, charge.readings())
        quantum = charge.profile.quantum_e4kwh
        assert (measured.quality, measured.flags) == (Quality.VALID, Flag(0)), f"seed {seed}: {measured.flags!r}"
        assert measured.high_e4kwh - measured.best_e4kwh == quantum, f"seed {seed}"


@pytest.mark.parametrize(
    ("fault", "flag", "worst", "best"),
    [
        (zeros_in_between, Flag.ZERO_READ, Quality.DERIVED, Quality.DERIVED),
        (restart, Flag.RESET, Quality.QUESTIONABLE, Quality.QUESTIONABLE),
        (rollback, Flag.ROLLBACK, Quality.QUESTIONABLE, Quality.QUESTIONABLE),
        (silence_inside, Flag.GAP, Quality.VALID, Quality.VALID),
        (silence_at_the_end, Flag.TAIL_GAP, Quality.ESTIMATED, Quality.ESTIMATED),
        (frozen_to_the_end, Flag.FROZEN, Quality.ESTIMATED, Quality.ESTIMATED),
        (rolls_over, Flag.ROLLOVER, Quality.VALID, Quality.VALID),
    ],
)
def test_a_fault_is_named_and_lowers_the_quality(fault: Fault, flag: Flag, worst: Quality, best: Quality) -> None:
    kind = "lifetime" if fault is rolls_over else "session"
    named = 0
    for seed in range(SEEDS):
        rng = random.Random(f"named {fault.__name__} {seed}")
        charge = Charge(rng, kind)
        measured = measured_by(charge, fault(rng, charge, charge.readings()))
        if flag in measured.flags:
            named += 1
            assert worst <= measured.quality <= best, f"seed {seed}: {measured.quality!r}, {measured.flags!r}"
    assert named >= SEEDS // 5, "the fault was hardly ever seen"


def test_the_previous_end_replaces_a_late_baseline() -> None:
    for seed in range(SEEDS):
        rng = random.Random(f"previous end {seed}")
        charge = Charge(rng, "lifetime")
        shown = silence_at_the_start(rng, charge, charge.readings())
        measured = measured_by(charge, shown, RegisterFacts(previous_end_e4kwh=charge.show(0)))
        truth = charge.delivered_e4kwh(charge.seconds)
        assert measured.low_e4kwh <= truth <= measured.high_e4kwh
        if Flag.BASELINE_PREV_END in measured.flags:
            assert measured.high_e4kwh - measured.best_e4kwh == charge.profile.quantum_e4kwh
