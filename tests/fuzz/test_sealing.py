"""The fuzzers get behind the checksums: a sealed stream holds frames that its splitter takes."""

from random import Random

from core.aaf5.splitter import Aaf5Splitter
from core.ykc.splitter import FrameSplitter
from ingest.record_buffer import scan_records
from tests.fuzz.corpus_file import real_frames
from tests.fuzz.record_properties import records_of, seal_records
from tests.fuzz.sealing import Seal, seal_aaf5, seal_ykc
from tests.fuzz.split_properties import GARBAGE, Splitter


def _share_taken(seal: Seal, splitter: type[Splitter], frames: list[bytes]) -> float:
    """Of 200 damaged frames, the share that passes after sealing."""
    rng = Random(7)
    taken = 0
    for _ in range(200):
        damaged = bytearray(rng.choice(frames))
        damaged[rng.randrange(9, len(damaged))] ^= 0x5A
        new = splitter()
        count = new.feed_bytes(seal(bytes(damaged), rng))
        taken += any(new.span(index)[0] < GARBAGE for index in range(count))
    return taken / 200


def test_damaged_frames_pass_after_sealing() -> None:
    assert _share_taken(seal_ykc, FrameSplitter, real_frames("ykc")) > 0.7
    assert _share_taken(seal_aaf5, Aaf5Splitter, real_frames("aaf5")) > 0.7


def test_a_frame_cut_short_may_be_closed() -> None:
    rng = Random(7)
    for seal, splitter, protocol in ((seal_ykc, FrameSplitter, "ykc"), (seal_aaf5, Aaf5Splitter, "aaf5")):
        cut = real_frames(protocol)[0][:-6]
        assert _taken_of(splitter(), [seal(cut, rng) for _ in range(50)]) > 10


def _taken_of(splitter: Splitter, streams: list[bytes]) -> int:
    taken = 0
    for stream in streams:
        count = splitter.feed_bytes(stream)
        taken += any(splitter.span(index)[0] < GARBAGE for index in range(count))
        splitter.flush_pending()
    return taken


def test_damaged_records_pass_after_sealing() -> None:
    rng = Random(7)
    for piece in records_of(real_frames("ykc")[:3]):
        damaged = bytearray(piece)
        damaged[-1] ^= 0x5A
        assert any(scan_records(seal_records(bytes(damaged), rng)).count for _ in range(20))
