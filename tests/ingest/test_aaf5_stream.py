"""The compiled path of an AAF5 connection against plain expectations, without sockets."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aaf5.codec import encode_raw, wrap_body
from core.connector import EVENT_CHARGING, EVENT_NAMES, EVENT_REGISTER_BROKEN
from ingest.aaf5_protocol import AAF5
from ingest.aaf5_stream import Aaf5Stream, whole_frame_kind
from ingest.connection_registry import PileState
from ingest.record_buffer import (
    FLAG_STORED,
    FRAME_UP,
    LANE_TELEMETRY,
    PROTOCOL_AAF5,
    QUARANTINE,
    RecordBuffer,
    Records,
    scan_records,
)
from tests.ingest.aaf5_frames import AAF5_CODE, SERIAL, aaf5_login, aaf5_pile, up
from tests.ingest.aaf5_status import CHARGING, FAULT, FINISHED, METER_BEFORE, charge, charging, heartbeat, status
from tests.ingest.charger_frames import NOW_MS
from tests.ingest.charger_frames import heartbeat as ykc_heartbeat

BODY = slice(8, -1)


class Told:
    """What `on_event` was told, and the stream's frame at that moment."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int, int, int, str]] = []
        self.frames: list[bytes] = []
        self.stream: Aaf5Stream

    def __call__(self, *call: Any) -> None:
        self.calls.append(call)
        self.frames.append(self.stream.event_frame)

    @property
    def names(self) -> list[str]:
        return [name for call in self.calls for bit, name in EVENT_NAMES.items() if call[2] & bit]


def make_stream(*, connector: int = 0, bound: bool = True, **changes: Any) -> tuple[Aaf5Stream, PileState, Told]:
    told = Told()
    stream = told.stream = Aaf5Stream(RecordBuffer(), 7, told)
    pile = aaf5_pile(**changes)
    state = PileState(pile)
    if bound:
        stream.bind(pile, state, connector)
    return stream, state, told


def left_for_python(stream: Aaf5Stream, data: bytes, at_ms: int = NOW_MS) -> list[tuple[int, int, bytes]]:
    stream.feed_bytes(data, at_ms)
    left = []
    while (frame := stream.next_frame()) is not None:
        left.append(frame)
    return left


def kept(stream: Aaf5Stream) -> tuple[Records, list[bytes]]:
    data = stream.records.take(LANE_TELEMETRY)
    found = scan_records(data)
    assert found.stop == "end"
    spans = zip(found.payload_offset.tolist(), found.payload_length.tolist(), strict=True)
    return found, [data[start : start + length] for start, length in spans]


def live(stream: Aaf5Stream) -> list[tuple[int, int]]:
    """(accepted energy, flags) of the records so far."""
    found, _ = kept(stream)
    return list(zip(found.live_accepted_e4kwh.tolist(), found.live_flags.tolist(), strict=True))


def test_status_and_heartbeats_of_the_bound_charger_never_reach_python() -> None:
    stream, _, _ = make_stream()
    frames = [
        status(),
        status(serial=None),
        wrap_body(104, status()[BODY][:173]),
        wrap_body(104, status()[BODY] + b"\0\1"),  # a size that is not known: the common part is read
        heartbeat(),
        charging(5, 10, gun_no=2),
    ]
    assert left_for_python(stream, b"".join(frames)) == []
    found, payloads = kept(stream)
    assert payloads == frames
    assert set(found.kind.tolist()) == {FRAME_UP} and set(found.protocol.tolist()) == {PROTOCOL_AAF5}
    assert found.connector.tolist() == [1, 1, 1, 1, 0, 2]
    assert (stream.frames, stream.readings, stream.heartbeats, stream.fast_frames) == (6, 5, 1, 6)


def test_before_the_login_everything_goes_to_python() -> None:
    stream, _, _ = make_stream(bound=False)
    frames = [heartbeat(), status()]
    assert [frame for _, _, frame in left_for_python(stream, b"".join(frames))] == frames
    assert stream.readings == 0


@pytest.mark.parametrize(
    "frame",
    [
        status("44011300040000200062"),
        status(AAF5_CODE + "A"),  # a letter, and the master data knows of none
        status(AAF5_CODE[:-1]),
        heartbeat(code=AAF5_CODE + "A"),
        wrap_body(104, status()[BODY][:168]),
        wrap_body(102, heartbeat()[BODY] + b"\0"),
        wrap_body(104, b""),
        wrap_body(102, b""),
        status(gun_no=100),
        aaf5_login(),
        up("tariff_request", value1=0),
    ],
)
def test_what_is_unusual_goes_to_python(frame: bytes) -> None:
    stream, _, _ = make_stream()
    assert left_for_python(stream, frame) == [(1, int.from_bytes(frame[6:8], "little"), frame)]
    assert (stream.frames, stream.fast_frames) == (1, 0)
    assert not stream.take_fast(frame, NOW_MS)
    assert stream.frames == 1


@pytest.mark.parametrize("fast", [True, False])
def test_a_frame_of_a_capture_is_taken_as_a_live_one(fast: bool) -> None:
    stream, _, _ = make_stream()
    for frame in (status(), heartbeat()):
        assert stream.take_fast(frame, NOW_MS) if fast else stream.take_frame(frame, NOW_MS) is None
    damaged = status()[:-1] + bytes([status()[-1] ^ 1])
    assert not stream.take_fast(damaged, NOW_MS)
    assert not stream.take_fast(ykc_heartbeat(), NOW_MS)
    assert (stream.frames, stream.readings, stream.heartbeats) == (2, 1, 1)
    assert stream.take_frame(damaged, NOW_MS) is None
    found, payloads = kept(stream)
    assert (payloads[-1], found.kind[-1], found.reason[-1]) == (damaged, QUARANTINE, 12)


@given(seq=st.binary(min_size=1, max_size=1), counter=st.integers(0, 0xFFFF))
def test_the_heartbeat_answer_equals_the_encoder_s(seq: bytes, counter: int) -> None:
    stream, _, _ = make_stream()
    left_for_python(stream, heartbeat(counter, seq=seq) * 3)
    fields = {"reserved1": 0, "reserved2": 0, "counter": counter}
    assert stream.take_acks() == encode_raw("heartbeat_ack", fields, seq=seq) * 3
    assert stream.take_acks() == b""


@given(
    seq=st.binary(min_size=1, max_size=1),
    gun_no=st.integers(0, 99),
    serial=st.none() | st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=32),
    state=st.integers(0, 255),
)
def test_the_status_answer_equals_the_encoder_s(seq: bytes, gun_no: int, serial: str | None, state: int) -> None:
    stream, _, _ = make_stream()
    frame = status(serial=serial, seq=seq, gun_no=gun_no, work_state=state)
    assert left_for_python(stream, frame) == []
    fields = {"reserved1": 0, "reserved2": 0, "gun_no": gun_no, "value1": 0, "value2": 0, "serial": serial or ""}
    assert stream.take_acks() == encode_raw("status_ack", fields, seq=seq)


def test_guns_with_letters_are_told_apart_by_them() -> None:
    """aaf5.md section 6: a letter behind the code, and gun number 0 on a pile of one gun."""
    stream, _, _ = make_stream(gun_letters=True)
    letters = [status(AAF5_CODE + letter, gun_no=0) for letter in "AB"]
    left_for_python(stream, b"".join([*letters, status(gun_no=0), status(gun_no=2)]))
    assert kept(stream)[0].connector.tolist() == [1, 2, 1, 2]
    assert [frame for _, _, frame in left_for_python(stream, status(AAF5_CODE + "AB") + status(AAF5_CODE + "a"))]


def test_a_connection_of_one_gun_speaks_for_no_other() -> None:
    stream, _, _ = make_stream(connector=2, gun_letters=True)
    own = [status(AAF5_CODE + "B", gun_no=0), heartbeat(code=AAF5_CODE + "B"), status(gun_no=1)]
    assert left_for_python(stream, b"".join(own)) == []
    assert kept(stream)[0].connector.tolist() == [2, 2, 2]
    other = status(AAF5_CODE + "A", gun_no=1)
    assert [frame for _, _, frame in left_for_python(stream, other)] == [other]


def test_a_charge_is_followed_by_its_register() -> None:
    """The baseline is the register before the charge, not the first reading heard of it (metering.md)."""
    stream, state, told = make_stream()
    for ts, _, frame in charge()[:-1]:
        assert left_for_python(stream, frame, ts) == []
    cycle = state.cycles[1]
    assert cycle is not None
    assert (cycle.accepted_e4kwh, cycle.flags, cycle.trade_no) == (68_000, 0, SERIAL)
    assert told.names == ["first_seen", "charging", "stopped"]
    assert [call[5] for call in told.calls] == [SERIAL] * 3
    assert told.frames == [charge()[0][2], charge()[1][2], charge()[-2][2]]
    assert stream.event_frame == b""
    accepted = [figure for figure, _ in live(stream)]
    assert accepted == sorted(accepted) and accepted[-1] == 68_000


def test_a_charge_first_heard_of_in_its_middle_counts_from_its_begin() -> None:
    stream, state, _ = make_stream()
    for n in (40, 41):
        left_for_python(stream, charging(n * 17, n * 15), NOW_MS + n * 15_000)
    cycle = state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == 41 * 1_700


@pytest.mark.parametrize("meter_before", [0, METER_BEFORE - 500_000])
def test_a_register_before_the_charge_that_cannot_be_is_not_the_baseline(meter_before: int) -> None:
    stream, state, _ = make_stream()
    for n in range(6):
        frame = charging(n * 17, n * 15, meter_before=meter_before, meter_now=METER_BEFORE + n * 17)
        left_for_python(stream, frame, NOW_MS + n * 15_000)
    cycle = state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == 5 * 1_700


def test_a_meter_of_sessions_gives_the_energy_of_the_frame() -> None:
    stream, state, _ = make_stream(register_kind="session")
    for n in range(1, 4):
        left_for_python(stream, charging(n * 17, n * 15, meter_now=0, meter_before=0), NOW_MS + n * 15_000)
    cycle = state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == 3 * 1_700


def test_an_idle_status_that_repeats_the_last_session_is_no_live_value() -> None:
    stream, state, _ = make_stream()
    for ts, _, frame in charge()[:-1]:
        left_for_python(stream, frame, ts)
    jumped = status(work_state=FINISHED, energy=9_999, meter_now=METER_BEFORE + 9_999)
    left_for_python(stream, jumped, NOW_MS + 700_000)
    cycle = state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == 68_000


def test_a_session_without_a_serial_is_named_by_charger_gun_and_start() -> None:
    stream, state, told = make_stream()
    for ts, _, frame in charge(serial=None, gun_no=2)[:-1]:
        left_for_python(stream, frame, ts)
    assert told.names[1] == "charging"
    trade_no = told.calls[1][5]
    assert trade_no == f"{AAF5_CODE}-2-20261122062640"
    assert state.trade_no(2) == trade_no
    assert state.record_is_fresh(2, trade_no, NOW_MS + 616_000)
    cycle = state.cycles[2]
    assert cycle is not None and cycle.billed(trade_no, NOW_MS + 616_000)


def test_states_and_plugs_have_one_meaning_for_all_protocols() -> None:
    stream, _, told = make_stream()
    for n, (work_state, car_conn) in enumerate([(0, 0), (1, 1), (0, 2), (FAULT, 2), (5, 0)]):
        left_for_python(stream, status(work_state=work_state, car_conn=car_conn), NOW_MS + n * 15_000)
    assert [(name, call[3], call[4]) for name, call in zip(told.names, told.calls, strict=False)] == [
        ("first_seen", 2, 0),
        ("plugged", 2, 1),
        ("fault", 1, 1),
        ("unplugged", 2, 0),
    ]
    assert told.names == ["first_seen", "plugged", "fault", "unplugged", "recovered"]


@pytest.mark.parametrize(
    ("start_ms", "duration_s", "event_ms", "stored"),
    [
        (NOW_MS - 600_000, 600, NOW_MS, False),
        (NOW_MS - 600_000, 481, NOW_MS, False),
        (NOW_MS - 600_000, 479, NOW_MS - 121_000, True),
        (NOW_MS + 179_000, 0, NOW_MS, False),
        (NOW_MS - 31 * 86_400_000, 0, NOW_MS - 31 * 86_400_000, True),
        (NOW_MS - 32 * 86_400_000, 0, NOW_MS, False),  # nothing is kept for so long
        (0, 600, NOW_MS, False),
    ],
)
def test_a_late_reading_of_a_charger_whose_clock_was_seen_was_kept(
    start_ms: int, duration_s: int, event_ms: int, stored: bool
) -> None:
    """NOW_MS is a whole second, so that BCD8 holds it."""
    stream, state, _ = make_stream()
    state.note_clock(NOW_MS - 5_000, NOW_MS - 5_000)
    changes: dict[str, Any] = {} if start_ms else {"start_time": bytes(8)}
    left_for_python(stream, charging(0, duration_s, start_ms=start_ms or NOW_MS, **changes))
    found, _ = kept(stream)
    assert (found.event_ms.tolist(), found.receive_ms.tolist()) == ([event_ms], [NOW_MS])
    assert found.flags.tolist() == [FLAG_STORED if stored else 0]


@pytest.mark.parametrize("off_ms", [-170_000, -3 * 3_600_000, 3 * 3_600_000, -20 * 365 * 86_400_000])
@pytest.mark.parametrize("idle_before", [False, True])
def test_a_clock_that_nobody_has_seen_makes_no_live_reading_late(off_ms: int, idle_before: bool) -> None:
    stream, _, _ = make_stream()
    if idle_before:
        left_for_python(stream, status(), NOW_MS - 15_000)
    for n in range(41):
        left_for_python(stream, charging(n, 15 * n, start_ms=NOW_MS + off_ms), NOW_MS + 15_000 * n)
    left_for_python(stream, charging(41, 601, start_ms=NOW_MS + off_ms), NOW_MS + 601_000)  # at once, on a change
    found, _ = kept(stream)
    assert set(found.flags.tolist()) == {0}
    assert found.event_ms.tolist() == found.receive_ms.tolist()
    # what it kept while the line was down lies where it belongs, by the clock as the live ones showed it
    for n in range(20):
        left_for_python(stream, charging(42 + n, 615 + 15 * n, start_ms=NOW_MS + off_ms), NOW_MS + 1_000_000 + 40 * n)
    found, _ = kept(stream)
    late = found.receive_ms - (NOW_MS + 615_000 + 15_000 * np.arange(20)) > 120_000
    assert (found.flags == FLAG_STORED).tolist() == late.tolist()
    told_ms = np.where(late, NOW_MS + 615_000 + 15_000 * np.arange(20), found.receive_ms)
    assert np.abs(found.event_ms - told_ms).max() <= 1_000


def test_a_charge_that_pauses_stays_live_and_over_a_new_connection_too() -> None:
    """The duration stands still: the charger's time falls behind by the length of the pause."""
    stream, state, told = make_stream()
    for n in range(61):
        left_for_python(stream, charging(min(n, 20), 15 * min(n, 20), start_ms=NOW_MS), NOW_MS + 15_000 * n)
    found, _ = kept(stream)
    again = Aaf5Stream(RecordBuffer(), 8, told)
    told.stream = again
    state.note_clock(NOW_MS + 930_000, NOW_MS + 930_000)
    again.bind(aaf5_pile(), state)
    left_for_python(again, charging(20, 300, start_ms=NOW_MS), NOW_MS + 931_000)
    resumed_found, _ = kept(again)
    for one in (found, resumed_found):
        assert set(one.flags.tolist()) == {0}
        assert one.event_ms.tolist() == one.receive_ms.tolist()


def test_a_charge_that_paused_in_another_state_is_live_when_it_goes_on() -> None:
    stream, _, _ = make_stream()
    for n in range(11):
        left_for_python(stream, charging(n, 15 * n, start_ms=NOW_MS), NOW_MS + 15_000 * n)
    for n in range(11, 51):
        idle = charging(10, 150, start_ms=NOW_MS, work_state=FINISHED)
        left_for_python(stream, idle, NOW_MS + 15_000 * n)
    left_for_python(stream, charging(10, 150, start_ms=NOW_MS), NOW_MS + 15_000 * 51)
    found, _ = kept(stream)
    assert set(found.flags.tolist()) == {0}
    assert found.event_ms.tolist() == found.receive_ms.tolist()


@pytest.mark.parametrize("clock_shown", [False, True])
def test_a_whole_charge_from_the_memory_is_told_from_live_readings(clock_shown: bool) -> None:
    stream, state, _ = make_stream()
    if clock_shown:
        state.note_clock(NOW_MS, NOW_MS)
    began_ms = NOW_MS - 6 * 3_600_000
    left_for_python(stream, status(), NOW_MS)
    for n in range(30):
        left_for_python(stream, charging(n, 15 * n, start_ms=began_ms), NOW_MS + 3_000 + 40 * n)
    for n in range(30, 60):  # and some more slowly, as live ones come
        left_for_python(stream, charging(n, 15 * n, start_ms=began_ms), NOW_MS + 4_200 + 3_000 * (n - 29))
    found, _ = kept(stream)
    of_memory = slice(1 if clock_shown else 2, 31)
    assert set(found.flags[of_memory].tolist()) == {FLAG_STORED}
    assert found.event_ms[of_memory].tolist() == [began_ms + 15_000 * n for n in range(of_memory.start - 1, 30)]
    if clock_shown:
        assert set(found.flags[31:].tolist()) == {FLAG_STORED}


def test_an_idle_reading_has_the_time_of_its_receipt() -> None:
    stream, _, _ = make_stream()
    left_for_python(stream, charging(5, 10, start_ms=NOW_MS - 10 * 86_400_000, work_state=FINISHED))
    assert kept(stream)[0].event_ms.tolist() == [NOW_MS]


def test_a_charger_whose_clock_is_slow_is_still_followed_live() -> None:
    stream, state, told = make_stream()
    slow = charge(start_ms=NOW_MS)
    for ts, _, frame in slow[:-1]:
        left_for_python(stream, frame, ts + 900_000)
    cycle = state.cycles[1]
    assert cycle is not None and (cycle.accepted_e4kwh, cycle.flags) == (68_000, 0)
    assert told.names == ["first_seen", "charging", "stopped"]
    assert told.calls[1][1] == NOW_MS + 900_000  # by the platform's clock
    found, _ = kept(stream)
    charging_ones = slice(1, -1)
    assert set(found.flags[charging_ones].tolist()) == {0}
    assert found.event_ms[charging_ones].tolist() == [NOW_MS + 900_000 + n * 15_000 for n in range(41)]


@pytest.mark.parametrize("off_ms", [-342_000, -8 * 3_600_000, 600_000])
def test_a_clock_that_its_login_showed_to_be_off_makes_no_reading_late(off_ms: int) -> None:
    stream, state, _ = make_stream()
    state.note_clock(NOW_MS - 60_000 + off_ms, NOW_MS - 60_000)
    off = charge(start_ms=NOW_MS + off_ms)
    for ts, _, frame in off[:-1]:
        left_for_python(stream, frame, ts - off_ms)
    found, _ = kept(stream)
    assert set(found.flags.tolist()) == {0}
    assert found.event_ms[1:-1].tolist() == [NOW_MS + n * 15_000 for n in range(41)]
    # what it had kept while it was away is late by that clock as well
    left_for_python(stream, charging(1, 10, start_ms=NOW_MS + off_ms, serial="OTHER"), NOW_MS + 900_000)
    found, _ = kept(stream)
    assert (found.event_ms.tolist(), found.flags.tolist()) == ([NOW_MS + 10_000], [FLAG_STORED])


def test_a_charge_that_began_before_the_clock_was_set_keeps_the_wrong_begin() -> None:
    stream, state, _ = make_stream()
    off_ms = -342_000
    state.note_clock(NOW_MS + off_ms, NOW_MS)
    state.note_clock(NOW_MS + 2_000, NOW_MS + 2_000)
    left_for_python(stream, charging(9, 600, start_ms=NOW_MS - 600_000 + off_ms), NOW_MS + 5_000)
    left_for_python(stream, charging(0, 0, start_ms=NOW_MS + 60_000, serial="NEXT"), NOW_MS + 60_000)
    found, _ = kept(stream)
    assert found.event_ms.tolist() == [NOW_MS + 5_000, NOW_MS + 60_000]
    assert found.flags.tolist() == [0, 0]


def test_a_clock_that_is_merely_imprecise_moves_nothing() -> None:
    stream, state, _ = make_stream()
    state.note_clock(NOW_MS - 59_000, NOW_MS)
    left_for_python(stream, charging(0, 0, start_ms=NOW_MS), NOW_MS + 3_000)
    assert kept(stream)[0].event_ms.tolist() == [NOW_MS + 3_000]


def test_readings_kept_by_the_charger_do_not_disturb_the_live_figure() -> None:
    """They come back to back when the line is there again, before or among live ones."""
    stream, state, _ = make_stream()
    lines = charge()[1:-2]
    for ts, _, frame in lines[:10]:
        left_for_python(stream, frame, ts)
    for _, _, frame in [*lines[20:30], *lines[10:20]]:
        left_for_python(stream, frame, NOW_MS + 460_000)
    for ts, _, frame in lines[31:]:
        left_for_python(stream, frame, ts)
    cycle = state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == 68_000
    found, _ = kept(stream)
    taken = sorted(
        ts for n, (ts, _, _) in enumerate(lines) if n != 30 and not NOW_MS + 340_000 <= ts < NOW_MS + 460_000
    )
    in_two_minutes = [NOW_MS + 460_000] * (len(found.event_ms) - len(taken))  # as good as live
    assert sorted(found.event_ms.tolist()) == sorted([*taken, *in_two_minutes])


def resumed(cycle_energy: int, **changes: Any) -> tuple[Told, PileState]:
    """A charge under way, and its first reading over a new connection."""
    stream, state, told = make_stream()
    for ts, _, frame in charge()[:21]:
        left_for_python(stream, frame, ts)
    told.calls.clear()
    state.reconnected()
    again = Aaf5Stream(RecordBuffer(), 8, told)
    told.stream = again
    again.bind(aaf5_pile(), state)
    changes = {"duration_s": 330} | changes
    assert left_for_python(again, charging(cycle_energy, **changes), NOW_MS + 330_000) == []
    return told, state


def test_a_new_connection_goes_on_with_the_session_that_it_names_when_the_register_goes_on() -> None:
    told, state = resumed(380)
    cycle = state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == 38_000
    assert told.calls == []


def test_a_register_that_fell_is_measured_anew_and_told() -> None:
    told, state = resumed(100)
    assert [call[2] & EVENT_REGISTER_BROKEN for call in told.calls] == [EVENT_REGISTER_BROKEN]
    cycle = state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == 10_000  # by its own word of the begin, no more


def test_another_session_inherits_nothing_and_ends_nothing() -> None:
    told, state = resumed(380, serial="20191112001934329341000000000002", start_ms=NOW_MS + 300_000, duration_s=30)
    assert [call[2] for call in told.calls] == [EVENT_CHARGING]
    cycle = state.cycles[1]
    assert cycle is not None and cycle.trade_no.endswith("2")
    assert cycle.accepted_e4kwh != 38_000


def test_an_idle_reading_of_a_new_connection_ends_no_session() -> None:
    told, state = resumed(340, work_state=0)
    assert told.calls == []
    cycle = state.cycles[1]
    assert cycle is not None and cycle.life_name == "charging"
    assert cycle.billed(SERIAL, NOW_MS) and cycle.life_name == "billed"


@given(chunks=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([heartbeat(), status()])), max_size=12))
def test_every_byte_ends_in_a_record_or_waits(chunks: list[bytes]) -> None:
    stream, _, _ = make_stream(bound=False)
    for chunk in chunks:
        for _, _, frame in left_for_python(stream, chunk):
            stream.keep(frame, 0, NOW_MS)
    total = sum(map(len, chunks))
    before = sum(map(len, kept(stream)[1]))
    assert before + stream.splitter.pending == total == stream.bytes_in
    stream.close()
    assert before + sum(map(len, kept(stream)[1])) == total


@pytest.mark.parametrize("code", ["", "x" * 33, "充电桩"])
def test_bind_refuses_a_code_that_no_frame_can_carry(code: str) -> None:
    stream, state, _ = make_stream(bound=False)
    with pytest.raises(ValueError, match="ASCII"):
        stream.bind(aaf5_pile(code), state)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (heartbeat(), 1),
        (status(), 1),
        (b"", 10),
        (b"\xaa", 10),
        (b"\xab" + heartbeat()[1:], 10),
        (b"\xaa\xf5\x09\x00\x10\x41\x66\x00", 11),
        (heartbeat()[:-1], 11),
        (heartbeat() + b"\0", 11),
        (wrap_body(104, bytes(1015)) + b"\0", 11),
        (heartbeat()[:-1] + b"\0", 12),
    ],
)
def test_the_kind_of_a_whole_frame(data: bytes, kind: int) -> None:
    assert whole_frame_kind(data) == AAF5.whole_frame_kind(data) == kind


def test_the_splitter_and_the_whole_frame_agree() -> None:
    stream, _, _ = make_stream(bound=False)
    frame = charging(1, 1)
    assert [kind for kind, _, _ in left_for_python(stream, frame)] == [whole_frame_kind(frame)]


def test_a_connector_that_charges_is_the_one_of_the_frame() -> None:
    stream, state, _ = make_stream()
    left_for_python(stream, charging(1, 1, gun_no=2))
    assert (state.is_charging(1), state.is_charging(2)) == (False, True)
    assert state.trade_no(2) == SERIAL
    assert CHARGING == 2
