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
NOTHING_MISSING: Final = (
    "none",
    "zero_before",
    "zero_mid",
    "spike",
    "jitter",
    "register_replaced",
    "rollover",
    "duplicate",
    "out_of_order",
    "scale",
    "no_bill",
    "bill_wrong",
    "clock_off",
    "count_off",
)
"""Every reading comes, and the readings around what went wrong tell the energy between them."""
READINGS_LOST: Final = (
    "late_baseline",
    "gap_inside",
    "gap_tail",
    "no_readings",
    "missing_reads",
    "risen_in_silence",
    "end_claimed",
    "mute_end",
)
"""Readings never come, or only later."""
STEP_UNTOLD: Final = ("jump", "rollback", "reset", "frozen", "risen_at_end", "not_reset")
"""Every reading comes, but what flowed while the register broke is in none: from 0 to what the charger can give."""
MIXED: Final = ("mixed",)
"""May be any of these."""
MOST_HELD_SHARE: Final = 0.01
LEAST_INSIDE_SHARE: Final = 0.995
LEAST_RIGHT_SHARE: Final = 0.995
HALF: Final = 0.5
WIDTH_GOAL: Final = "at most 2 quanta + 1 % wide of"
"""A median is at most its limit where half of the intervals are, each held against the limit of its own charge."""
LEFT_OUT: Final = (
    f"without a goal of width: {', '.join(READINGS_LOST)} (readings are missing); "
    f"{', '.join(STEP_UNTOLD)} (what flowed while the register broke is in no reading); {', '.join(MIXED)}"
)


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
    for name in NOTHING_MISSING:
        if name in faults:
            narrow = _share(faults[name]["narrow"], faults[name]["n"])
            found[f"{WIDTH_GOAL} {name}"] = _at_least(narrow, HALF)
    if report["mix"] == "historic":
        found["right"] = _at_least(_share(total["right"], total["n"]), LEAST_RIGHT_SHARE)
    return found


def _at_most(value: float, limit: float) -> dict[str, Any]:
    return {"value": value, "at_most": limit, "met": value <= limit}


def _at_least(value: float, limit: float) -> dict[str, Any]:
    return {"value": value, "at_least": limit, "met": value >= limit}


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
