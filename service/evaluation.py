"""Charges with a known truth through the platform, in several processes, and how right the bills are."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

from analytics.client import ClickHouseAddress
from benchmarks.evaluation.goals import LEFT_OUT, goals
from benchmarks.evaluation.history import block_frames
from benchmarks.evaluation.mixes import Mix
from benchmarks.evaluation.run import Block, Judged, blocks, judged, master_file
from benchmarks.evaluation.scores import Scores
from benchmarks.evaluation.table import case_lines, goal_lines, goal_rows, money_line, score_rows, table_lines
from service.block_workers import results_of_blocks
from service.errors import ServiceError
from service.frame_intake import FrameIntake, frame_intake
from service.markdown import markdown_table
from service.progress import Progress
from service.settings import Settings

Output = Literal["table", "json", "md"]
DONE, WRONG_BILLS = 0, 1
MOST_PROCESSES: Final = 8


def evaluate(
    settings: Settings, *, sessions: int, seed: int, mix: Mix, processes: int | None = None, output: Output
) -> int:
    """Evaluate and print; gives 1 when a bill is wrong and not held. `processes` None: one a core."""
    report = evaluation_report(settings, sessions=sessions, seed=seed, mix=mix, processes=processes)
    print(render(report, output))
    if output != "json":
        for line in case_lines(report["cases"]):
            print(line, file=sys.stderr)
    return WRONG_BILLS if report["total"]["wrong_unflagged"] else DONE


def render(report: dict[str, Any], output: Output) -> str:
    """The report as text to read, as Markdown for the docs, or as one line of JSON."""
    if output == "json":
        return json.dumps(report, ensure_ascii=False)
    if output == "md":
        return "\n".join(_markdown_lines(report))
    return "\n".join([*table_lines(report), "", money_line(report), "", *goal_lines(report["goals"])])


def _markdown_lines(report: dict[str, Any]) -> list[str]:
    command = f"pilestream evaluate --sessions {report['sessions']} --seed {report['seed']} --mix {report['mix']}"
    scores, goals_met = score_rows(report), goal_rows(report["goals"])
    return [
        f"`{command}`, in {report['seconds']:.0f} s:",
        "",
        *markdown_table(scores[0], [*scores[1:-1], _bold(scores[-1])]),
        "",
        f"{money_line(report).capitalize()}.",
        "",
        *markdown_table(goals_met[0], goals_met[1:], words=(0, 3)),
        "",
        f"{LEFT_OUT.capitalize()}.",
    ]


def _bold(row: tuple[str, ...]) -> tuple[str, ...]:
    return (f"**{row[0]}**", *row[1:])


def evaluation_report(
    settings: Settings, *, sessions: int, seed: int, mix: Mix, processes: int | None = None
) -> dict[str, Any]:
    """The scores of an evaluation, in the shape of `--json`; its database stays in the folder `evaluate`."""
    began_s = time.monotonic()
    scores = Scores()
    with TemporaryDirectory() as folder, Progress("evaluating", sessions, "sessions") as progress:
        path = Path(folder) / "evaluation.toml"
        path.write_text(master_file(sessions), "utf-8")
        with frame_intake(settings, path) as intake:
            for results in _results(intake, blocks(sessions, seed, mix), processes or os.cpu_count() or 1):
                for truth, billed in results:
                    scores.add(truth, billed)
                progress.step(len(results))
    report = {
        "sessions": sessions,
        "seed": seed,
        "mix": mix,
        "seconds": round(time.monotonic() - began_s, 1),
        **scores.report(),
    }
    return {**report, "goals": goals(report)}


def _results(intake: FrameIntake, wanted: list[Block], processes: int) -> Iterator[Judged]:
    """What became of each block, in no order."""
    processes = min(processes, len(wanted), MOST_PROCESSES)
    if processes <= 1:
        for block in wanted:
            yield _take(intake, block)
        return
    arguments = (intake.settings, intake.address)
    yield from results_of_blocks(_take_in_worker, wanted, processes, begin=_open, arguments=arguments)


_workers_intake: FrameIntake | None = None


def _open(settings: Settings, address: ClickHouseAddress) -> None:
    global _workers_intake
    _workers_intake = FrameIntake(settings, address, name=str(os.getpid()))


def _take_in_worker(block: Block) -> Judged:
    if _workers_intake is None:
        raise ServiceError("a process of the evaluation was not opened")
    return _take(_workers_intake, block)


def _take(intake: FrameIntake, block: Block) -> Judged:
    told = block.told()
    taken = intake.take(block_frames(told))
    if taken.frames.quarantined:
        print(f"{taken.frames.quarantined} frames of the simulation were not understood", file=sys.stderr)
    client = intake.client()
    try:
        return judged(client, sorted(taken.frames.pile_ids), told)
    finally:
        client.disconnect()
