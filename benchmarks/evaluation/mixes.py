"""How often each fault happens: as in the log of the platform that this one replaces, or all equally often."""

from typing import Final, Literal

import numpy as np

from benchmarks.evaluation.chargers import MODELS, Model
from benchmarks.evaluation.faults import FAULTS, MOVES_THE_REGISTER

Mix = Literal["historic", "each"]
MIXES: Final = ("historic", "each")

_BILLS: Final = 1_115_291
"""A million normal bills and the 115,291 abnormal ones of requirement C9."""
_WITH_CODE_8: Final = 113_102

_SHARES_OF_CODE_8: Final = {
    "zero_before": 0.66,
    "zero_mid": 0.12,
    "missing_reads": 0.05,
    "late_baseline": 0.05,
    "spike": 0.04,
    "jump": 0.02,
    "gap_inside": 0.02,
    "gap_tail": 0.005,
    "frozen": 0.005,
    "rollback": 0.005,
    "reset": 0.005,
    "register_replaced": 0.003,
    "rollover": 0.001,
    "scale": 0.001,
    "mixed": 0.015,
}
"""The log names the causes (a zero before the start above all, then RS-485 loss and jumps) but does not count them."""

_COUNTED: Final = {"no_bill": 261 + 7, "clock_off": 632, "bill_wrong": 294 + 2, "no_readings": 36}
"""Codes 1 and 2; 3; 11 and 4; the bills whose duration alone differs."""

_WITHOUT_A_CODE: Final = {"duplicate": 0.01, "jitter": 0.005, "out_of_order": 0.003}
"""Chargers do that all the time, and no bill shows it."""


def shares(mix: Mix) -> dict[str, float]:
    """The share of each fault, "none" included; they sum to 1."""
    if mix == "each":
        return dict.fromkeys(FAULTS, 1 / len(FAULTS))
    told = {name: share * _WITH_CODE_8 / _BILLS for name, share in _SHARES_OF_CODE_8.items()}
    told |= {name: count / _BILLS for name, count in _COUNTED.items()}
    told |= _WITHOUT_A_CODE
    return {name: told.get(name, 0.0) for name in FAULTS} | {"none": 1 - sum(told.values())}


def shares_of(model: Model, mix: Mix) -> tuple[list[str], list[float]]:
    """The faults that a model's chargers can have, and the share of each among their charges.

    Faults that only some models can have are as much more frequent there.
    """
    wanted = shares(mix)
    weights = {
        name: share * len(MODELS) / sum(can_have(other, name) for other in MODELS)
        for name, share in wanted.items()
        if can_have(model, name)
    }
    others = sum(weight for name, weight in weights.items() if name != "none")
    if mix == "historic":
        weights["none"] = 1 - others
    total = sum(weights.values())
    return list(weights), [weight / total for weight in weights.values()]


def can_have(model: Model, fault: str) -> bool:
    """Whether such chargers can have the fault."""
    if fault == "rollover":
        return model.wraps_at_digits > 0
    if fault == "count_off":
        return model.counts_energy and model.register != "session"
    if fault == "not_reset":
        return model.register == "session"
    return fault != "register_replaced" or model.register != "session"


class FaultDraw:
    """Draws faults for the charges of one charger."""

    def __init__(self, model: Model, mix: Mix, random: np.random.Generator) -> None:
        self._names, self._weights = shares_of(model, mix)
        self._random = random

    def plan(self, count: int) -> list[str]:
        """A fault for each of its charges. A register rolls over once at most."""
        drawn = [self._one() for _ in range(count)]
        first = drawn.index("rollover") if "rollover" in drawn else count
        return [name if name != "rollover" or place == first else self.another() for place, name in enumerate(drawn)]

    def another(self) -> str:
        """A fault that needs no plan, in the place of one that the charge cannot have."""
        while (name := self._one()) == "rollover":
            continue
        return name

    def standing(self) -> str:
        """Another one that leaves the register where the energy of the charges says."""
        while (name := self.another()) in MOVES_THE_REGISTER:
            continue
        return name

    def _one(self) -> str:
        return self._names[int(self._random.choice(len(self._names), p=self._weights))]
