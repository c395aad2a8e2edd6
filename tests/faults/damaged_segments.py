"""Torn and flipped bytes in the segments of a spool that was not loaded yet."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Final

from ingest.segment import SEGMENT_HEADER_BYTES
from ingest.set_aside import SetAside, read_set_aside
from tests.faults.kills import PILES
from tests.faults.load import Load
from tests.faults.sender_log import SenderLog
from tests.faults.serve_process import ServeProcess
from tests.faults.tally import Row
from tests.faults.verdict import compare

FLIPS: Final = 3
TORN_BYTES: Final = 40
LOAD_S: Final = 2.0


class Damage:
    """Segments as they were, by name, and the places that were changed. The last place is where the torn end begins."""

    def __init__(self, spool: Path, chance: random.Random) -> None:
        self.before: dict[str, bytes] = {}
        self.places: dict[str, list[int]] = {}
        for path in spool.rglob("*.seg"):
            self.before[path.stem] = path.read_bytes()
            self.places[path.stem] = _change(path, chance)

    def explains(self, entry: SetAside) -> bool:
        """Whether bytes that were set aside hold a place that was changed."""
        return any(entry.offset <= place < entry.offset + entry.length for place in self.places[entry.segment])

    def lies_in(self, data: bytes, entries: list[SetAside]) -> bool:
        """Whether `data` was in a segment, in bytes that were set aside or behind a torn end."""
        for name, before in self.before.items():
            begin = before.find(data)
            if begin >= 0:
                end = begin + len(data)
                torn = bool(self.places[name]) and end > self.places[name][-1]
                aside = (entry for entry in entries if entry.segment == name)
                return torn or any(begin < entry.offset + entry.length and entry.offset < end for entry in aside)
        return False


def damaged_segments(folder: Path, rounds: int, seed: int) -> Row:
    """All processes are killed while ClickHouse hangs; some bytes of each segment flip, some at its end are missing.

    What was hit cannot be in ClickHouse; it must lie aside with a reason. All else must be there.
    """
    chance = random.Random(seed)
    row = Row("torn and flipped bytes in segments")
    row.notes = {"records hit": 0, "stretches set aside": 0, "readings and heartbeats hit or not synced": 0}
    serve = ServeProcess(folder / "data", PILES)
    load = Load(folder / "sent", PILES, seed)
    began = time.monotonic()
    try:
        for _ in range(rounds):
            serve.start()
            os.kill(serve.roles()["clickhouse"][0], signal.SIGSTOP)
            load.start(serve.port)
            time.sleep(LOAD_S)
            serve.kill_all()
            log = load.finish(drain_s=0.0)
            damage = Damage(serve.spool, chance)
            serve.start()
            serve.until_loaded()
            _judge(row, serve, log, load.ever, damage)
            row.require(serve.terminate() == 0, "serve did not end in order at SIGTERM")
            row.rounds += 1
    finally:
        load.close()
        serve.close()
    row.seconds = time.monotonic() - began
    return row


def _judge(row: Row, serve: ServeProcess, log: SenderLog, ever: SenderLog, damage: Damage) -> None:
    client = serve.client()
    verdict = compare(client, log, ever)
    client.disconnect()
    folders = [serve.spool, *(path for path in serve.spool.iterdir() if path.is_dir())]
    entries = [entry for path in folders for entry in read_set_aside(path) if entry.segment in damage.before]
    for entry in entries:
        row.require(damage.explains(entry) or entry.reason == "incomplete", f"set aside without damage: {entry}")
    for text in verdict.missing:
        sent = log.records[text.removeprefix("record ")]
        row.require(damage.lies_in(sent.data, entries), f"{text} is missing and was not hit")
    _count(row, "records hit", len(verdict.missing))
    _count(row, "stretches set aside", len(entries))
    _count(row, "readings and heartbeats hit or not synced", len(verdict.telemetry_missing))
    row.require(bool(entries), "nothing was set aside")
    verdict.acknowledged -= len(verdict.missing)
    verdict.missing, verdict.telemetry_missing = [], []
    row.judge(verdict, [], 0.0)


def _count(row: Row, name: str, more: int) -> None:
    before = row.notes[name]
    assert isinstance(before, int)
    row.notes[name] = before + more


def _change(path: Path, chance: random.Random) -> list[int]:
    size = path.stat().st_size
    if size < SEGMENT_HEADER_BYTES + 10 * TORN_BYTES:
        return []
    descriptor = os.open(path, os.O_RDWR)
    places = []
    for _ in range(FLIPS):
        place = chance.randrange(SEGMENT_HEADER_BYTES, size - TORN_BYTES)
        (byte,) = os.pread(descriptor, 1, place)
        os.pwrite(descriptor, bytes([byte ^ 1 << chance.randrange(8)]), place)
        places.append(place)
    end = size - chance.randrange(1, TORN_BYTES)
    os.ftruncate(descriptor, end)
    os.close(descriptor)
    return [*places, end]
