"""What telling the protocol by the first bytes promises for any bytes and any cuts."""

from core.aaf5.splitter import Aaf5Splitter
from core.ykc.splitter import FrameSplitter
from ingest.aaf5_protocol import AAF5
from ingest.charger_protocol import ChargerProtocol
from ingest.protocol_detection import DETECTION_BYTES, ProtocolDetector
from ingest.ykc_protocol import YKC
from tests.fuzz.pieces import cuts_of
from tests.fuzz.split_properties import GARBAGE, Splitter


def check_detection(data: bytes) -> None:
    """A verdict comes with a good frame of that protocol in what was received, and no good frame goes without one."""
    detector = ProtocolDetector(
        lambda frame: _is_good(YKC, frame),
        lambda frame: _is_good(AAF5, frame),
    )
    data = data[:DETECTION_BYTES]
    for piece in cuts_of(data):
        detector.get_buffer()[: len(piece)] = piece
        if detector.feed(len(piece)):
            break
    received = detector.received
    assert received == data[: len(received)], "bytes lost, doubled or moved"
    if detector.protocol == "ykc":
        assert any(_is_good(YKC, received[at : at + received[at + 1] + 4]) for at in _starts(received, b"\x68"))
    elif detector.protocol == "aaf5":
        assert any(
            _is_good(AAF5, received[at : at + int.from_bytes(received[at + 2 : at + 4], "little")])
            for at in _starts(received, b"\xaa\xf5")
        )
    else:
        assert received == data, "it stopped without a verdict"
        splitters: tuple[Splitter, ...] = (FrameSplitter(), Aaf5Splitter())
        for splitter in splitters:
            kinds = [splitter.span(index)[0] for index in range(splitter.feed_bytes(data))]
            assert all(kind >= GARBAGE for kind in kinds), "a good frame was overlooked"


def _is_good(protocol: ChargerProtocol, frame: bytes) -> bool:
    return protocol.whole_frame_kind(frame) < GARBAGE


def _starts(data: bytes, mark: bytes) -> list[int]:
    """Where a frame may begin: each place of its mark that has a byte behind it."""
    return [at for at in range(len(data) - len(mark)) if data.startswith(mark, at)]
