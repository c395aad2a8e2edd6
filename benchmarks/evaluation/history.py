"""All that some chargers said, as frames in the order of time."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

import msgspec
import numpy as np

from benchmarks.evaluation import aaf5_frames, ykc_frames
from benchmarks.evaluation.chargers import Charger
from benchmarks.evaluation.charges import MINUTE_MS, SECOND_MS
from benchmarks.evaluation.stories import ToldCharge
from benchmarks.evaluation.story import LOGIN_TAKES_MS, Silence
from benchmarks.fleet import aaf5_status
from benchmarks.fleet.history import HistoryFrame
from benchmarks.fleet.messages import Message
from benchmarks.fleet.piles import YKC
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.readings import Columns, frames_of, joined

IDLE_PERIOD_MS: Final = 5 * MINUTE_MS
HEARTBEAT_MS: Final = 100 * SECOND_MS
AFTER_STOP_MS: Final = 500
BEFORE_FIRST_MS: Final = 5 * MINUTE_MS
AFTER_LAST_MS: Final = 45 * MINUTE_MS
DELAY_MS: Final = 80
REPLY_MS: Final = 1_200
AAF5_PREFIX: Final = "aaf5-"

Said = Message | bytes
ToldCharger = tuple[Charger, Sequence[ToldCharge]]


class _Speech:
    """What one charger sends, in no order yet: when, when it arrives, and what. `late` frames may be overtaken.

    `original`: the number of the frame whose sequence number a repeated one has, -1 = its own.
    """

    def __init__(self) -> None:
        self.sent_ms: list[int] = []
        self.receive_ms: list[int] = []
        self.said: list[Said | int] = []  # a number is a row of the charger's realtime columns
        self.late: list[bool] = []
        self.original: list[int] = []
        self.columns: list[Columns] = []
        self._rows = 0

    def say(self, sent_ms: int, said: Said, receive_ms: int = 0) -> None:
        """Add a frame, or a message that has no number yet."""
        self._add(sent_ms, receive_ms or sent_ms + DELAY_MS, said)

    def show(self, sent_ms: IntArray, columns: Columns, receive_ms: IntArray | None = None) -> None:
        """Add realtime frames."""
        arrivals = (sent_ms + DELAY_MS if receive_ms is None else receive_ms).tolist()
        for row, (sent, arrives) in enumerate(zip(sent_ms.tolist(), arrivals, strict=True), self._rows):
            self._add(sent, arrives, row)
        self.columns.append(columns)
        self._rows += len(sent_ms)

    def mark(self, first: int, original: IntArray, *, overtaken: bool) -> None:
        """Say of the frames from number `first` on which repeat which, and whether later ones may come first."""
        for place, number in enumerate(original.tolist()):
            if number != place:
                self.original[first + place] = first + number
                self.late[first + place] = True
            elif overtaken:
                self.late[first + place] = True

    def _add(self, sent_ms: int, receive_ms: int, said: Said | int) -> None:
        self.sent_ms.append(sent_ms)
        self.receive_ms.append(receive_ms)
        self.said.append(said)
        self.late.append(False)
        self.original.append(-1)


class _Link(msgspec.Struct, frozen=True):
    """When the charger was connected: the moments of its logins and what it said nothing in."""

    logins_ms: tuple[int, ...]
    silences: tuple[Silence, ...]
    until_ms: int

    def heard(self, times_ms: IntArray) -> IntArray:
        """Those of the moments at which something can be sent."""
        away = np.zeros(len(times_ms), dtype=np.bool_)
        for silence in self.silences:
            away |= (times_ms >= silence.from_ms) & (times_ms < silence.to_ms + LOGIN_TAKES_MS)
        return times_ms[~away]


def block_frames(chargers: Sequence[ToldCharger]) -> Iterator[HistoryFrame]:
    """Every frame of these chargers and of the platform of that time, in the order of arrival."""
    names: list[str] = []
    frames: list[bytes] = []
    receive_ms: list[IntArray] = []
    sent_ms: list[IntArray] = []
    connections: list[IntArray] = []
    rows: list[Columns] = []
    row_seqs: list[int] = []
    row_places: list[int] = []
    for charger, told in chargers:
        speech, link = _speech(charger, told)
        order, connection, arrives_ms = _arrivals(speech, link)
        seqs = _seqs(speech, order, connection) if charger.model.protocol == YKC else [0] * len(order)
        rows_before = len(row_seqs)
        for number in range(len(order)):
            said = speech.said[number]
            if isinstance(said, int):
                row_seqs.append(seqs[number])
                row_places.append(len(frames))
                frames.append(b"")
            else:
                frames.append(said if isinstance(said, bytes) else ykc_frames.encoded(said, seqs[number]))
        if len(row_seqs) > rows_before:
            rows += speech.columns
        prefix = "" if charger.model.protocol == YKC else AAF5_PREFIX
        connections.append(connection + len(names))
        names += [f"{prefix}{charger.pile.code}-{number}" for number in range(len(link.logins_ms))]
        receive_ms.append(arrives_ms)
        sent_ms.append(np.array(speech.sent_ms, dtype=np.int64))
    if rows:
        encoded = frames_of(joined(rows), np.array(row_seqs, dtype=np.int64) & ykc_frames.U16_MAX)
        for place, frame in zip(row_places, encoded, strict=True):
            frames[place] = frame
    times, owners = np.concatenate(receive_ms), np.concatenate(connections)
    in_time = np.lexsort((np.concatenate(sent_ms), times))  # of one moment: as a late frame held up those behind it
    for time_ms, owner, place in zip(times[in_time].tolist(), owners[in_time].tolist(), in_time.tolist(), strict=True):
        yield time_ms, names[owner], frames[place]


def _speech(charger: Charger, told: Sequence[ToldCharge]) -> tuple[_Speech, _Link]:
    link = _link(told)
    speech = _Speech()
    talk = _talk_ykc if charger.model.protocol == YKC else _talk_aaf5
    talk(charger, told, link, speech)
    return speech, link


def _link(told: Sequence[ToldCharge]) -> _Link:
    silences = tuple(
        sorted((one for charge in told for one in charge.story.silences), key=lambda silence: silence.from_ms)
    )
    begin_ms = told[0].story.charge.plug_ms - BEFORE_FIRST_MS
    return _Link(
        (begin_ms, *(silence.to_ms for silence in silences)), silences, told[-1].story.charge.unplug_ms + AFTER_LAST_MS
    )


def _idle_times(told: Sequence[ToldCharge], link: _Link) -> tuple[IntArray, IntArray]:
    """When the connector shows that nothing flows, and whether a vehicle is there then."""
    moments: list[IntArray] = []
    edges_ms = [link.logins_ms[0], *(at for one in told for at in _span(one)), link.until_ms]
    for idle_from_ms, idle_to_ms in list(pairwise(edges_ms))[::2]:
        moments.append(np.arange(idle_from_ms + LOGIN_TAKES_MS, idle_to_ms, IDLE_PERIOD_MS, dtype=np.int64))
    for one in told:
        charge = one.story.charge
        moments.append(np.array([charge.plug_ms, charge.stop_ms + AFTER_STOP_MS, charge.unplug_ms], dtype=np.int64))
    back_ms = [
        silence.to_ms + LOGIN_TAKES_MS
        for silence in link.silences
        if not any(_flows(one, silence.to_ms + LOGIN_TAKES_MS) for one in told)
    ]
    moments.append(np.array(back_ms, dtype=np.int64))
    times_ms = link.heard(np.unique(np.concatenate(moments)))
    plugged = np.zeros(len(times_ms), dtype=np.int64)
    for one in told:
        plugged |= (times_ms >= one.story.charge.plug_ms) & (times_ms < one.story.charge.unplug_ms)
    return times_ms, plugged


def _span(told: ToldCharge) -> tuple[int, int]:
    return told.story.charge.charging_ms, told.story.charge.stop_ms


def _flows(told: ToldCharge, time_ms: int) -> bool:
    return told.story.charge.charging_ms <= time_ms <= told.story.charge.stop_ms


def _heartbeat_times(told: Sequence[ToldCharge], link: _Link) -> IntArray:
    times_ms = np.arange(link.logins_ms[0] + HEARTBEAT_MS, link.until_ms, HEARTBEAT_MS, dtype=np.int64)
    flows = np.zeros(len(times_ms), dtype=np.bool_)
    for one in told:
        if len(one.readings) * 2 > len(one.story.taken_ms):  # its readings show that it is there
            flows |= (times_ms >= one.story.charge.charging_ms) & (times_ms < one.story.charge.stop_ms)
    return link.heard(times_ms[~flows])


def _talk_ykc(charger: Charger, told: Sequence[ToldCharge], link: _Link, speech: _Speech) -> None:
    for login_ms in link.logins_ms:
        speech.say(login_ms, ykc_frames.login(charger))
    body = ykc_frames.heartbeat_body(charger)
    for time_ms in _heartbeat_times(told, link).tolist():
        speech.say(time_ms, ykc_frames.heartbeat(body, (time_ms // HEARTBEAT_MS & 0xFFFF).to_bytes(2, "little")))
    times_ms, plugged = _idle_times(told, link)
    speech.show(times_ms, ykc_frames.idle_columns(charger, plugged))
    for one in told:
        story = one.story
        if story.charge.by_app and not story.is_away(story.charge.order_ms + REPLY_MS):
            order = ykc_frames.encoded(ykc_frames.start_order(story), story.charge.number)
            reply = ykc_frames.encoded(ykc_frames.start_reply(story), story.charge.number)
            speech.say(story.charge.order_ms, order)
            speech.say(story.charge.order_ms + REPLY_MS, reply)
        if len(one.readings):
            first = len(speech.said)
            columns = ykc_frames.charging_columns(story, one.readings)
            speech.show(one.readings.sent_ms, columns, one.readings.receive_ms)
            speech.mark(first, one.readings.original, overtaken="out_of_order" in story.faults)
        if one.record is not None:
            for sent_ms in one.record.sent_ms:
                speech.say(sent_ms, ykc_frames.record(story, one.record))


def _talk_aaf5(charger: Charger, told: Sequence[ToldCharge], link: _Link, speech: _Speech) -> None:
    for boots, login_ms in enumerate(link.logins_ms):
        speech.say(login_ms, aaf5_frames.login(charger, login_ms + charger.clock_error_ms, boots))
    for counter, time_ms in enumerate(_heartbeat_times(told, link).tolist()):
        speech.say(time_ms, aaf5_frames.heartbeat(charger, counter))
    times_ms, plugged = _idle_times(told, link)
    ends_ms = np.array([one.story.charge.stop_ms for one in told], dtype=np.int64)
    last = np.searchsorted(ends_ms, times_ms, side="right") - 1
    for index in np.unique(last).tolist():
        mine = last == index
        before = told[index] if index >= 0 else None
        rows = aaf5_frames.idle_rows(
            before.story if before else None, before.meter if before else None, charger, times_ms[mine], plugged[mine]
        )
        for time_ms, frame in zip(times_ms[mine].tolist(), aaf5_status.frames_of(rows), strict=True):
            speech.say(time_ms, frame)
    for one in told:
        frames = aaf5_status.frames_of(aaf5_frames.charging_rows(one.story, one.meter, one.readings))
        first = len(speech.said)
        for sent_ms, arrives_ms, frame in zip(
            one.readings.sent_ms.tolist(), one.readings.receive_ms.tolist(), frames, strict=True
        ):
            speech.say(sent_ms, frame, arrives_ms)
        speech.mark(first, one.readings.original, overtaken="out_of_order" in one.story.faults)
        if one.record is not None:
            frame = aaf5_frames.record(one.story, one.record)
            for sent_ms in one.record.sent_ms:
                speech.say(sent_ms, frame)


def _arrivals(speech: _Speech, link: _Link) -> tuple[IntArray, IntArray, IntArray]:
    """The order of sending; the connection of each frame; and when it arrives, on each in the order of sending."""
    sent_ms = np.array(speech.sent_ms, dtype=np.int64)
    receive_ms = np.array(speech.receive_ms, dtype=np.int64)
    late = np.array(speech.late, dtype=np.bool_)
    order = np.argsort(sent_ms, kind="stable")
    connection = np.searchsorted(np.array(link.logins_ms, dtype=np.int64), sent_ms, side="right") - 1
    keeps_order = order[~late[order]]
    receive_ms[keeps_order] = np.maximum.accumulate(receive_ms[keeps_order])
    return order, np.maximum(connection, 0), receive_ms


def _seqs(speech: _Speech, order: IntArray, connection: IntArray) -> list[int]:
    """Sequence numbers as YKC chargers count them: from 0 on each connection, a repeated frame under its own."""
    counts: dict[int, int] = {}
    seqs = [0] * len(order)
    for number in order.tolist():
        if speech.original[number] >= 0:
            continue
        link = int(connection[number])
        seqs[number] = counts.get(link, 0)
        counts[link] = seqs[number] + 1
    return [seqs[speech.original[number]] if speech.original[number] >= 0 else seq for number, seq in enumerate(seqs)]
