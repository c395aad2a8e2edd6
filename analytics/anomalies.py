"""The statistics of anomaly codes: how many final bills carry which set (requirement S02)."""

import csv
import io
from collections import Counter
from datetime import date
from typing import Literal

import msgspec
from clickhouse_driver import Client

from analytics.questions import Scope, ask

DISPLAY_ORDER = (1, 2, 3, 4, 5, 7, 8, 9, 11, 6)
"""The order in which a set is written; 6 is decided last (requirement S01)."""

_FIRST_DAY = date(1970, 1, 1)
_LAST_DAY = date(2149, 6, 6)

Format = Literal["table", "csv", "json"]


class AnomalyTable(msgspec.Struct, frozen=True):
    """Final bills by their set of codes, raw and after correction, and by cause; `bills` counts those without too."""

    bills: int
    raw: dict[str, int]
    corrected: dict[str, int]
    causes: dict[str, int]


def code_set_text(codes: list[int] | tuple[int, ...]) -> str:
    """A set of codes as it is written everywhere, for example "8,9,6"."""
    return ",".join(str(code) for code in sorted(set(codes), key=_display_place))


def anomaly_table(
    client: Client, scope: Scope, from_day: date | None = None, to_day: date | None = None
) -> AnomalyTable:
    """Counts over the bills whose local day of the end is `from_day`..`to_day`, both included; None leaves it open."""
    answer = ask(client, "anomaly_sets", scope, from_day=from_day or _FIRST_DAY, to_day=to_day or _LAST_DAY)
    bills = 0
    raw: Counter[str] = Counter()
    corrected: Counter[str] = Counter()
    causes: Counter[str] = Counter()
    for codes_raw, codes, bill_causes, count in answer.rows:
        bills += count
        if codes_raw:
            raw[code_set_text(codes_raw)] += count
        if codes:
            corrected[code_set_text(codes)] += count
        for cause in bill_causes:
            causes[cause] += count
    return AnomalyTable(
        bills=bills,
        raw=_by_count(raw),
        corrected=_by_count(corrected),
        causes=_by_count(causes),
    )


def render(table: AnomalyTable, output: Format) -> str:
    """The table as text to read, as CSV with one row per set, or as one line of JSON."""
    if output == "json":
        return msgspec.json.encode(table).decode()
    sets = sorted(
        {*table.raw, *table.corrected}, key=lambda text: [_display_place(int(code)) for code in text.split(",")]
    )
    if output == "csv":
        return _csv(table, sets)
    return _text(table, sets)


def _csv(table: AnomalyTable, sets: list[str]) -> str:
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(("kind", "name", "raw", "corrected"))
    writer.writerow(("bills", "", table.bills, table.bills))
    writer.writerows(("set", name, table.raw.get(name, 0), table.corrected.get(name, 0)) for name in sets)
    writer.writerows(("cause", name, count, "") for name, count in table.causes.items())
    return target.getvalue().rstrip("\n")


def _text(table: AnomalyTable, sets: list[str]) -> str:
    lines = [f"final bills: {table.bills:,}", "", f"{'codes':<16}{'raw':>12}{'corrected':>12}"]
    lines += [f"{name:<16}{table.raw.get(name, 0):>12,}{table.corrected.get(name, 0):>12,}" for name in sets]
    lines.append(f"{'with a code':<16}{sum(table.raw.values()):>12,}{sum(table.corrected.values()):>12,}")
    if table.causes:
        lines += ["", f"{'cause':<16}{'bills':>12}"]
        lines += [f"{name:<16}{count:>12,}" for name, count in table.causes.items()]
    return "\n".join(lines)


def _by_count(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _display_place(code: int) -> int:
    return DISPLAY_ORDER.index(code) if code in DISPLAY_ORDER else len(DISPLAY_ORDER) + code
