"""What the vehicle says again and again (0x23, 0x25) is kept without Python, and is nobody else's."""

import pytest

from core.ykc.codec import encode_raw
from ingest.connection_registry import PileState
from ingest.record_buffer import LANE_TELEMETRY, RecordBuffer, scan_records
from ingest.ykc_stream import YkcStream
from tests.ingest.charger_frames import CODE, NOW_MS, OTHER_CODE, make_pile, trade_no_of

DEMAND = {
    **{"req_voltage": 4_200, "req_current": 1_500, "mode": 2, "bms_voltage": 3_700, "bms_current": 2_900},
    **{"cell_volt_group": 340, "soc": 50, "remain_minutes": 9, "out_voltage": 3_700, "out_current": 2_900},
    "charge_minutes": 4,
}
INFO = {"max_cell_no": 11, "temp_max": 80, "temp_max_point": 3, "temp_min": 76, "temp_min_point": 1, "status_bits": 0}


def frames_of(code: str, gun_no: str = "02") -> list[bytes]:
    gun = {"trade_no": trade_no_of(), "pile_code": code, "gun_no": gun_no}
    return [encode_raw("bms_demand", {**gun, **DEMAND}), encode_raw("bms_info", {**gun, **INFO})]


def stream_of(records: RecordBuffer) -> YkcStream:
    stream = YkcStream(records, 7, lambda *_: None)
    pile = make_pile()
    stream.bind(pile, PileState(pile))
    return stream


def test_they_are_kept_under_their_connector() -> None:
    records = RecordBuffer()
    stream = stream_of(records)
    frames = frames_of(CODE)
    stream.feed_bytes(b"".join(frames), NOW_MS)
    assert stream.next_frame() is None
    assert all(stream.take_fast(frame, NOW_MS + 1) for frame in frames)
    data = records.take(LANE_TELEMETRY)
    found = scan_records(data)
    assert found.connector.tolist() == [2] * 4
    assert found.frame_type.tolist() == [0x23, 0x25] * 2
    assert (stream.fast_frames, stream.readings, stream.heartbeats) == (4, 0, 0)


@pytest.mark.parametrize("frames", [frames_of(OTHER_CODE), frames_of(CODE, "FF"), frames_of(CODE, "00")])
def test_those_of_another_charger_or_of_no_connector_go_to_python(frames: list[bytes]) -> None:
    stream = stream_of(RecordBuffer())
    stream.feed_bytes(b"".join(frames), NOW_MS)
    assert [stream.next_frame()[2], stream.next_frame()[2]] == frames  # type: ignore[index]
    assert stream.next_frame() is None
