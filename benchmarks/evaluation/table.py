"""The evaluation as a table for people."""

from collections.abc import Iterator
from typing import Any, Final

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


def table_lines(report: dict[str, Any]) -> list[str]:
    """A line for each fault and one for all."""
    rows = [_HEAD, *_rows(report)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _rows(report: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    naive = report["naive"]["faults"]
    for name, score in report["faults"].items():
        yield _row(name, score, naive[name])
    yield _row("total", report["total"], report["naive"])


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
        f"{naive['p99_error_kwh']:.2f}",
    )
