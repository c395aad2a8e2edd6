"""Segments of a spool with seeded readings, as a gateway would have written them."""

from pathlib import Path
from typing import Final

from benchmarks.load.charges import START_MS, Readings
from ingest.record_buffer import FRAME_UP
from ingest.spool import Spool

COMMIT_EVERY: Final = 100_000
REALTIME_FRAME_BYTES: Final = 68


def write_segments(folder: Path, readings: Readings, *, run: int = 1) -> int:
    """Write all readings to a new spool in `folder`; gives the bytes on disk.

    `run`: so many readings of one charger come together, as those of a backlog do (1 = each alone, as live).
    """
    spool = Spool(folder, clock=lambda: START_MS)
    frames = memoryview(readings.frames)
    append = spool.buffer.append
    order = readings.in_runs(run)
    columns = (readings.pile, readings.receive_ms, readings.energy_e4kwh, readings.amount_fen)
    entries = zip(order.tolist(), *(column[order].tolist() for column in columns), strict=True)
    for number, (index, pile, event_ms, energy, amount) in enumerate(entries):
        start = index * REALTIME_FRAME_BYTES
        heard_ms = event_ms if run == 1 else START_MS + number // run
        frame = frames[start : start + REALTIME_FRAME_BYTES]
        if not append(FRAME_UP, 1, 0, pile, pile, heard_ms, event_ms, energy, amount, 0, 0, frame):
            raise RuntimeError("the buffer of the spool is full")
        if number % COMMIT_EVERY == COMMIT_EVERY - 1:
            spool.commit()
    spool.close()
    return sum(segment.size for segment in spool.segments())
