"""The readings of one session as columns, and their one order, whatever order they arrived in."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from core.errors import CoreError
from core.meter.flags import Flag

Int64s = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CHARGING = 3
REPEAT_MS = 5_000
"""Chargers send a reading every 15 s; the same frame again within 5 s is a repetition, not a new reading."""
LATE_REPEAT_MS = 300_000
FLOWING_W = 500
STORED_MINUTE_MS = 59_999
SEQ_NUMBERS = 65_536
LONGEST_CHARGE_S = 36 * 3_600  # anomaly-codes.md, code 5

# numpy does not take an enum for a bit pattern of its own width.
DUP, CONFLICT, OUT_OF_ORDER = (np.uint32(flag) for flag in (Flag.DUP, Flag.CONFLICT, Flag.OUT_OF_ORDER))


class ReadingArrays(msgspec.Struct, frozen=True, eq=False):
    """Readings of one session, one element each, in any order.

    `event_ms` when it was taken, `receive_ms` when it arrived, `counter_e4kwh` the register, `state` as in YKC 0x13
    (3 = charging), `power_w`, `charge_minutes` the charger's own count, `seq` the frame's number, `stored` 1 for a
    reading that the charger had kept: its `event_ms` is the begin of the minute in which it was taken, or the moment
    itself where the reading carries one.

    An AAF5 104 says more, 0 = absent: `start_ms` and `duration_s` of the charge by the charger's clock, `before_e4kwh`
    the absolute register at its begin, `session_e4kwh` the energy of the charge. Make them with `of`, which brings any
    integers to these types.
    """

    event_ms: Int64s
    receive_ms: Int64s
    counter_e4kwh: Int64s
    state: npt.NDArray[np.uint8]
    plugged: npt.NDArray[np.uint8]
    power_w: Int64s
    charge_minutes: Int64s
    seq: Int64s
    stored: npt.NDArray[np.uint8]
    start_ms: Int64s
    duration_s: Int64s
    before_e4kwh: Int64s
    session_e4kwh: Int64s

    @classmethod
    def of(
        cls,
        event_ms: Sequence[int] | npt.NDArray[Any],
        counter_e4kwh: Sequence[int] | npt.NDArray[Any],
        *,
        receive_ms: Sequence[int] | npt.NDArray[Any] | None = None,
        state: Sequence[int] | npt.NDArray[Any] | None = None,
        plugged: Sequence[int] | npt.NDArray[Any] | None = None,
        power_w: Sequence[int] | npt.NDArray[Any] | None = None,
        charge_minutes: Sequence[int] | npt.NDArray[Any] | None = None,
        seq: Sequence[int] | npt.NDArray[Any] | None = None,
        stored: Sequence[int] | npt.NDArray[Any] | None = None,
        start_ms: Sequence[int] | npt.NDArray[Any] | None = None,
        duration_s: Sequence[int] | npt.NDArray[Any] | None = None,
        before_e4kwh: Sequence[int] | npt.NDArray[Any] | None = None,
        session_e4kwh: Sequence[int] | npt.NDArray[Any] | None = None,
    ) -> "ReadingArrays":
        """Columns of one length (else CoreError); a column left out is: received at once, charging, plugged, 0.

        Without `stored`, a reading counts as stored when it arrived later than it was taken: YKC stamps all others on
        arrival.
        """
        size = len(event_ms)
        columns: dict[str, npt.NDArray[Any]] = {
            "event_ms": _int64(event_ms),
            "receive_ms": _int64(event_ms if receive_ms is None else receive_ms),
            "counter_e4kwh": _int64(counter_e4kwh),
            "state": _uint8(np.full(size, CHARGING) if state is None else state),
            "plugged": _uint8(np.ones(size) if plugged is None else plugged),
            "power_w": _int64(np.zeros(size) if power_w is None else power_w),
            "charge_minutes": _int64(np.zeros(size) if charge_minutes is None else charge_minutes),
            "seq": _int64(np.zeros(size) if seq is None else seq),
            "start_ms": _int64(np.zeros(size) if start_ms is None else start_ms),
            "duration_s": _int64(np.zeros(size) if duration_s is None else duration_s),
            "before_e4kwh": _int64(np.zeros(size) if before_e4kwh is None else before_e4kwh),
            "session_e4kwh": _int64(np.zeros(size) if session_e4kwh is None else session_e4kwh),
        }
        if stored is not None:
            columns["stored"] = _uint8(stored)
        for name, column in columns.items():
            if len(column) != size:
                raise CoreError(f"column {name} has {len(column)} readings, event_ms has {size}")
        columns.setdefault("stored", _uint8(columns["receive_ms"] > columns["event_ms"]))
        return cls(**columns)

    @classmethod
    def empty(cls) -> "ReadingArrays":
        """No reading."""
        return cls.of([], [])

    def __len__(self) -> int:
        return len(self.event_ms)

    def take(self, places: npt.NDArray[Any]) -> "ReadingArrays":
        """The readings at these places (indices or a mask)."""
        return ReadingArrays(**{name: getattr(self, name)[places] for name in self.__struct_fields__})

    def at_likely_times(self) -> "ReadingArrays":
        """Stored readings without a time of their own moved to the end of their minute, but not behind their receipt.

        At its begin one could come to lie before a live reading of the same minute that was taken earlier, and look
        like a register that fell. Of several in one minute the last is kept, and that is the one its end is right for.
        """
        if not self.stored.any():
            return self
        likely_ms = np.minimum(self.event_ms + STORED_MINUTE_MS, self.receive_ms)
        return msgspec.structs.replace(
            self, event_ms=np.where((self.stored != 0) & ~self.device_timed, likely_ms, self.event_ms)
        )

    @property
    def charging(self) -> Bools:
        """Which of them say that the connector charges."""
        return np.asarray(self.state == CHARGING)

    @property
    def device_timed(self) -> Bools:
        """Which of them carry a time of their own that a charge can have."""
        if not self.start_ms.any():  # no YKC reading has one
            return np.zeros(len(self), dtype=np.bool_)
        plausible = (self.start_ms > 0) & (self.duration_s >= 0) & (self.duration_s <= LONGEST_CHARGE_S)
        return np.asarray(self.charging & plausible)


def _int64(column: Sequence[int] | npt.NDArray[Any]) -> Int64s:
    return np.ascontiguousarray(column, dtype=np.int64)


def _uint8(column: Sequence[int] | npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(column, dtype=np.uint8)


class OrderedReadings(msgspec.Struct, frozen=True, eq=False):
    """All readings in the order of event time; `kept` are those that are no repetition, `flags` says what they are."""

    readings: ReadingArrays
    kept: Bools
    flags: npt.NDArray[np.uint32]

    @property
    def all_kept(self) -> bool:
        """No reading is a repetition."""
        return bool(self.kept.all())


def in_order(readings: ReadingArrays) -> OrderedReadings:
    """Sort by the time they were taken and drop repetitions (metering.md, rules 0 and 1).

    Equal sets of readings give equal results: of several at one moment the one with the latest sequence number is
    kept, then the one with the highest counter, and so on through every column. The sequence stands before the counter
    (DESIGN invariant 6 names the counter first): metering.md, rule 0, keeps the later sequence of two values at one
    moment, and the counter is what a faulty meter gets wrong, upwards as well as downwards.
    """
    readings = readings.at_likely_times()
    is_ordered = bool((readings.event_ms[1:] > readings.event_ms[:-1]).all())
    ordered = readings if is_ordered else readings.take(_order(readings))
    flags = np.zeros(len(ordered), dtype=np.uint32)
    kept = np.ones(len(ordered), dtype=np.bool_)
    if len(ordered) > 1:
        _drop_same_moment(ordered, kept, flags)
        _drop_repeated_frames(ordered, kept, flags)
        _drop_late_repeats(ordered, kept, flags)
        if (ordered.receive_ms[1:] < ordered.receive_ms[:-1]).any():
            latest_arrival = np.maximum.accumulate(ordered.receive_ms)
            flags[ordered.receive_ms < latest_arrival] |= OUT_OF_ORDER
    return OrderedReadings(ordered, kept, flags)


def standing_registers(readings: ReadingArrays) -> Int64s:
    """The values that a register showed, in the order of time, without repetitions, zeros, spikes and falls.

    A value stands where it lies between those before and after it. Where most do not, all of them are given.
    """
    ordered = in_order(readings)
    values = ordered.readings.counter_e4kwh[ordered.kept]
    values = values[values > 0]
    rises = np.diff(values) >= 0
    if not len(rises):
        return values
    stands = np.concatenate((rises[:1], rises[1:] & rises[:-1], rises[-1:]))
    return values[stands] if 2 * np.count_nonzero(stands) >= len(values) else values


def _order(readings: ReadingArrays) -> npt.NDArray[np.intp]:
    return np.lexsort(
        (
            readings.session_e4kwh,
            readings.before_e4kwh,
            readings.duration_s,
            readings.start_ms,
            readings.stored,
            readings.receive_ms,
            readings.plugged,
            readings.charge_minutes,
            readings.power_w,
            readings.state,
            readings.counter_e4kwh,
            _unwrapped_seq(readings),
            readings.event_ms,
        )
    )


def _unwrapped_seq(readings: ReadingArrays) -> Int64s:
    """The sequence numbers, made comparable at one moment: 0 follows 65535.

    Readings of one moment are few and close in sequence; where their numbers span more than half of all there are, the
    low ones come after the wrap.
    """
    seq = readings.seq
    if not len(seq) or int(seq.max()) - int(seq.min()) <= SEQ_NUMBERS // 2:
        return seq
    moments, moment = np.unique(readings.event_ms, return_inverse=True)
    lowest = np.full(len(moments), np.iinfo(np.int64).max)
    highest = np.full(len(moments), np.iinfo(np.int64).min)
    np.minimum.at(lowest, moment, seq)
    np.maximum.at(highest, moment, seq)
    wraps = (highest - lowest > SEQ_NUMBERS // 2)[moment] & (seq < SEQ_NUMBERS // 2)
    return np.where(wraps, seq + SEQ_NUMBERS, seq)


def _drop_same_moment(ordered: ReadingArrays, kept: Bools, flags: npt.NDArray[np.uint32]) -> None:
    same_moment = ordered.event_ms[:-1] == ordered.event_ms[1:]
    if not same_moment.any():
        return
    last_of_moment = np.append(~same_moment, True)
    winner = np.flatnonzero(last_of_moment)[np.searchsorted(np.flatnonzero(last_of_moment), np.arange(len(ordered)))]
    same_value = ordered.counter_e4kwh == ordered.counter_e4kwh[winner]
    kept &= last_of_moment
    flags[~last_of_moment & same_value] |= DUP
    flags[~last_of_moment & ~same_value] |= CONFLICT
    # Of a frame that came more than once, all but one are repetitions whichever value of the moment was kept.
    before = np.flatnonzero(same_moment)
    flags[before[_same_frame(ordered, before, before + 1)]] |= DUP


def _frame_columns(ordered: ReadingArrays) -> tuple[npt.NDArray[Any], ...]:
    return (
        ordered.seq,
        ordered.counter_e4kwh,
        ordered.power_w,
        ordered.charge_minutes,
        ordered.state,
        ordered.duration_s,
    )


def _same_frame(ordered: ReadingArrays, one: npt.NDArray[Any], other: npt.NDArray[Any]) -> Bools:
    same = np.ones(len(one), dtype=np.bool_)
    for column in _frame_columns(ordered):
        same &= column[one] == column[other]
    return same


def _drop_repeated_frames(ordered: ReadingArrays, kept: Bools, flags: npt.NDArray[np.uint32]) -> None:
    """A frame that a charger sends twice differs in nothing but the time of receipt."""
    places = np.flatnonzero(kept)
    if len(places) < 2:
        return
    event_ms = ordered.event_ms[places]
    if (event_ms[1:] - event_ms[:-1]).min() > REPEAT_MS:
        return
    before, after = places[:-1], places[1:]
    repeated = after[
        _same_frame(ordered, before, after) & (ordered.event_ms[after] - ordered.event_ms[before] <= REPEAT_MS)
    ]
    kept[repeated] = False
    flags[repeated] |= DUP


def _drop_late_repeats(ordered: ReadingArrays, kept: Bools, flags: npt.NDArray[np.uint32]) -> None:
    """A frame that comes again after newer ones would look like a register that falls back, or that rests.

    A zero is judged as a zero read, not as a repetition of the session's first reading. That the register rests is no
    repetition either where the frames carry no number of their own, or where nothing flows, as in a pause.
    """
    places = np.flatnonzero(kept)
    counter = ordered.counter_e4kwh[places]
    if (counter[1:] > counter[:-1]).all():
        return
    suspect = np.zeros(len(places), dtype=np.bool_)
    suspect[1:] = (counter[1:] < counter[:-1]) & (counter[1:] != 0)
    if _are_numbered(ordered):
        highest = np.maximum.accumulate(counter)
        suspect[1:] |= (counter[1:] <= highest[:-1]) & (ordered.power_w[places[1:]] > FLOWING_W)
    if not suspect.any():
        return
    # Equal frames side by side, each after the one that was taken before it: that one is the nearest in time.
    by_frame = np.lexsort([places, *(column[places] for column in _frame_columns(ordered))])
    before, after = places[by_frame[:-1]], places[by_frame[1:]]
    comes_again = _same_frame(ordered, before, after) & (
        ordered.event_ms[after] - ordered.event_ms[before] <= LATE_REPEAT_MS
    )
    repeated = after[comes_again & suspect[by_frame[1:]]]
    kept[repeated] = False
    flags[repeated] |= DUP


def _are_numbered(ordered: ReadingArrays) -> bool:
    """Each frame has a number (YKC) or a time (AAF5) of its own, so that two equal ones are one."""
    numbers = ordered.seq if ordered.seq.any() else ordered.duration_s
    return len(numbers) > 2 and 2 * int(np.count_nonzero(np.diff(numbers))) >= len(numbers)
