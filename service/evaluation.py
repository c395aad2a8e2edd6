"""Charges with a known truth through the platform, in several processes, and how right the bills are."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from analytics.client import ClickHouseAddress
from benchmarks.evaluation.goals import goals
from benchmarks.evaluation.history import block_frames
from benchmarks.evaluation.mixes import Mix
from benchmarks.evaluation.run import Block, Judged, blocks, judged, master_file
from benchmarks.evaluation.scores import Scores
from benchmarks.evaluation.table import case_lines, goal_lines, money_line, table_lines
from service.block_workers import results_of_blocks
from service.errors import ServiceError
from service.frame_intake import FrameIntake, frame_intake
from service.progress import Progress
from service.settings import Settings

DONE, WRONG_BILLS = 0, 1
MOST_PROCESSES: Final = 8


def evaluate(
    settings: Settings, *, sessions: int, seed: int, mix: Mix, processes: int | None = None, as_json: bool
) -> int:
    """Evaluate and print; gives 1 when a bill is wrong and not held. `processes` None: one a core."""
    report = evaluation_report(settings, sessions=sessions, seed=seed, mix=mix, processes=processes)
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        print("\n".join([*table_lines(report), "", money_line(report), "", *goal_lines(report["goals"])]))
        for line in case_lines(report["cases"]):
            print(line, file=sys.stderr)
    return WRONG_BILLS if report["total"]["wrong_unflagged"] else DONE


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
