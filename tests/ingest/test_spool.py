"""The spool: what is durable stays, what is torn is put aside, and a full or failing disk loses no fact."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ingest.record_buffer import LANE_FACTS, LANE_TELEMETRY, RECORD_HEADER_BYTES, scan_records
from ingest.segment import SEGMENT_HEADER_BYTES, SegmentHeader, list_segments
from ingest.spool import SpoolBrokenError, SpoolInUseError
from tests.ingest.charger_frames import heartbeat, record, trade_no_of
from tests.ingest.spool_parts import NOW_MS, FailingDisk, add_frame, no_space, open_spool

BEAT = heartbeat()


def payloads(folder: Path, lane: int) -> list[bytes]:
    """Payloads of all readable records of a lane, in their order."""
    found = []
    for segment in list_segments(folder):
        if segment.header.lane != lane:
            continue
        data = segment.path.read_bytes()[: segment.readable]
        records = scan_records(data, SEGMENT_HEADER_BYTES)
        assert records.stop == "end"
        for i in range(records.count):
            start = int(records.payload_offset[i])
            found.append(data[start : start + int(records.payload_length[i])])
    return found


def test_only_what_was_synced_may_be_read(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    add_frame(spool, BEAT)
    assert spool.write() == spool.written > 0
    assert spool.durable == 0
    assert [segment.readable for segment in spool.segments()] == [0]
    spool.sync()
    assert spool.durable == spool.written
    assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT]
    add_frame(spool, BEAT)
    spool.write()
    assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT]
    spool.close()
    assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT, BEAT]


def test_segments_rotate_per_lane_and_stay_in_order(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, segment_bytes=1_000)
    records = [record(trade_no_of(number=n)) for n in range(20)]
    for upload in records:
        add_frame(spool, upload)
        add_frame(spool, BEAT)
        spool.commit()
    segments = spool.segments()
    assert len(segments) > 6
    assert [s.closed for s in segments].count(False) == 2
    assert payloads(tmp_path, LANE_FACTS) == records
    assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT] * 20
    assert all(segment.size <= 1_000 for segment in segments)
    spool.close()


def test_a_run_never_continues_a_segment_of_another(tmp_path: Path) -> None:
    for _ in range(3):
        spool = open_spool(tmp_path)
        add_frame(spool, BEAT)
        spool.close()
    segments = list_segments(tmp_path)
    assert len({segment.segment_id for segment in segments}) == 3
    created = [segment.header.created_ms for segment in segments]
    assert created == sorted(set(created))
    assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT] * 3


def test_one_writer_per_folder(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    with pytest.raises(SpoolInUseError, match=str(tmp_path)):
        open_spool(tmp_path)
    spool.close()
    open_spool(tmp_path).close()


def test_a_torn_tail_is_cut_off_and_kept_at_every_length(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    add_frame(spool, BEAT)
    add_frame(spool, BEAT, receive_ms=NOW_MS + 1)
    spool.close()
    (path,) = tmp_path.glob("*.seg")
    whole = path.read_bytes()
    first_end = SEGMENT_HEADER_BYTES + (len(whole) - SEGMENT_HEADER_BYTES) // 2
    for length in range(first_end, len(whole)):
        path.write_bytes(whole[:length])
        spool = open_spool(tmp_path)
        assert path.stat().st_size == first_end
        if length > first_end:
            (tail,) = spool.torn_tails
            assert (tail.offset, tail.length, tail.reason) == (first_end, length - first_end, "incomplete")
            assert tail.set_aside.read_bytes() == whole[first_end:length]
        else:
            assert spool.torn_tails == []
        spool.close()
        assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT]


def test_a_flipped_bit_in_the_middle_cuts_nothing_behind_it(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for number in range(3):
        add_frame(spool, BEAT, receive_ms=NOW_MS + number)
    spool.close()
    (path,) = tmp_path.glob("*.seg")
    data = bytearray(path.read_bytes())
    data[SEGMENT_HEADER_BYTES + 70] ^= 4
    path.write_bytes(data)
    spool = open_spool(tmp_path)
    assert spool.torn_tails == []
    assert path.read_bytes() == data
    assert spool.segments()[0].readable == len(data)
    spool.close()


def test_a_file_without_a_sound_header_is_put_aside(tmp_path: Path) -> None:
    header = bytearray(SegmentHeader(7, 1, LANE_FACTS).pack())
    header[10] ^= 1
    (tmp_path / "0000000000000007.seg").write_bytes(header)
    (tmp_path / "0000000000000008.seg").write_bytes(b"")
    spool = open_spool(tmp_path)
    assert spool.segments() == []
    assert len(list(tmp_path.glob("*.damaged"))) == 2
    spool.close()


def test_what_the_disk_does_not_take_is_written_later_and_once(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    add_frame(spool, BEAT)
    spool.commit()
    upload = record(trade_no_of())
    add_frame(spool, upload)
    header, whole = SEGMENT_HEADER_BYTES, len(upload) + RECORD_HEADER_BYTES
    disk.on_write = lambda size: None if size == header else 7 if size == whole else no_space(size)
    with pytest.raises(OSError, match="no space"):
        spool.commit()
    with pytest.raises(OSError, match="no space"):
        spool.commit()
    disk.on_write = lambda size: min(size, 10)
    add_frame(spool, upload)
    spool.commit()
    assert payloads(tmp_path, LANE_FACTS) == [upload, upload]
    assert spool.durable == spool.written
    spool.close()


def test_a_part_of_a_record_is_never_readable(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    add_frame(spool, BEAT)
    spool.commit()
    readable = spool.segments()[0].readable
    disk.on_write = lambda size: 7 if size > len(BEAT) + 50 else no_space(size)
    add_frame(spool, BEAT)
    with pytest.raises(OSError, match="no space"):
        spool.write()
    spool.sync()
    assert spool.segments()[0].readable == readable
    disk.on_write = lambda size: None
    spool.close()
    assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT, BEAT]


def test_after_a_failed_sync_nothing_is_ever_durable_again(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, disk=disk)
    add_frame(spool, BEAT)
    spool.commit()
    durable = spool.durable

    def fail() -> None:
        raise OSError(5, "input/output error")

    disk.on_sync = fail
    add_frame(spool, BEAT)
    with pytest.raises(SpoolBrokenError):
        spool.commit()
    disk.on_sync = lambda: None
    with pytest.raises(SpoolBrokenError):
        spool.sync()
    with pytest.raises(SpoolBrokenError):
        spool.commit()
    assert spool.durable == durable
    assert payloads(tmp_path, LANE_TELEMETRY) == [BEAT]
    spool.close()


def test_at_the_limit_the_oldest_telemetry_goes_and_no_fact(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, segment_bytes=1_000, max_bytes=20_000)
    uploads = [record(trade_no_of(number=n)) for n in range(30)]
    beats = [heartbeat(seq=n.to_bytes(2, "little")) for n in range(600)]
    for n, beat in enumerate(beats):
        if n % 20 == 0:
            add_frame(spool, uploads[n // 20])
        add_frame(spool, beat)
        spool.commit()
    assert payloads(tmp_path, LANE_FACTS) == uploads
    kept = payloads(tmp_path, LANE_TELEMETRY)
    assert kept == beats[-len(kept) :]
    assert 0 < len(kept) < len(beats)
    assert spool.shed.records == len(beats) - len(kept)
    assert spool.shed.segments > 0
    assert spool.bytes_on_disk() <= 20_000
    spool.close()
    assert open_spool(tmp_path).shed == spool.shed


def test_a_full_disk_gives_up_telemetry_before_it_refuses_a_fact(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = open_spool(tmp_path, segment_bytes=500, disk=disk)
    for _ in range(20):
        add_frame(spool, BEAT)
        spool.commit()
    oldest = spool.segments()[0].path

    def full_until_something_went(size: int) -> int | None:
        return no_space(size) if oldest.exists() else None

    disk.on_write = full_until_something_went
    upload = record(trade_no_of())
    add_frame(spool, upload)
    spool.commit()
    assert payloads(tmp_path, LANE_FACTS) == [upload]
    assert spool.shed.segments == 1
    spool.close()


WRITER = """
import sys
from pathlib import Path
from ingest.spool import Spool
from tests.ingest.charger_frames import heartbeat, record, trade_no_of

spool = Spool(Path(sys.argv[1]), clock=lambda: 1_795_300_000_000, segment_bytes=20_000)
number = 0
while True:
    spool.buffer.append(1, payload=record(trade_no_of(number=number)), pile_id=number)
    spool.buffer.append(1, payload=heartbeat(), pile_id=number)
    spool.commit()
    print(number, flush=True)
    number += 1
"""


@pytest.mark.fault
def test_a_killed_writer_loses_nothing_that_it_called_durable(tmp_path: Path) -> None:
    for round_number in range(3):
        folder = tmp_path / str(round_number)
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        killer = threading.Timer(0.15 + 0.1 * round_number, os.kill, (writer.pid, signal.SIGKILL))
        said: list[int] = []
        for line in writer.stdout:
            if not said:
                killer.start()
            said.append(int(line))
        writer.wait()
        writer.stdout.close()
        open_spool(folder).close()
        stored = payloads(folder, LANE_FACTS)
        assert len(said) > 1
        assert stored[: len(said)] == [record(trade_no_of(number=number)) for number in said]
        assert len(stored) <= len(said) + 1
