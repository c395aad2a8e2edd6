"""`pilestream evaluate --historic`: the log's bills from frames, by the product's own way, held against its table."""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Final

from analytics.client import ClickHouseAddress
from benchmarks.historic.capture import check_target, write_capture
from benchmarks.historic.charges import TO_MS
from benchmarks.historic.errors import HistoricError
from benchmarks.historic.fleet import MAKES, WHOLE_KWH_MAKE, master_file_text
from benchmarks.historic.history import History, frames_between, make_history
from benchmarks.historic.table import Wanted, scaled
from service.block_workers import results_of_blocks
from service.errors import ServiceError
from service.evaluation import Output
from service.frame_intake import FrameIntake, frame_intake
from service.historic_report import HistoricReport, expected_text, render, report_of
from service.progress import Progress
from service.settings import Settings

SEED: Final = 20_190_301
BLOCK_CHARGERS: Final = len(MAKES)
"""Charges overlap within so many neighbouring chargers only, so that a block holds whole overlaps."""
DISK_BLOCK_BYTES: Final = 512
EQUAL, DIFFERS = 0, 1

Block = tuple[int, int]
"""First charger, and the one after the last."""


def evaluate_historic(settings: Settings, *, output: Output, capture: Path | None, scale: float) -> int:
    """Make the table, or with `capture` only its frames; gives the exit code, 1 when sets or numbers differ.

    `scale`: from 1 on it divides the log's counts, below 1 it is their share. Raises `ServiceError` for a scale or a
    `capture` that cannot be, when a process is lost, or while another evaluation runs on the folder.
    """
    try:
        wanted = scaled(Fraction(str(scale)))
        if capture is not None:
            return _write(wanted, capture)
        report = _evaluated(settings, wanted)
    except HistoricError as error:
        raise ServiceError(str(error)) from error
    print(render(report, output))
    for line in report.differences:
        print(line, file=sys.stderr)
    return EQUAL if report.equal else DIFFERS


def _write(wanted: Wanted, path: Path) -> int:
    """The frames of all chargers with 0.01 kWh meters."""
    check_target(path)
    history = make_history(wanted, SEED)
    frames = frames_between(history, 0, history.whole_kwh_from)
    with Progress(f"writing {path.name}", 0, "frames") as progress, closing(write_capture(path, frames)) as counts:
        for count in counts:
            progress.step(count)
    print(expected_text(wanted.abnormal, wanted.normal), file=sys.stderr)
    return EQUAL


def _evaluated(settings: Settings, wanted: Wanted) -> HistoricReport:
    began_s = time.monotonic()
    history = make_history(wanted, SEED)
    with tempfile.TemporaryDirectory() as folder:
        master_file = Path(folder) / "historic.toml"
        master_file.write_text(master_file_text(history.chargers), "utf-8")
        with frame_intake(settings, master_file) as intake:
            frames, most_bytes = _take_blocks(intake, history, wanted)
            client = intake.client()
            report = report_of(
                client,
                wanted,
                whole_kwh_vendor=WHOLE_KWH_MAKE.vendor,
                frames=frames,
                seconds=time.monotonic() - began_s,
                bytes_on_disk=most_bytes,
            )
            client.disconnect()
            return report


def _take_blocks(intake: FrameIntake, history: History, wanted: Wanted) -> tuple[int, int]:
    """Take in all chargers, several blocks at once; gives the number of frames and the most that was on the disk."""
    blocks = list(_blocks(len(history.chargers)))
    processes = max(1, min(os.cpu_count() or 1, len(blocks)))
    frames, most_bytes = 0, 0
    whole = wanted.bills + wanted.whole_kwh
    arguments = (intake.settings, intake.address, wanted)
    with Progress("billing", whole, "bills") as progress:
        taken = results_of_blocks(_Worker.take, blocks, processes, begin=_Worker.begin, arguments=arguments)
        for taken_frames, bills in taken:
            frames += taken_frames
            most_bytes = max(most_bytes, _size_of(intake.settings.folder))
            progress.step(bills)
    return frames, most_bytes


def _blocks(chargers: int) -> Iterator[Block]:
    for first in range(0, chargers, BLOCK_CHARGERS):
        yield first, min(first + BLOCK_CHARGERS, chargers)


class _Worker:
    """One process that takes blocks: it makes the same history and has a way into the database of its own."""

    intake: FrameIntake
    history: History

    @classmethod
    def begin(cls, settings: Settings, address: ClickHouseAddress, wanted: Wanted) -> None:
        """Called once in the process."""
        cls.history = make_history(wanted, SEED)
        cls.intake = FrameIntake(settings, address, name=str(os.getpid()))

    @classmethod
    def take(cls, block: Block) -> tuple[int, int]:
        """Take one block; gives its frames and its bills. Raises `ServiceError` when not all could be billed."""
        taken = cls.intake.take(frames_between(cls.history, *block), observed_until_ms=TO_MS)
        if taken.decided.failed_sessions or taken.frames.quarantined:
            raise ServiceError(
                f"chargers {block[0]} to {block[1] - 1}: {taken.decided.failed_sessions} sessions could not be billed, "
                f"{taken.frames.quarantined} frames were no frames"
            )
        return taken.frames.frames, taken.decided.bill_revisions


def _size_of(folder: Path) -> int:
    """Bytes on the disk below a folder; what goes away meanwhile counts for nothing."""
    total = 0
    for root, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(root) / name).stat().st_blocks * DISK_BLOCK_BYTES
            except FileNotFoundError:
                continue
    return total
