"""`pilestream anomalies --orphans` and `--findings`: what no bill carries, as a table, CSV or JSON."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, Final, Literal

from analytics.beside_bills import Subject
from analytics.safe_text import printable, safe_cell

COLUMNS: Final[dict[Subject, tuple[str, ...]]] = {
    "orphans": ("trade_no", "pile", "connector", "start", "end", "received", "energy_kwh"),
    "findings": (
        *("finding", "pile", "connector", "from", "to", "previous_trade_no", "trade_no"),
        *("previous_end_kwh", "next_start_kwh", "between_kwh", "missing_kwh", "reach_kwh"),
    ),
}
_NOTHING: Final[dict[Subject, str]] = {
    "orphans": "no record waits without a charge",
    "findings": "no register went on between two charges",
}


def render_beside_bills(
    subject: Subject,
    lines: Sequence[dict[str, Any]],
    output: Literal["table", "csv", "json"],
    about: dict[str, str | None],
) -> str:
    """The lines of `beside_bills` as text to read, as CSV with a header, or as one JSON object with `about` in it."""
    if output == "json":
        return json.dumps({subject: list(lines), **about}, ensure_ascii=False)
    names = COLUMNS[subject]
    if output == "csv":
        target = io.StringIO()
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([safe_cell(line[name]) for name in names] for line in lines)
        return target.getvalue().rstrip("\n")
    if not lines:
        return _NOTHING[subject]
    rows = [names, *([_cell(line[name]) for name in names] for line in lines)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(names))]
    return "\n".join("  ".join(map(_aligned, row, widths, names)).rstrip() for row in rows)


def _cell(value: object) -> str:
    return "-" if value is None else printable(str(value))


def _aligned(text: str, width: int, name: str) -> str:
    return text.rjust(width) if name.endswith("_kwh") or name == "connector" else text.ljust(width)
