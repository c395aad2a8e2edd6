"""What `pilestream evaluate --historic` prints: the log's table beside ours, and why what remains remains."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from clickhouse_driver import Client

from analytics.anomalies import AnomalyTable, CodeCounts, anomaly_table, set_order
from analytics.questions import PLATFORM_SCOPE
from benchmarks.historic.table import Wanted
from service.evaluation import Output
from service.markdown import markdown_table

GIB = 1 << 30
NUMBER_NAMES: Final = {"bills": "with and without a code", "whole_kwh": "meters of whole kWh"}


class RemainingAt(msgspec.Struct, frozen=True):
    """A code that stays after correction at the chargers of a vendor: sub-reason, cause (empty = not known), bills."""

    code: int
    reason: str
    cause: str
    vendor: str
    bills: int


class HistoricReport(msgspec.Struct, frozen=True):
    """The tables of a run. `logged` is what the raw table has to be; whole-kWh meters are in none but their own.

    `logged_bills`, `logged_whole_kwh_bills`: how many bills there have to be, those without a code among them.
    """

    logged: dict[str, int]
    logged_bills: int
    logged_whole_kwh_bills: int
    raw: dict[str, int]
    corrected: dict[str, int]
    causes: dict[str, int]
    remaining: list[RemainingAt]
    bills: int
    whole_kwh: CodeCounts
    frames: int
    seconds: float
    bytes_on_disk: int

    @property
    def equal(self) -> bool:
        """The raw table and the numbers of bills are the log's, to the bill."""
        return not self.differing

    @property
    def differing(self) -> list[str]:
        """The sets whose counts differ from the log's; then `bills`, `whole_kwh` where the number of bills differs."""
        found = {*self.raw, *self.logged}
        sets = [name for name in _in_order(found) if self.raw.get(name, 0) != self.logged.get(name, 0)]
        return sets + [name for name, (ours, logs) in self._numbers.items() if ours != logs]

    @property
    def differences(self) -> list[str]:
        """Each of `differing` in words, with both counts."""
        return [self._difference(name) for name in self.differing]

    @property
    def _numbers(self) -> dict[str, tuple[int, int]]:
        return {
            "bills": (self.bills, self.logged_bills),
            "whole_kwh": (self.whole_kwh.bills, self.logged_whole_kwh_bills),
        }

    def _difference(self, name: str) -> str:
        if name not in self._numbers:
            return f"set {name}: {self.raw.get(name, 0)} bills, the log has {self.logged.get(name, 0)}"
        ours, logs = self._numbers[name]
        return f"{NUMBER_NAMES[name]}: {ours} bills, the log has {logs}"


def report_of(
    client: Client, wanted: Wanted, *, whole_kwh_vendor: str, frames: int, seconds: float, bytes_on_disk: int
) -> HistoricReport:
    """Ask for the anomalies of all bills, those of whole-kWh meters (all of them that vendor's) apart."""
    table = anomaly_table(client, PLATFORM_SCOPE, by=("vendor",))
    vendors = [group.group["vendor"] for group in table.groups]
    remaining: list[RemainingAt] = []
    causes: dict[str, int] = {}
    for vendor in vendors:
        if vendor == whole_kwh_vendor:
            continue
        own = anomaly_table(client, PLATFORM_SCOPE, only={"vendor": vendor})
        remaining += [RemainingAt(one.code, one.reason, one.cause, vendor, one.bills) for one in own.remaining]
        for cause, bills in own.causes.items():
            causes[cause] = causes.get(cause, 0) + bills
    return HistoricReport(
        logged=dict(wanted.abnormal),
        logged_bills=wanted.bills,
        logged_whole_kwh_bills=wanted.whole_kwh,
        raw=_without(table.raw, table.whole_kwh.raw),
        corrected=_without(table.corrected, table.whole_kwh.corrected),
        causes=dict(sorted(causes.items(), key=lambda item: (-item[1], item[0]))),
        remaining=sorted(remaining, key=lambda one: (-one.bills, one.code, one.reason, one.cause, one.vendor)),
        bills=table.bills - table.whole_kwh.bills,
        whole_kwh=_alone(table),
        frames=frames,
        seconds=seconds,
        bytes_on_disk=bytes_on_disk,
    )


def render(report: HistoricReport, output: Output) -> str:
    """The tables as text to read, as Markdown for the docs, or as one line of JSON."""
    if output == "json":
        return as_json(report)
    return as_markdown(report) if output == "md" else as_text(report)


def as_json(report: HistoricReport) -> str:
    """One line of JSON."""
    content: dict[str, Any] = {**msgspec.to_builtins(report), "equal": report.equal, "differing": report.differing}
    content["seconds"] = round(report.seconds, 1)
    return json.dumps(content, ensure_ascii=False)


def as_text(report: HistoricReport) -> str:
    """The tables to read."""
    lines = [
        f"{report.bills:,} bills from {report.frames:,} frames in {report.seconds / 60:.1f} min, "
        f"{report.bytes_on_disk / GIB:.2f} GiB on disk",
        "",
        f"{'codes':<14}{'log':>10}{'raw':>10}{'corrected':>12}",
    ]
    for name in _in_order({*report.logged, *report.raw, *report.corrected}):
        counts = (report.logged.get(name, 0), report.raw.get(name, 0), report.corrected.get(name, 0))
        mark = "" if counts[0] == counts[1] else "  <- differs"
        lines.append(f"{name:<14}{counts[0]:>10,}{counts[1]:>10,}{counts[2]:>12,}{mark}")
    totals = (sum(report.logged.values()), sum(report.raw.values()), sum(report.corrected.values()))
    lines.append(f"{'with a code':<14}{totals[0]:>10,}{totals[1]:>10,}{totals[2]:>12,}")
    lines += ["", f"{'cause':<20}{'bills':>10}"]
    lines += [f"{name:<20}{bills:>10,}" for name, bills in report.causes.items()]
    lines += ["", "why codes remain:", f"{'code':<6}{'because':<24}{'cause':<18}{'vendor':<14}{'bills':>8}"]
    lines += [
        f"{one.code:<6}{one.reason:<24}{one.cause or 'not known':<18}{one.vendor:<14}{one.bills:>8,}"
        for one in report.remaining
    ]
    if report.whole_kwh.bills:
        raw, corrected = sum(report.whole_kwh.raw.values()), sum(report.whole_kwh.corrected.values())
        lines += [
            "",
            f"apart, meters of whole kWh: {report.whole_kwh.bills:,} bills, {raw:,} with a code raw ("
            + ", ".join(f"{name}: {count:,}" for name, count in report.whole_kwh.raw.items())
            + f"), {corrected:,} after correction",
        ]
    lines += ["", f"the raw table and the numbers of bills are the log's: {'yes' if report.equal else 'no'}"]
    return "\n".join(lines)


def as_markdown(report: HistoricReport) -> str:
    """The tables of the docs: sets of codes, causes, what remains by maker, meters of whole kWh."""
    counts = (report.logged, report.raw, report.corrected)
    names = _in_order({name for counted in counts for name in counted})
    sets = [(name, *(counted.get(name, 0) for counted in counts)) for name in names]
    totals = ("**with a code**", *(sum(counted.values()) for counted in counts))
    makers: dict[str, int] = {}
    whys: dict[tuple[int, str, str], dict[str, int]] = {}
    for one in report.remaining:
        makers[one.vendor] = makers.get(one.vendor, 0) + one.bills
        whys.setdefault((one.code, one.reason, one.cause or "not known"), {})[one.vendor] = one.bills
    vendors = sorted(makers, key=lambda vendor: (-makers[vendor], vendor))
    remaining = [
        (*map(str, why), sum(bills.values()), *(bills.get(vendor, 0) for vendor in vendors))
        for why, bills in sorted(whys.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    ]
    whole = report.whole_kwh
    return "\n".join(
        [
            f"{report.bills + whole.bills:,} bills from {report.frames:,} frames in {report.seconds / 60:.1f} minutes; "
            f"{report.bytes_on_disk / GIB:.2f} GiB were the most on the disk. "
            f"The raw table and the numbers of bills are the log's: {'yes' if report.equal else 'no'}.",
            "",
            *markdown_table(("codes", "log", "raw", "corrected"), [*sets, totals]),
            "",
            *markdown_table(("cause", "bills"), list(report.causes.items())),
            "",
            *markdown_table(("stays", "because", "cause", "bills", *vendors), remaining, words=(0, 1, 2)),
            "",
            f"Chargers with whole-kWh meters: {sum(whole.raw.values()):,} of {whole.bills:,} good bills "
            f"have a code raw, {sum(whole.corrected.values()):,} keep one.",
        ]
    )


def expected_text(logged: Mapping[str, int], normal: int) -> str:
    """What a replay of the frames has to give."""
    lines = [f"{'codes':<14}{'bills':>10}"]
    lines += [f"{name:<14}{logged[name]:>10,}" for name in _in_order(logged)]
    lines += [f"{'with a code':<14}{sum(logged.values()):>10,}", f"{'without':<14}{normal:>10,}"]
    return "\n".join(lines)


def _alone(table: AnomalyTable) -> CodeCounts:
    whole = table.whole_kwh
    return CodeCounts(whole.bills, whole.raw, whole.corrected, whole.causes)


def _without(counts: Mapping[str, int], part: Mapping[str, int]) -> dict[str, int]:
    left = {name: count - part.get(name, 0) for name, count in counts.items()}
    return {name: left[name] for name in _in_order(left) if left[name]}


def _in_order(names: Sequence[str] | set[str] | Mapping[str, int]) -> list[str]:
    return sorted(names, key=set_order)
