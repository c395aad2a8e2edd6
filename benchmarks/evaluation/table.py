"""The evaluation as a table for people."""

from collections.abc import Sequence
from typing import Any, Final

from benchmarks.evaluation.goals import LEFT_OUT

MOST_CASES: Final = 10
_HEAD: Final = (
    "fault",
    "n",
    "right",
    "held",
    "wrong",
    "inside",
    "p50 kWh",
    "p99 kWh",
    "width",
    "narrow",
    "naive right",
    "naive p99",
)


def score_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    """The cells: a head, a row for each fault and one for all."""
    naive = report["naive"]["faults"]
    rows = [_row(name, score, naive[name]) for name, score in report["faults"].items()]
    return [_HEAD, *rows, _row("total", report["total"], report["naive"])]


def table_lines(report: dict[str, Any]) -> list[str]:
    """A line for each fault and one for all."""
    rows = score_rows(report)
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def money_line(report: dict[str, Any]) -> str:
    """What was billed without a person, beside what should have been."""
    money = report["total"]["money"]
    return (
        f"money: {money['bills']:,} bills that no person waits for, {money['billed_yuan']:,.2f} yuan billed, "
        f"{money['true_yuan']:,.2f} yuan true; error of a bill: half within {money['p50_error_yuan']:.2f}, "
        f"99 % within {money['p99_error_yuan']:.2f} yuan"
    )


def goal_rows(found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """The cells: a head, and for each goal what came out, its limit and whether it is met."""
    rows: list[tuple[str, ...]] = [("goal", "figure", "limit", "")]
    for name, goal in found.items():
        bound = "at_most" if "at_most" in goal else "at_least"
        value, limit = (_figure(goal[key]) for key in ("value", bound))
        rows.append((name, value, f"{bound.replace('_', ' ')} {limit}", "met" if goal["met"] else "missed"))
    return rows


def goal_lines(found: dict[str, dict[str, Any]]) -> list[str]:
    """A line for each goal, and which faults have none of width."""
    return [
        *(f"{met:<6}  {name}: {value} ({limit})" for name, value, limit, met in goal_rows(found)[1:]),
        LEFT_OUT,
    ]


def case_lines(cases: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each charge that should not have come out so, the first ones of many."""
    lines = [
        f"{case['trade_no']}  {case['model']}  {'+'.join(case['parts']) or case['fault']}: "
        f"billed {case.get('final_kwh')} kWh, true {case['true_kwh']} kWh, codes {case.get('codes') or 'none'}"
        for case in cases[:MOST_CASES]
    ]
    more = len(cases) - len(lines)
    return [*lines, f"and {more} more (--json)"] if more else lines


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{100 * value:.2f} %"


def _row(name: str, score: dict[str, Any], naive: dict[str, Any]) -> tuple[str, ...]:
    n = max(score["n"], 1)
    return (
        name,
        f"{score['n']:,}",
        f"{100 * score['right'] / n:.2f} %",
        f"{100 * score['held'] / n:.2f} %",
        f"{score['wrong_unflagged']:,}",
        f"{100 * score['inside'] / n:.2f} %",
        f"{score['p50_error_kwh']:.4f}",
        f"{score['p99_error_kwh']:.4f}",
        f"{score['median_width_kwh']:.3f}",
        f"{100 * score['narrow'] / n:.1f} %",
        f"{100 * naive['right'] / n:.2f} %",
        f"{naive['p99_error_kwh']:,.2f}",
    )
