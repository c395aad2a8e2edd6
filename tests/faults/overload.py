"""More than a platform likes: everybody at once, chargers that never read, lines that end without a word, a flood.

Each runs beside a few ordinary chargers, which must notice nothing but a longer wait. What the gateway takes of memory
is bounded by `ROOM_KIB` and `ROOM_OF_A_CONNECTION_KIB`; how long it takes is told and not judged.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.faults.balance import require_balance
from tests.faults.crowd import Crowd, largest_crowd, site_of
from tests.faults.flood import Flood
from tests.faults.kills import PILES
from tests.faults.load import Load
from tests.faults.sender_log import SenderLog
from tests.faults.serve_process import ServeProcess, until
from tests.faults.tally import Row
from tests.faults.verdict import compare

FIRST: Final = "32010700000001"
FLOODER: Final = "32010600980001"
ROOM_KIB: Final = 96 * 1024
"""Two buffers of the spool, one that fills and one on its way to the disk, each 16 MiB when reading stops and grown by
doubling; and a half of that for all else.
"""
ROOM_OF_A_CONNECTION_KIB: Final = 16
SILENCE_S: Final = 10
DEAF_S: Final = 2.5 * SILENCE_S
SERVED_WITHIN_S: Final = 180.0
LOADED_WITHIN_S: Final = 300.0
GONE_WITHIN_S: Final = 60.0


@dataclass
class Sent:
    """`all_of_it` must be found; of `ever`, which has that too, nothing may be found twice or changed.

    The readings of `floods` are in neither.
    """

    all_of_it: SenderLog = field(default_factory=SenderLog)
    ever: SenderLog = field(default_factory=SenderLog)
    floods: list[Flood] = field(default_factory=list)

    @property
    def both(self) -> tuple[SenderLog, SenderLog]:
        """For what must be found."""
        return self.all_of_it, self.ever


def storm(folder: Path, count: int, seed: int, *, workers: int = 1) -> Row:
    """`count` chargers reconnect at the same moment, each with ten stored readings and a record."""
    row = Row(f"{count:,} chargers reconnect at once", 1)
    site = site_of(FIRST, count)
    with _beside_others(row, folder, seed, count, site=site, workers=workers) as (serve, sent):
        crowds = _crowds(folder, serve.port, FIRST, count)
        try:
            _let_in(row, "served", crowds)
            for crowd in crowds:
                crowd.finish(*sent.both)
        finally:
            _close(crowds)
    return row


def never_read(folder: Path, count: int, seed: int) -> Row:
    """Chargers that log in, read none of their answers, and send on for as long as the line takes it."""
    row = Row(f"{count} chargers that never read", 1)
    site = site_of(FIRST, count)
    with _beside_others(row, folder, seed, count, site=site, all_arrives=False, idle_timeout_s=SILENCE_S) as running:
        serve, sent = running
        crowd = Crowd(folder / "sent", serve.port, FIRST, count, manner="deaf")
        try:
            crowd.until_ready()
            crowd.go(DEAF_S)
            crowd.served()
            row.notes["given up"] = serve.counters()["closed"]
            row.require(serve.counters()["closed"].get("silent", 0) >= count, "not all who never read were given up")
            crowd.finish(sent.ever)
        finally:
            crowd.close()
    return row


def gone_without_a_word(folder: Path, count: int, seed: int, *, workers: int = 1) -> Row:
    """Half of the chargers lose their power, half of them hang; three of four come back at once on new lines."""
    row = Row(f"{count} lines end without a FIN", 1)
    site = site_of(FIRST, count)
    half, back = count // 2, count // 2 * 3 // 4
    second = f"{int(FIRST) + half:0{len(FIRST)}d}"
    silence_s = 3 * SILENCE_S
    with _beside_others(row, folder, seed, 2 * count, site=site, workers=workers, idle_timeout_s=silence_s) as (
        serve,
        sent,
    ):
        gone = [Crowd(folder / "sent", serve.port, first, half) for first in (FIRST, second)]
        again = [Crowd(folder / "sent", serve.port, first, back, run=2) for first in (FIRST, second)]
        try:
            _let_in(row, "served", gone)
            gone[0].vanish()
            gone[1].hang()
            _let_in(row, "served again", again)
            for crowd in gone:
                crowd.read(*sent.both)
            for crowd in again:
                crowd.finish(*sent.both)
            others = len(PILES)
            until(
                lambda: serve.counters()["connections"] == others, GONE_WITHIN_S, "only the others are connected", 0.5
            )
            row.notes["ended as"] = serve.counters()["closed"]
        finally:
            _close([*gone, *again])
    return row


def full_speed(folder: Path, readings: int, seed: int) -> Row:
    """One charger sends as fast as it is read."""
    row = Row(f"one charger sends {readings:,} readings at full speed", 1)
    with _beside_others(row, folder, seed, 1, piles=(FLOODER,)) as (serve, sent):
        flood = Flood(FLOODER, serve.port, readings)
        flood.start()
        flood.finish(*sent.both)
        row.require(flood.is_acknowledged, "the record behind the flood was not acknowledged")
        sent.floods.append(flood)
        row.notes["seconds of the flood"] = round(flood.seconds, 1)
        row.telemetry_sent += readings
    return row


@contextmanager
def _beside_others(
    row: Row,
    folder: Path,
    seed: int,
    connections: int,
    *,
    site: str = "",
    piles: tuple[str, ...] = (),
    workers: int = 1,
    all_arrives: bool = True,
    **settings: Any,
) -> Iterator[tuple[ServeProcess, Sent]]:
    """Ordinary chargers are served while the body overloads the platform; then everything is compared and judged.

    `connections`: how many the overload may have at once. `all_arrives`: nothing that it sent may stay on the line.
    """
    began = time.monotonic()
    serve = ServeProcess(
        folder / "data", [*PILES, *piles], workers=workers, site=site, unidentified_per_address=0, **settings
    )
    load = Load(folder / "sent", PILES, seed)
    sent = Sent()
    try:
        serve.start()
        load.start(serve.port)
        time.sleep(1.0)
        before_kib = serve.memory_kib("gateway")
        yield serve, sent
        others = load.finish(30.0, *sent.both)
        row.require(not others.why_down, f"ordinary chargers lost their connection: {dict(others.why_down)}")
        row.require(
            len(others.acknowledged) == len(others.records),
            f"{len(others.records) - len(others.acknowledged)} records of ordinary chargers are not acknowledged",
        )
        row.notes["longest wait of an ordinary record, s"] = round(others.longest_wait_s, 2)
        _judge_memory(row, serve, before_kib, connections)
        serve.until_loaded(LOADED_WITHIN_S)
        client = serve.client()
        row.judge(compare(client, sent.all_of_it, sent.ever, but_readings_of=piles), [], 0.0)
        row.wrong += [wrong for flood in sent.floods if (wrong := flood.stored_wrong(client))]
        client.disconnect()
        require_balance(row, serve, sent.all_of_it if all_arrives else None)
        row.require(serve.terminate() == 0, "serve did not end in order at SIGTERM")
    finally:
        load.close()
        serve.close()
        row.seconds = time.monotonic() - began


def _judge_memory(row: Row, serve: ServeProcess, before_kib: int, connections: int) -> None:
    peak_kib = serve.memory_kib("gateway", "VmHWM")
    bound_kib = ROOM_KIB * serve.workers + ROOM_OF_A_CONNECTION_KIB * connections
    row.notes["memory of the gateway, KiB: before, more at the most, bound"] = [
        before_kib, peak_kib - before_kib, bound_kib
    ]  # fmt: skip
    row.require(
        peak_kib - before_kib <= bound_kib, f"{peak_kib - before_kib} KiB more than before, above {bound_kib} KiB"
    )


def _crowds(folder: Path, port: int, first: str, count: int) -> list[Crowd]:
    """In as many processes as the limit of descriptors asks for."""
    size = min(count, largest_crowd())
    return [
        Crowd(folder / "sent", port, f"{int(first) + start:0{len(first)}d}", min(size, count - start))
        for start in range(0, count, size)
    ]


def _let_in(row: Row, what: str, crowds: list[Crowd]) -> None:
    """Let all of them connect, and wait until each has its acknowledgement."""
    for crowd in crowds:
        crowd.until_ready()
    for crowd in crowds:
        crowd.go(SERVED_WITHIN_S)
    answers = [crowd.served() for crowd in crowds]
    for crowd, answer in zip(crowds, answers, strict=True):
        row.require(answer.acknowledged == crowd.count, f"{what}: {answer.acknowledged} of {crowd.count}")
    row.notes[f"{what}: seconds until the last login and the last acknowledgement"] = [
        round(max(answer.longest_login_s for answer in answers), 2),
        round(max(answer.longest_ack_s for answer in answers), 2),
    ]


def _close(crowds: list[Crowd]) -> None:
    for crowd in crowds:
        crowd.close()
