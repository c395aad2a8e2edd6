"""Truth against bills: what was billed right, what waits for a person, and what was wrong without a sign."""

from collections import Counter
from typing import Any, Final, Literal

import msgspec
import numpy as np

from benchmarks.evaluation.faults import FAULTS
from benchmarks.evaluation.stories import Truth

Verdict = Literal["right", "held", "wrong_unflagged"]
RIGHT_SHARE: Final = 200
"""0.5 %: right is what lies within that or one quantum of the truth, whichever is more."""
KWH_E4: Final = 10_000
FEN_PER_YUAN: Final = 100
MOST_CASES: Final = 200


class Billed(msgspec.Struct, frozen=True):
    """What the platform made of a charge. `naive_e4kwh`: last reading less first, None without any.

    `final_e4kwh` None: nothing is known. `amount_fen` None: there is no price, or it was not looked at.
    """

    final_e4kwh: int | None
    low_e4kwh: int
    high_e4kwh: int
    naive_e4kwh: int | None
    quality: str
    held: bool
    codes: tuple[int, ...] = ()
    codes_raw: tuple[int, ...] = ()
    rule: int = 0
    flags: tuple[str, ...] = ()
    amount_fen: int | None = None


class Score:
    """The counts of one fault, or of all."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.errors: list[int] = []
        self.naive_errors: list[int] = []
        self.widths: list[int] = []
        self.money_errors: list[int] = []
        self.true_fen = 0
        self.billed_fen = 0
        self.codes: Counter[str] = Counter()

    def add(self, truth: Truth, billed: Billed | None) -> Verdict:
        """Count one charge; None = the platform has no bill of it."""
        self.counts["n"] += 1
        tolerance = max(truth.quantum_e4kwh, truth.energy_e4kwh // RIGHT_SHARE)
        verdict = _verdict(truth, billed, tolerance)
        self.counts[verdict] += 1
        naive = billed.naive_e4kwh if billed is not None else None
        naive_error = abs((naive or 0) - truth.energy_e4kwh)
        self.counts["naive_right"] += naive_error <= tolerance
        self.counts["naive_inside"] += naive_error <= truth.quantum_e4kwh
        self.naive_errors.append(naive_error)
        if billed is None:
            self.errors.append(truth.energy_e4kwh)
            return verdict
        self.counts["inside"] += billed.low_e4kwh <= truth.energy_e4kwh <= billed.high_e4kwh
        self.widths.append(billed.high_e4kwh - billed.low_e4kwh)
        self.counts["narrow"] += self.widths[-1] <= 2 * truth.quantum_e4kwh + truth.energy_e4kwh // 100
        self.errors.append(abs((billed.final_e4kwh or 0) - truth.energy_e4kwh))
        self._add_money(truth, billed)
        if billed.codes:
            self.codes[",".join(map(str, billed.codes))] += 1
        return verdict

    def _add_money(self, truth: Truth, billed: Billed) -> None:
        if billed.amount_fen is None or billed.held:
            return
        self.money_errors.append(abs(billed.amount_fen - truth.amount_fen))
        self.true_fen += truth.amount_fen
        self.billed_fen += billed.amount_fen

    def report(self) -> dict[str, Any]:
        """The counts, the errors in kWh and the money in yuan of what was billed without a person."""
        return {
            **{name: self.counts[name] for name in ("n", "right", "held", "wrong_unflagged", "inside")},
            "p50_error_kwh": _percentile(self.errors, 50),
            "p99_error_kwh": _percentile(self.errors, 99),
            "median_width_kwh": _percentile(self.widths, 50),
            "narrow": self.counts["narrow"],
            "codes": dict(self.codes.most_common()),
            "money": {
                "bills": len(self.money_errors),
                "true_yuan": self.true_fen / FEN_PER_YUAN,
                "billed_yuan": self.billed_fen / FEN_PER_YUAN,
                "p50_error_yuan": _percentile(self.money_errors, 50, FEN_PER_YUAN),
                "p99_error_yuan": _percentile(self.money_errors, 99, FEN_PER_YUAN),
            },
        }

    def naive_report(self) -> dict[str, Any]:
        """The same for the difference of the last and the first reading, which no one ever holds.

        Its interval is one quantum either way.
        """
        right = self.counts["naive_right"]
        return {
            "n": self.counts["n"],
            "right": right,
            "held": 0,
            "wrong_unflagged": self.counts["n"] - right,
            "inside": self.counts["naive_inside"],
            "p50_error_kwh": _percentile(self.naive_errors, 50),
            "p99_error_kwh": _percentile(self.naive_errors, 99),
        }


class Scores:
    """The counts of every fault and of all charges together."""

    def __init__(self) -> None:
        self.faults: dict[str, Score] = {}
        self.total = Score()
        self.by_model: dict[str, Score] = {}
        self._cases: list[dict[str, Any]] = []

    def add(self, truth: Truth, billed: Billed | None) -> Verdict:
        """Count one charge; None = the platform has no bill of it."""
        self.faults.setdefault(truth.fault, Score()).add(truth, billed)
        self.by_model.setdefault(truth.model, Score()).add(truth, billed)
        verdict = self.total.add(truth, billed)
        if verdict == "wrong_unflagged" or (truth.fault == "none" and billed is not None and billed.codes):
            self._cases.append(_case(truth, billed))
        return verdict

    def report(self) -> dict[str, Any]:
        """Everything, in the shape of `pilestream evaluate --json`.

        `cases`: charges billed wrong and not held, and fault-free ones with a code, up to 200.
        """
        faults = {name: self.faults[name] for name in FAULTS if name in self.faults}
        return {
            "faults": {name: score.report() for name, score in faults.items()},
            "total": self.total.report(),
            "naive": {
                **self.total.naive_report(),
                "faults": {name: score.naive_report() for name, score in faults.items()},
            },
            "models": {name: score.report() for name, score in sorted(self.by_model.items())},
            "cases": sorted(self._cases, key=lambda case: (case["fault"], case["trade_no"]))[:MOST_CASES],
        }


def _case(truth: Truth, billed: Billed | None) -> dict[str, Any]:
    """A charge that should not have come out so, to be looked up by its number."""
    case: dict[str, Any] = {
        "trade_no": truth.trade_no,
        "pile": truth.pile,
        "model": truth.model,
        "fault": truth.fault,
        "parts": list(truth.parts),
        "true_kwh": truth.energy_e4kwh / KWH_E4,
    }
    if billed is None:
        return case
    return case | {
        "final_kwh": None if billed.final_e4kwh is None else billed.final_e4kwh / KWH_E4,
        "low_kwh": billed.low_e4kwh / KWH_E4,
        "high_kwh": billed.high_e4kwh / KWH_E4,
        "quality": billed.quality,
        "final_rule": billed.rule,
        "codes": list(billed.codes),
        "flags": list(billed.flags),
    }


def _verdict(truth: Truth, billed: Billed | None, tolerance: int) -> Verdict:
    if billed is not None and billed.held:
        return "held"
    if billed is None or billed.final_e4kwh is None:
        return "wrong_unflagged"
    return "right" if abs(billed.final_e4kwh - truth.energy_e4kwh) <= tolerance else "wrong_unflagged"


def _percentile(values: list[int], percent: int, unit: int = KWH_E4) -> float:
    """Of whole numbers, the value that so many percent do not exceed; shown in the larger unit, 0 of none."""
    if not values:
        return 0.0
    place = -(-len(values) * percent // 100) - 1
    return int(np.partition(np.array(values, dtype=np.int64), place)[place]) / unit
