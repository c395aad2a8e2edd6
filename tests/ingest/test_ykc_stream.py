"""The compiled path of a connection against plain expectations, without sockets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.directory import Pile
from core.ykc.codec import encode_raw, wrap_body
from ingest.charger_link import ACCEPT, ChargerLink
from ingest.connection_registry import PileState
from ingest.event_log import EventLog
from ingest.events import CommandOutcome
from ingest.reactions import ChargerReply, CommandAnswer, LoginRequest, Reason, StartRequest
from ingest.record_buffer import (
    FLAG_STORED,
    FRAME_UP,
    LANE_FACTS,
    LANE_TELEMETRY,
    QUARANTINE,
    RECORD_HEADER_BYTES,
    RecordBuffer,
    scan_records,
)
from ingest.trade_numbers import TradeNumbers
from ingest.ykc_dialogue import YkcDialogue
from ingest.ykc_protocol import YKC
from ingest.ykc_stream import YkcStream, whole_frame_kind
from tests.ingest.charger_frames import (
    CODE,
    NOW_MS,
    OTHER_CODE,
    charging,
    heartbeat,
    make_pile,
    realtime,
    record,
    trade_no_of,
)

TRADE_NO = trade_no_of()


def make_stream(records: RecordBuffer | None = None, *, bound: bool = True, **arguments: Any) -> YkcStream:
    stream = YkcStream(records or RecordBuffer(), 7, lambda *_: None, **arguments)
    if bound:
        pile = make_pile()
        stream.bind(pile, PileState(pile))
    return stream


def left_for_python(stream: YkcStream, data: bytes, at_ms: int = NOW_MS) -> list[tuple[int, int, bytes]]:
    stream.feed_bytes(data, at_ms)
    left = []
    while (frame := stream.next_frame()) is not None:
        left.append(frame)
    return left


def kept(records: RecordBuffer) -> list[tuple[int, int, bytes]]:
    """(kind, reason, payload) of the telemetry."""
    data = records.take(LANE_TELEMETRY)
    found = scan_records(data)
    spans = zip(found.payload_offset.tolist(), found.payload_length.tolist(), strict=True)
    payloads = [data[start : start + length] for start, length in spans]
    return list(zip(found.kind.tolist(), found.reason.tolist(), payloads, strict=True))


def test_readings_and_heartbeats_of_the_bound_charger_never_reach_python() -> None:
    stream = make_stream()
    frames = [heartbeat(), realtime(), charging(TRADE_NO, 5, 0), heartbeat(order="be")]
    assert left_for_python(stream, b"".join(frames)) == []
    assert kept(stream.records) == [(FRAME_UP, 0, frame) for frame in frames]
    assert (stream.frames, stream.readings, stream.heartbeats, stream.fast_frames) == (4, 2, 2, 4)


def test_before_the_login_everything_goes_to_python() -> None:
    stream = make_stream(bound=False)
    frames = [heartbeat(), realtime()]
    assert [frame for _, _, frame in left_for_python(stream, b"".join(frames))] == frames
    assert stream.readings == 0


@pytest.mark.parametrize(
    "frame",
    [
        realtime(OTHER_CODE),
        heartbeat(OTHER_CODE),
        wrap_body(0x13, realtime()[6:-2][:59]),  # shorter than the table
        wrap_body(0x03, heartbeat()[6:-2] + b"\0"),  # YLC
        realtime(gun_no="00"),
        realtime(gun_no="0A"),
        encode_raw("tariff_request", {"pile_code": CODE}),
        wrap_body(0x13, b""),
        wrap_body(0x03, b""),
    ],
)
def test_what_is_unusual_goes_to_python(frame: bytes) -> None:
    stream = make_stream()
    assert left_for_python(stream, frame) == [(1, frame[5], frame)]
    assert stream.frames == 1 and stream.fast_frames == 0


def test_a_longer_reading_is_decoded_by_its_prefix() -> None:
    stream = make_stream()
    longer = wrap_body(0x13, charging(TRADE_NO, 5, 0)[6:-2] + bytes(81))  # YLC
    assert left_for_python(stream, longer) == []
    assert stream.readings == 1
    assert kept(stream.records) == [(FRAME_UP, 0, longer)]


@given(seq=st.binary(min_size=2, max_size=2), gun=st.integers(0, 255), fault=st.integers(0, 255))
def test_the_heartbeat_answer_equals_the_encoder_s(seq: bytes, gun: int, fault: int) -> None:
    stream = make_stream()
    frame = wrap_body(0x03, bytes.fromhex(CODE) + bytes([gun, fault]), seq=seq)
    left_for_python(stream, frame * 3)
    fields = {"pile_code": CODE, "gun_no": f"{gun:02X}", "reserved": 0}
    assert stream.take_acks() == encode_raw("heartbeat_ack", fields, seq=seq) * 3
    assert stream.take_acks() == b""


def test_a_reading_kept_by_the_charger_gets_the_time_it_tells() -> None:
    """DESIGN invariant 6: its charge_minutes are more than 2 minutes behind, and it comes out of step."""
    stream = make_stream()
    for n in range(41):  # ten minutes in step
        left_for_python(stream, charging(TRADE_NO, n * 100, n // 4), NOW_MS + n * 15_000)
    stream.records.take(LANE_TELEMETRY)
    left_for_python(stream, charging(TRADE_NO, 4_200, 11), NOW_MS + 1_800_000)
    found = scan_records(stream.records.take(LANE_TELEMETRY))
    assert found.flags.tolist() == [FLAG_STORED]
    assert abs(int(found.event_ms[0]) - (NOW_MS + 11 * 60_000)) <= 60_000
    assert int(found.receive_ms[0]) == NOW_MS + 1_800_000


@given(chunks=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([heartbeat(), realtime()])), max_size=12))
def test_every_byte_ends_in_a_record_or_waits(chunks: list[bytes]) -> None:
    stream = make_stream(bound=False, evidence_limit=1 << 30)
    for chunk in chunks:
        for _, _, frame in left_for_python(stream, chunk):
            stream.keep(frame, 0, NOW_MS)
    total = sum(map(len, chunks))
    before = sum(len(payload) for _, _, payload in kept(stream.records))
    assert before + stream.splitter.pending == total == stream.bytes_in
    stream.close()
    after = kept(stream.records)
    assert before + sum(len(payload) for _, _, payload in after) == total
    assert all(kind == QUARANTINE for kind, _, _ in after)


def test_evidence_is_bounded_per_minute_and_counted_beyond() -> None:
    limit = 3 * (10 + RECORD_HEADER_BYTES)
    stream = make_stream(evidence_limit=limit)
    stream.feed(0, NOW_MS)
    for _ in range(5):
        stream.quarantine(b"\1" * 10, Reason.FOREIGN_PILE)
    assert len(kept(stream.records)) == 3
    assert (stream.quarantined_bytes, stream.evidence_dropped_bytes) == (50, 20)
    stream.feed(0, NOW_MS + 60_000)
    stream.quarantine(b"\1" * 10, Reason.FOREIGN_PILE)
    assert len(kept(stream.records)) == 1
    assert stream.quarantined == {Reason.FOREIGN_PILE: 60}


def test_bind_refuses_what_would_break_the_compiled_path() -> None:
    stream = make_stream(bound=False)
    pile = make_pile()
    state = PileState(pile)
    with pytest.raises(ValueError, match="digits"):
        stream.bind(make_pile("1234"), state)
    with pytest.raises(ValueError, match="connectors"):
        stream.bind(pile, state, 100)
    with pytest.raises(ValueError, match="connectors"):
        state.cycle(100, 0)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (heartbeat(), 1),
        (heartbeat(order="be"), 2),
        (wrap_body(0x03, b"", encryption=1), 3),
        (b"", 10),
        (b"\x69" + heartbeat()[1:], 10),
        (b"\x68", 11),
        (heartbeat()[:-1], 11),
        (heartbeat() + b"\0", 11),
        (heartbeat()[:-1] + b"\0", 12),
    ],
)
def test_the_kind_of_a_whole_frame(data: bytes, kind: int) -> None:
    assert whole_frame_kind(data) == kind


class Owner:
    """Holds one link and nothing else."""

    def __init__(self, records: RecordBuffer) -> None:
        self.events = EventLog(records)
        self._state = PileState(make_pile())

    def state_of(self, pile: Pile) -> PileState:
        return self._state

    def charger_answered(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome | None:
        return None

    def login_wanted(self, link: ChargerLink, request: LoginRequest) -> str:
        return ACCEPT

    def start_wanted(self, link: ChargerLink, request: StartRequest) -> None:
        raise AssertionError("nobody starts a charge here")


def test_a_record_that_the_spool_refuses_is_not_acknowledged() -> None:
    """The disk does not keep up and memory is at its limit: silence, so that the charger sends it again."""
    records = RecordBuffer(facts_limit_bytes=400)
    dialogue = YkcDialogue(lambda _: None, TradeNumbers(), connection_id=7, pile=make_pile())
    link = ChargerLink(Owner(records), YKC, dialogue, lambda on_event: YkcStream(records, 7, on_event))
    acks = []
    for number in (1, 2):
        link.stream.feed_bytes(record(trade_no_of(number=number)), NOW_MS)
        link.handle_feed(NOW_MS)
        acks.append(len(link.durable_replies))
        link.durable_replies.clear()
    assert acks == [1, 0]
    data = records.take(LANE_FACTS)
    found = scan_records(data)
    offsets = zip(found.kind.tolist(), found.payload_offset.tolist(), strict=True)
    stored = [data[start + 6 : start + 22].hex().upper() for kind, start in offsets if kind == FRAME_UP]
    assert stored == [trade_no_of(number=1)]
