"""RESULTS.md: a pure function of the kept results."""

import statistics
from collections.abc import Sequence
from typing import Any, Final

from benchmarks.report.goals import GOALS, Goal, Judged, judged
from benchmarks.report.results import Machine, Result
from benchmarks.report.workloads import WORKLOADS, Workload

SHOWN_APART: Final = {
    *("workload", "contestants", "ratios", "measures", "processes", "limit", "versions", "machine", "seed", "goal"),
}
OF_EACH_CONTESTANT: Final = {"unit", "values", "median", "rounds", "runs", "columns", "rate"}
NO_LIMIT: Final = "The benchmark tells no limit; where the time goes: [docs/profile.md](../docs/profile.md)."
INTRODUCTION: Final = """\
# Results

Written by `make bench`; do not edit. What the contestants are and how to read this:
[docs/benchmarks.md](../docs/benchmarks.md). The numbers behind it: [results/](results). Ratios compare runs that took
turns on one machine; absolute rates are that machine's. A goal that is missed stays in the table.
"""


def rendered(results: dict[str, Result]) -> str:
    """The whole page, from the result of each workload."""
    newest = max(results.values(), key=lambda result: result.began, default=None)
    parts = [INTRODUCTION]
    if newest is not None:
        parts += [_measured_on(newest.machine), "## Goals\n", _table_of_goals(results, newest), _legend(newest)]
    for workload in WORKLOADS:
        parts.append(_section(workload, results.get(workload.name), newest))
    return "\n".join(parts)


def _measured_on(machine: Machine) -> str:
    return (
        f"Machine: {machine.cores} cores of {machine.processor}, {machine.memory_gib:g} GiB, {machine.kernel}. "
        f"One writer gets {machine.disk_mb_per_s:,} MB/s synced on the disk ({machine.disk}) and "
        f"{machine.memory_disk_mb_per_s:,} MB/s in memory ({machine.memory_disk}).\n"
    )


def _legend(newest: Result) -> str:
    return (
        f"Newest run: {newest.began} UTC at {_version(newest)}. Rows of another time or version say so. "
        "Measured is the median of the runs, or the worst of them where a goal allows no exception; spread is the "
        "distance from the lowest to the highest run as a part of the median.\n"
    )


def _table_of_goals(results: dict[str, Result], newest: Result) -> str:
    rows: list[tuple[str, ...]] = [
        ("workload", "goal", "measured", "met", "runs", "spread", "pilestream / each contestant")
    ]
    told: set[str] = set()
    for goal in GOALS:
        rows.append(_row(goal, results.get(goal.workload), newest, with_ratios=goal.workload not in told))
        told.add(goal.workload)
    return _table(rows)


def _row(goal: Goal, result: Result | None, newest: Result, *, with_ratios: bool) -> tuple[str, ...]:
    name = f"[{goal.workload}](#{goal.workload})"
    if result is None:
        return name, goal.text, "not measured", "**not measured**", "", "", ""
    when = _when_other(result, newest)
    if result.report is None:
        return name, goal.text, f"failed{when}", f"**failed**: {_cell(result.error)}", "", "", ""
    found = judged(goal, result.report)
    if found is None:
        return name, goal.text, f"not measured{when}", "**not measured**", "", "", ""
    ratios = ", ".join(
        f"{ratio.removeprefix('pilestream / ')} {_number(value)}"
        for ratio, value in result.report.get("ratios", {}).items()
        if with_ratios and ratio.startswith("pilestream / ")
    )
    return (
        name,
        goal.text,
        f"{_number(found.value)} {found.unit}".rstrip() + when,
        _verdict(found),
        str(found.runs),
        f"{found.spread:.0%}",
        _cell(ratios),
    )


def _verdict(found: Judged) -> str:
    word = "yes" if found.is_met else "**no**"
    return f"{word}, in {found.of_length}" if found.of_length else word


def _section(workload: Workload, result: Result | None, newest: Result | None) -> str:
    parts = [f'<a id="{workload.name}"></a>\n\n## {workload.title}\n', f"{workload.measures}\n"]
    if result is None or newest is None:
        return "\n".join([*parts, "Not measured yet.\n"])
    parts.append(_run_of(result, newest))
    if result.machine != newest.machine:
        parts.append(_measured_on(result.machine))
    if result.report is None:
        return "\n".join([*parts, f"**Failed**: {result.error}\n"])
    report = result.report
    parts += [_contestants(report), _measures(report), _processes(report)]
    missed = [goal for goal in GOALS if goal.workload == workload.name and _is_missed(goal, report)]
    if missed:
        names = "; ".join(goal.text for goal in missed)
        parts.append(f"**Missed**: {names}. {report.get('limit') or NO_LIMIT}\n")
    elif report.get("limit"):
        parts.append(f"What bounds it: {report['limit']}\n")
    parts.append(_conditions(report))
    return "\n".join(part for part in parts if part)


def _is_missed(goal: Goal, report: dict[str, Any]) -> bool:
    found = judged(goal, report)
    return found is not None and not found.is_met


def _run_of(result: Result, newest: Result) -> str:
    began = f"`{result.command}`, {result.began} UTC at {_version(result)}"
    busy = f"{result.seconds:,.0f} s, {result.cpu_s:,.0f} s of processor time in all"
    older = " **An older run.**" if _when_other(result, newest) else ""
    return f"{began}: {busy}; the machine's load before it was {result.load_before:g}.{older}\n"


def _contestants(report: dict[str, Any]) -> str:
    contestants = report.get("contestants", {})
    if not contestants:
        return ""
    more = [
        key
        for key in dict.fromkeys(key for found in contestants.values() for key in found)
        if key not in OF_EACH_CONTESTANT and any(_is_shown(found.get(key)) for found in contestants.values())
    ]
    head = ("contestant", "median", "lowest to highest", "runs", "pilestream / it")
    rows: list[tuple[str, ...]] = [(*head, *(key.replace("_", " ") for key in more))]
    for name, found in contestants.items():
        values = found["values"]
        if not values:
            continue
        ratio = report.get("ratios", {}).get(f"pilestream / {name}")
        rows.append(
            (
                _cell(name),
                f"{_number(found.get('median', statistics.median(values)))} {found['unit']}",
                f"{_number(min(values))} to {_number(max(values))}",
                str(len(values)),
                "" if ratio is None else _number(ratio),
                *(_cell(_value(found.get(key, ""))) for key in more),
            )
        )
    return _table(rows)


def _measures(report: dict[str, Any]) -> str:
    rows = [("measure", "median", "lowest to highest", "runs")]
    for name, found in report.get("measures", {}).items():
        values = found["values"]
        if values:
            median = f"{_number(statistics.median(values))} {found['unit']}".rstrip()
            rows.append((name, median, f"{_number(min(values))} to {_number(max(values))}", str(len(values))))
    return _table(rows) if len(rows) > 1 else ""


def _processes(report: dict[str, Any]) -> str:
    processes = report.get("processes", {})
    names = list(dict.fromkeys(key for found in processes.values() for key in found))
    if not names:
        return ""
    rows = [("process", *(name.replace("_", " ") for name in names))]
    rows += [(name, *(_value(found.get(key, "")) for key in names)) for name, found in processes.items()]
    return _table(rows)


def _conditions(report: dict[str, Any]) -> str:
    own = {name: value for name, value in report.items() if name not in SHOWN_APART and _is_plain(value)}
    said = [f"seed {report['seed']}"] if "seed" in report else []
    said += [f"{name.replace('_', ' ')} {_value(value)}" for name, value in own.items()]
    said += [f"{name} {found}" for name, found in report.get("versions", {}).items()]
    return f"{', '.join(said)}.\n" if said else ""


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)


def _is_shown(value: Any) -> bool:
    """A figure, or a few with their names."""
    return _is_plain(value) or (isinstance(value, dict) and all(_is_plain(each) for each in value.values()))


def _version(result: Result) -> str:
    return (result.commit or "an unknown commit") + (" with local changes" if result.has_local_changes else "")


def _when_other(result: Result, newest: Result) -> str:
    """When and at what it was measured, where that is not what the page begins with."""
    is_same = (result.commit, result.has_local_changes) == (newest.commit, newest.has_local_changes)
    if is_same and result.began[:10] == newest.began[:10]:
        return ""
    return f" ({result.began[:10]}, {_version(result)})"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    return _number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _number(value: float) -> str:
    """Three digits that matter, all before the point."""
    if value == int(value) or abs(value) >= 100:
        return f"{round(value):,}"
    return f"{value:.3g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"|{' --- |' * len(rows[0])}", *lines[1:]]) + "\n"
