"""RESULTS.md says what the kept results say: what was missed, failed or never run is not made to look better."""

import re
from pathlib import Path

import msgspec
import pytest

from benchmarks.report.errors import ResultError
from benchmarks.report.goals import GOALS, Goal, judged
from benchmarks.report.rendering import rendered
from benchmarks.report.results import Machine, Result, keep, kept
from benchmarks.report.workloads import WORKLOADS

MACHINE = Machine("A processor", 2, 8.0, "Linux 6", "ext4", 900, "tmpfs", 2_000)
FRAMES = {
    "workload": "frames",
    "seed": 7,
    "contestants": {
        "pilestream": {"unit": "frames/s", "values": [78, 80, 90], "median": 80, "wait_ms": {"p50": 0.25, "max": 7}},
        "python, crc in c": {"unit": "frames/s", "values": [1, 1, 1], "median": 1},
    },
    "ratios": {"pilestream / python, crc in c": 80.0},
    "measures": {
        "vs_python": {"unit": "×", "values": [78.0, 80.0, 90.0]},
        "vs_unchecked": {"unit": "×", "values": [0.8, 0.4, 0.3]},
    },
    "processes": {"one process": {"cpu_s": 1.25, "memory_mb": 80}},
    "limit": "The checksum takes the rest.",
    "versions": {"python": "3.11"},
}


def result(workload: str = "frames", **changes: object) -> Result:
    first = Result(workload, "python -m x", "2026-11-23 08:00", 12.3, "abc123", False, 11.0, 0.2, MACHINE, FRAMES)
    return msgspec.structs.replace(first, **changes)


def rows(page: str, workload: str) -> list[list[str]]:
    """The rows of the table of goals for a workload, as cells."""
    found = re.findall(rf"^\| \[{workload}\]\(#{workload}\) \|.*$", page, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def test_a_goal_that_is_met_and_one_that_is_missed() -> None:
    page = rendered({"frames": result()})
    met, missed = rows(page, "frames")
    assert met[2:6] == ["80 ×", "yes", "3", "15%"]
    assert (met[6], missed[6]) == ("python, crc in c 80", "")
    assert missed[2:6] == ["0.4 ×", "**no**", "3", "125%"]
    assert "**Missed**: 50 % of the same code without any CRC. The checksum takes the rest." in page


def test_a_missed_goal_whose_limit_nobody_tells_leads_to_the_profile() -> None:
    page = rendered({"frames": result(report={name: part for name, part in FRAMES.items() if name != "limit"})})
    assert "**Missed**: 50 % of the same code without any CRC. The benchmark tells no limit" in page


def test_a_goal_without_exception_goes_by_the_worst_run() -> None:
    report = {"measures": {"longest_ack_ms": {"unit": "ms", "values": [20.0, 101.0, 30.0]}}}
    (wait,) = (row for row in rows(rendered({"bulk": result("bulk", report=report)}), "bulk") if "for an ack" in row[1])
    assert wait[2:4] == ["101 ms", "**no**"]


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: f"{goal.workload}-{goal.measure}")
def test_each_goal_is_met_at_its_limit_and_missed_beyond(goal: Goal) -> None:
    def is_met(value: float) -> bool:
        found = judged(goal, {"measures": {goal.measure: {"unit": "", "values": [value]}}})
        assert found is not None
        return found.is_met

    beyond = goal.limit - 0.001 if goal.at_least else goal.limit + 0.001
    assert is_met(goal.limit)
    assert not is_met(beyond)
    assert goal.workload in {workload.name for workload in WORKLOADS}


def test_a_shorter_run_than_the_goal_says_so() -> None:
    report = {"seconds": 120, "measures": {"frames_per_s": {"unit": "frames/s", "values": [160_000]}}}
    live = rows(rendered({"live": result("live", report=report)}), "live")
    assert len(live) == 4
    assert live[0][2:4] == ["160,000 frames/s", "yes, in 120 of 600 seconds"]
    assert live[1][2:4] == ["not measured", "**not measured**"]


def test_a_failed_run_shows_no_figure() -> None:
    page = rendered({"frames": result(report=None, error="exit code 1: no | memory")})
    assert [row[2:4] for row in rows(page, "frames")] == 2 * [["failed", "**failed**: exit code 1: no \\"]]
    assert "**Failed**: exit code 1: no | memory" in page


def test_a_workload_that_was_never_run_is_in_the_table() -> None:
    page = rendered({"frames": result()})
    assert [row[3] for row in rows(page, "storm")] == 2 * ["**not measured**"]
    assert "## 20,000 reconnect at once" in page
    assert rendered({})


def test_an_older_figure_carries_its_date_and_commit() -> None:
    older = result("storage", began="2026-11-20 08:00", commit="0ld", report={**FRAMES, "measures": {
        "bytes_per_reading": {"unit": "bytes", "values": [7.5]}}})  # fmt: skip
    page = rendered({"frames": result(), "storage": older})
    assert rows(page, "storage")[0][2] == "7.5 bytes (2026-11-20, 0ld)"
    assert rows(page, "frames")[0][2] == "80 ×"
    assert page.count("**An older run.**") == 1
    changed = rendered({"frames": result(), "storage": msgspec.structs.replace(older, has_local_changes=True)})
    assert "(2026-11-20, 0ld with local changes)" in changed


def test_the_page_depends_on_the_kept_files_alone(tmp_path: Path) -> None:
    keep(result(), tmp_path)
    keep(result("storm", report=None, error="gone"), tmp_path)
    page = rendered(kept(tmp_path))
    assert page == rendered({"storm": result("storm", report=None, error="gone"), "frames": result()})
    for part in (
        "seed 7",
        "python 3.11",
        "2 cores of A processor",
        "900 MB/s",
        "| one process | 1.25 | 80 |",
        "abc123",
    ):
        assert part in page


def test_a_file_that_is_no_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "frames.json").write_text('{"workload": "frames"}')
    with pytest.raises(ResultError, match=r"frames\.json"):
        kept(tmp_path)
