"""The published sample frames: each is decoded to its known fields, or refused for its fault."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.ykc.codec import HEADER_BYTES, decode_body, encode_frame, encode_raw, raw_fields
from core.ykc.hex_lines import decode_line
from core.ykc.realtime import decode_realtime
from core.ykc.splitter import BAD_CHECKSUM, FRAME_BE, FRAME_LE, FrameSplitter

SAMPLES_FILE = Path(__file__).parents[1] / "data" / "frames.jsonl"
ALL_SAMPLES: list[dict[str, Any]] = [json.loads(line) for line in SAMPLES_FILE.read_text("utf-8").splitlines()]
SAMPLES = [sample for sample in ALL_SAMPLES if sample["protocol"] == "ykc"]


def each(samples: list[dict[str, Any]]) -> pytest.MarkDecorator:
    """Run a test for each sample."""
    return pytest.mark.parametrize("sample", samples, ids=[f"{s['name']}-{s['seq']}" for s in samples])


EACH = each(SAMPLES)
EACH_FITTING = each([sample for sample in SAMPLES if sample["layout_ok"]])
EACH_VALID = each([sample for sample in SAMPLES if sample["layout_ok"] and sample["checksum_ok"] in ("le", "be")])


def frame_of(sample: dict[str, Any]) -> bytes:
    return bytes.fromhex(sample["hex"])


def body_of(sample: dict[str, Any]) -> bytes:
    return frame_of(sample)[HEADER_BYTES:-2]


def test_the_file_holds_what_the_other_tests_believe() -> None:
    assert len(SAMPLES) == 35
    assert sum(sample["checksum_ok"] in ("le", "be") for sample in SAMPLES) == 13


@EACH
def test_body_decodes_to_its_fields_in_their_order(sample: dict[str, Any]) -> None:
    decoded = decode_body(int(sample["frame_type"], 16), body_of(sample))
    assert decoded.name == sample["name"]
    assert decoded.layout_ok == sample["layout_ok"]
    assert list(decoded.fields.items()) == list(sample["fields"].items())


@EACH_FITTING
def test_body_is_written_again_to_the_byte(sample: dict[str, Any]) -> None:
    body = body_of(sample)
    again = encode_frame(sample["name"], sample["fields"])
    assert again[HEADER_BYTES:-2] == body
    frame_type = int(sample["frame_type"], 16)
    assert encode_raw(frame_type, raw_fields(frame_type, body)) == again


@EACH
def test_line_is_answered_as_a_strict_receiver_would(sample: dict[str, Any]) -> None:
    answer = decode_line(sample["hex"])
    if not sample["length_ok"]:
        assert (answer["ok"], answer["error"]) == (False, "length")
        assert set(answer) == {"ok", "error", "detail"}
    elif sample["checksum_ok"] is False:
        assert (answer["ok"], answer["error"]) == (False, "checksum")
    else:
        assert answer == {
            "ok": True,
            "type": sample["frame_type"],
            "name": sample["name"],
            "seq": int.from_bytes(bytes.fromhex(sample["seq"]), "little"),
            "seq_hex": sample["seq"],
            "layout_ok": sample["layout_ok"],
            "fields": sample["fields"],
            "checksum_order": sample["checksum_ok"],
            "envelope": {"seq": sample["seq"], "checksum_order": sample["checksum_ok"], "flag": 0, "kept": {}},
        }
        json.dumps(answer)


@EACH
def test_splitter_gives_the_same_verdict(sample: dict[str, Any]) -> None:
    splitter = FrameSplitter()
    frame = frame_of(sample)
    if sample["checksum_ok"] in ("le", "be"):
        assert splitter.feed_bytes(frame) == 1
        assert splitter.span(0) == (FRAME_LE if sample["checksum_ok"] == "le" else FRAME_BE, frame)
        assert splitter.frame_type(0) == int(sample["frame_type"], 16)
    else:
        count = splitter.feed_bytes(frame + bytes(300))
        kinds = [splitter.span(i)[0] for i in range(count)]
        assert kinds[0] == BAD_CHECKSUM
        assert not {FRAME_LE, FRAME_BE} & set(kinds)


@EACH_VALID
def test_frame_is_written_again_to_the_byte(sample: dict[str, Any]) -> None:
    again = encode_frame(
        sample["name"], sample["fields"], seq=bytes.fromhex(sample["seq"]), checksum_order=sample["checksum_ok"]
    )
    assert again == frame_of(sample)


def test_realtime_sample_goes_to_columns() -> None:
    (sample,) = [sample for sample in SAMPLES if sample["name"] == "realtime"]
    row = decode_realtime(frame_of(sample))
    assert row is not None
    assert f"{row['trade_hi']:016X}{row['trade_lo']:016X}" == sample["fields"]["trade_no"]
    assert f"{row['frame_pile']:014X}" == sample["fields"]["pile_code"]
    assert (row["voltage_dv"], row["current_da"], row["energy_e4kwh"]) == (3732, 1012, 88000)
    assert (row["checksum_order"], row["exact"]) == (2, 1)
    assert row["seq"] == 0xBDBB
