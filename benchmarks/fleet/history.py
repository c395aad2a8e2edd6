"""What was said in the past: the frames of a plan in the order of time, of both sides, and captures of them.

Answers to heartbeats and to realtime frames are no part of it: they follow from these to the byte.
"""

import heapq
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.fleet import messages
from benchmarks.fleet.aaf5_history import CONNECTION_PREFIX, Aaf5PileHistory
from benchmarks.fleet.bms_frames import Body
from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.pile_history import PileHistory, Sending
from benchmarks.fleet.piles import AAF5, YKC
from benchmarks.fleet.plan import HOUR_MS, Plan
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.readings import Columns, extended, frames_of, joined
from benchmarks.fleet.traits import Traits
from core.ykc.codec import HEADER_BYTES, wrap_body

HistoryFrame = tuple[int, str, bytes]

BLOCK_MS: Final = HOUR_MS
TYPE_AT: Final = 5
SEQ_AT: Final = slice(2, 4)
CHECKSUM_BYTES: Final = 2
_NONE: Final = np.zeros(0, dtype=np.int64)


def history_frames(plan: Plan, from_ms: int, to_ms: int, heartbeat_s: float = 30) -> Iterator[HistoryFrame]:
    """The frames between all chargers of the plan and their platform, `from_ms` until before `to_ms`.

    Each is (time at the platform, connection, frame). Every charger logs in within the first 10 s. A connection's name
    is the charger's code and a running number; after an outage there is a new one. Frames of one connection are in the
    order of sending; a few "frames" are noise, where the plan says so. Heartbeats come every `heartbeat_s`; chargers
    send one every 10 s, but a history needs fewer.
    Raises `FleetError` for a reversed window or a heartbeat period under a second.
    """
    if to_ms <= from_ms:
        raise FleetError(f"a history must end after it begins: from {from_ms} to {to_ms}")
    if heartbeat_s < 1:
        raise FleetError(f"heartbeats every {heartbeat_s} s: 1 s or more is allowed")
    heartbeat_ms = int(heartbeat_s * 1000)
    ykc = [PileHistory(pile, from_ms, to_ms, heartbeat_ms) for pile in plan.piles if pile.aaf5 is None]
    aaf5 = [Aaf5PileHistory(pile, from_ms, to_ms, heartbeat_ms) for pile in plan.piles if pile.aaf5 is not None]
    ykc = [pile for pile in ykc if pile.connections]
    aaf5 = [pile for pile in aaf5 if pile.connections]
    for block_ms in range(from_ms, to_ms, BLOCK_MS):
        end_ms = min(block_ms + BLOCK_MS, to_ms)
        others = [pile.frames(block_ms, end_ms) for pile in aaf5]
        yield from heapq.merge(_block(ykc, block_ms, end_ms), *others, key=lambda frame: frame[0])


def protocol_of(connection: str) -> str:
    """The protocol of a connection of a history."""
    return AAF5 if connection.startswith(CONNECTION_PREFIX) else YKC


def write_capture(path: Path, frames: Iterable[HistoryFrame]) -> int:
    """Write frames as a capture: one JSON object a line with `ts`, `conn`, `protocol` and `hex`; gives their number."""
    count = 0
    with path.open("w", encoding="ascii") as file:
        for time_ms, connection, frame in frames:
            line = {"ts": time_ms, "conn": connection, "protocol": protocol_of(connection), "hex": frame.hex().upper()}
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
            count += 1
    return count


class _Gathered:
    """The frames of one kind, of all chargers, in one block."""

    def __init__(self) -> None:
        self.times: list[IntArray] = []
        self.places: list[IntArray] = []
        self.seqs: list[IntArray] = []
        self.connections: list[IntArray] = []

    def add(self, times: IntArray, places: IntArray, seqs: IntArray, connections: IntArray) -> None:
        self.times.append(times)
        self.places.append(places)
        self.seqs.append(seqs)
        self.connections.append(connections)


def _block(piles: list[PileHistory], from_ms: int, to_ms: int) -> Iterator[HistoryFrame]:
    """All frames of one stretch of time, numbered per connection, encoded together and put in order."""
    singles, rows, beats, pairs, talk = (_Gathered() for _kind in range(5))
    names: list[str] = []
    single_frames: list[bytes] = []
    single_answers: list[bytes | None] = []
    beat_frames: list[bytes] = []
    pair_frames: list[bytes] = []
    talk_frames: list[bytes] = []
    columns: list[Columns] = []
    doubled: list[IntArray] = []
    long_rows: list[tuple[int, int, Traits]] = []
    row_count = 0
    for pile in piles:
        sending = pile.block(from_ms, to_ms)
        times = (
            np.array(sending.single_times, dtype=np.int64),
            _joined(sending.reading_times),
            _joined(sending.heartbeat_times),
            _joined(sending.bms_times),
        )
        every = np.concatenate(times)
        connections = pile.connection_at(every)
        order = np.lexsort((every, connections))
        places = np.empty(len(every), dtype=np.int64)
        places[order] = np.arange(len(every))
        seqs = np.empty(len(every), dtype=np.int64)
        seqs[order] = _numbered(pile, connections[order])
        at = np.cumsum([0, *(len(part) for part in times)])
        for gathered, start, end in zip((singles, rows, beats, pairs), at[:-1], at[1:], strict=True):
            gathered.add(every[start:end], places[start:end], seqs[start:end], connections[start:end] + len(names))
        told = np.array(sending.talk_times, dtype=np.int64)
        # What the charger numbers itself comes first where times are equal: a login before what follows from it.
        talk.add(told, np.full_like(told, len(every)), told, pile.connection_at(told) + len(names))
        names += [connection.name for connection in pile.connections]
        numbered = _encoded(pile, sending, seqs[: at[1]])
        single_frames += numbered
        single_answers += _answers(sending, numbered)
        beat_frames += _heartbeats(pile, seqs[at[2] : at[3]])
        pair_frames += _wrapped(pile, sending.bms, seqs[at[3] :])
        talk_frames += sending.talk
        if pile.plan.traits.extended:
            long_rows.append((row_count, row_count + len(times[1]), pile.plan.traits))
        row_count += len(times[1])
        columns += sending.readings
        doubled += sending.doubled
    row_frames = frames_of(joined(columns), _joined(rows.seqs)) if columns else []
    for start, end, traits in long_rows:
        row_frames[start:end] = [extended(frame, traits) for frame in row_frames[start:end]]
    frames = [*single_frames, *row_frames, *beat_frames, *pair_frames, *talk_frames]
    kinds = (singles, rows, beats, pairs, talk)
    answers = {index: answer for index, answer in enumerate(single_answers) if answer is not None}
    times_ms = _joined([part for kind in kinds for part in kind.times])
    places = _joined([part for kind in kinds for part in kind.places])
    owners = _joined([part for kind in kinds for part in kind.connections])
    twice = np.ones(len(frames), dtype=np.int64)
    twice[len(single_frames) : len(single_frames) + len(row_frames)] += _joined(doubled)
    order = np.lexsort((places, times_ms))
    order = np.repeat(order, twice[order])
    for time_ms, owner, index in zip(times_ms[order].tolist(), owners[order].tolist(), order.tolist(), strict=True):
        yield time_ms, names[owner], frames[index]
        if (answer := answers.get(index)) is not None:
            yield time_ms, names[owner], answer


def _joined(parts: list[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else _NONE


def _numbered(pile: PileHistory, connections: IntArray) -> IntArray:
    """Sequence numbers in the order of sending: they count from 0 on each connection and start again on overflow."""
    seqs = np.empty(len(connections), dtype=np.int64)
    for connection in np.unique(connections).tolist():
        mine = connections == connection
        sent = int(mine.sum())
        before = pile.sent if pile.sent_on == connection else 0
        seqs[mine] = before + np.arange(sent)
        pile.sent_on, pile.sent = connection, before + sent
    return seqs & 0xFFFF


def _encoded(pile: PileHistory, sending: Sending, seqs: IntArray) -> list[bytes]:
    order = pile.plan.traits.checksum_order
    return [
        single if isinstance(single, bytes) else messages.encode(single, seq.to_bytes(2, "little"), order)
        for single, seq in zip(sending.singles, seqs.tolist(), strict=True)
    ]


def _answers(sending: Sending, frames: list[bytes]) -> list[bytes | None]:
    """The platform's answers, each under the number of the frame that it answers."""
    found: list[bytes | None] = [None] * len(frames)
    for place, message in sending.answers.items():
        found[place] = messages.encode(message, frames[place][SEQ_AT], "le")
    return found


def _wrapped(pile: PileHistory, bodies: list[Body], seqs: IntArray) -> list[bytes]:
    order = pile.plan.traits.checksum_order
    return [
        wrap_body(kind, body, seq=seq.to_bytes(2, "little"), checksum_order=order)
        for (kind, body), seq in zip(bodies, seqs.tolist(), strict=True)
    ]


def _heartbeats(pile: PileHistory, seqs: IntArray) -> list[bytes]:
    order = pile.plan.traits.checksum_order
    frame = extended(messages.encode(messages.heartbeat(pile.plan.pile), b"\0\0", order), pile.plan.traits)
    kind, body = frame[TYPE_AT], frame[HEADER_BYTES:-CHECKSUM_BYTES]
    return [wrap_body(kind, body, seq=seq.to_bytes(2, "little"), checksum_order=order) for seq in seqs.tolist()]
