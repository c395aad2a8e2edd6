"""What the bills of an evaluation have to keep, and whether they did."""

from typing import Any, Final

SELDOM_HELD: Final = (
    "none",
    "zero_before",
    "zero_mid",
    "spike",
    "jitter",
    "duplicate",
    "gap_inside",
    "rollover",
)
"""These leave the energy known: a person is to be asked for hardly any of them."""
NOTHING_MISSING: Final = (*SELDOM_HELD[:6], "rollover", "out_of_order", "no_bill", "bill_wrong", "clock_off")
"""The line loses no reading in these."""
MOST_HELD_SHARE: Final = 0.01
LEAST_INSIDE_SHARE: Final = 0.995
LEAST_RIGHT_SHARE: Final = 0.995
HALF: Final = 0.5


def goals(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each goal that these charges can show, with what came out, its limit, and whether it is met.

    `report`: as `benchmarks.evaluation.scores.Scores.report` gives it, with its `mix`.
    """
    total, faults = report["total"], report["faults"]
    none = faults.get("none", {"codes": {}})
    found = {
        "wrong without a sign": _at_most(total["wrong_unflagged"], 0),
        "truth inside the interval": _at_least(_share(total["inside"], total["n"]), LEAST_INSIDE_SHARE),
        "fault-free charges with a code": _at_most(sum(none["codes"].values()), 0),
    }
    for name in SELDOM_HELD:
        if name in faults:
            held = _share(faults[name]["held"], faults[name]["n"])
            found[f"held of {name}"] = _at_most(held, MOST_HELD_SHARE)
    complete = [faults[name] for name in NOTHING_MISSING if name in faults]
    if complete:
        narrow = _share(sum(score["narrow"] for score in complete), sum(score["n"] for score in complete))
        found["at most 2 quanta + 1 % wide where no reading is missing"] = _at_least(narrow, HALF)
    if report["mix"] == "historic":
        found["right"] = _at_least(_share(total["right"], total["n"]), LEAST_RIGHT_SHARE)
    return found


def _at_most(value: float, limit: float) -> dict[str, Any]:
    return {"value": value, "at_most": limit, "met": value <= limit}


def _at_least(value: float, limit: float) -> dict[str, Any]:
    return {"value": value, "at_least": limit, "met": value >= limit}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
