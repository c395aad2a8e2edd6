"""Which protocol a connection speaks, whatever comes first and however it is cut."""

import random

import pytest

from core.aaf5.codec import encode_raw as encode_aaf5
from core.ykc.codec import wrap_body
from core.ykc.splitter import GARBAGE
from ingest.protocol_detection import DETECTION_BYTES, ProtocolDetector
from ingest.ykc_stream import whole_frame_kind
from tests.ingest.charger_frames import heartbeat, login

AAF5_BEAT = encode_aaf5("heartbeat", {"pile_code": "1234567890123456", "counter": 7})


def is_good_ykc(frame: bytes) -> bool:
    return whole_frame_kind(frame) < GARBAGE


def is_good_aaf5(frame: bytes) -> bool:
    return frame[-1] == sum(frame[6:-1]) & 0xFF


def feed(detector: ProtocolDetector, data: bytes, step: int) -> str:
    for at in range(0, len(data), step):
        part = data[at : at + step]
        detector.get_buffer()[: len(part)] = part
        if detector.feed(len(part)):
            break
    return detector.protocol


def detector() -> ProtocolDetector:
    return ProtocolDetector(is_good_ykc, is_good_aaf5)


@pytest.mark.parametrize("step", [1, 2, 7, 4096])
@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (login(), "ykc"),
        (heartbeat(order="be"), "ykc"),
        (AAF5_BEAT, "aaf5"),
        (b"AT+CIPSEND\r\n" + AAF5_BEAT, "aaf5"),
        (b"hello, hihihi\xaa\xaa\xf5\xff\xff" + AAF5_BEAT, "aaf5"),
        (b"\xaa\xf5\x00\x04" + login(), "ykc"),
        (wrap_body(0x01, bytes(30), encryption=1), "ykc"),
        (login()[:-1] + b"\0" + AAF5_BEAT, "aaf5"),
    ],
)
def test_the_first_good_frame_decides(data: bytes, protocol: str, step: int) -> None:
    subject = detector()
    assert feed(subject, data, step) == protocol
    assert subject.received == data[: len(subject.received)]
    assert not subject.exhausted


@pytest.mark.parametrize("step", [1, 5, 1_000])
def test_what_holds_no_frame_stays_undecided_until_the_room_is_used_up(step: int) -> None:
    chance = random.Random(3)
    noise = bytes(chance.choice(b"h\xaa\xf5\x10\x00z") for _ in range(DETECTION_BYTES))
    subject = detector()
    assert feed(subject, noise, step) == ""
    assert subject.exhausted
    assert subject.received == noise
    assert len(subject.get_buffer()) == 0


def test_half_a_frame_is_no_frame() -> None:
    for frame in (login(), AAF5_BEAT):
        subject = detector()
        assert feed(subject, frame[:-1], 3) == ""
        assert subject.pending == len(frame) - 1
        assert feed(subject, frame[-1:], 1) != ""


def test_each_claimed_frame_is_checked_once() -> None:
    """A peer that sends its bytes one by one must not make each of them cost a search of all before."""
    checked = 0

    def count(frame: bytes) -> bool:
        nonlocal checked
        checked += 1
        return False

    subject = ProtocolDetector(count, count)
    assert feed(subject, b"h" * DETECTION_BYTES, 1) == ""
    assert checked <= DETECTION_BYTES
