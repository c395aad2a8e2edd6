"""Frames in a few words, of both protocols, however damaged."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.frame_words import TELLING, TWO_BITS, frame_words
from core.aaf5.codec import encode_raw as encode_aaf5
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.ykc.codec import encode_raw as encode_ykc
from core.ykc.messages import MESSAGES as YKC_MESSAGES

SAMPLES = [json.loads(line) for line in (Path(__file__).parents[1] / "data" / "frames.jsonl").open()]


def test_every_valid_sample_is_put_into_words() -> None:
    seen = 0
    for sample in SAMPLES:
        if not sample["checksum_ok"]:
            continue
        frame = bytes.fromhex(sample["hex"])
        is_ykc = sample["protocol"] == "ykc"
        says = frame_words(sample["protocol"], frame[5] if is_ykc else int.from_bytes(frame[6:8], "little"), frame)
        assert says.name == sample["name"]
        seen += 1
    assert seen > 10


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("remote_start_reply", {"result": 0, "fail_reason": 5}, "failed, gun not plugged"),
        ("remote_start_reply", {"result": 1, "fail_reason": 0}, "ok"),
        ("record_ack", {"result": 0}, "stored"),
        (
            "bms_abort",
            {"reason_bits": 0b0101, "fault_bits": 0, "error_bits": 0},
            "SOC reached and total voltage reached",
        ),
        ("charger_abort", {"reason_bits": 0, "fault_bits": 1 << 8, "error_bits": 0}, "emergency stop"),
    ],
)
def test_numbers_become_words(name: str, fields: dict[str, int], words: str) -> None:
    session = {"trade_no": "1" * 32, "pile_code": "1" * 14, "gun_no": "01"}
    message = next(message for message in YKC_MESSAGES.values() if message.name == name)
    known = {field.name for field in message.fields}
    frame = encode_ykc(name, {**{key: value for key, value in session.items() if key in known}, **fields})
    assert frame_words("ykc", message.type, frame).text == words


def test_an_order_of_the_other_protocol() -> None:
    fields = {"reserved1": 0, "reserved2": 0, "gun_no": 1, "addr": 2, "count": 1, "byte_len": 4, "param": 0x55}
    says = frame_words("aaf5", 5, encode_aaf5("control", fields))
    assert (says.type, says.name) == ("5", "control")
    assert says.text.startswith("addr stop charging")


def test_the_fields_that_are_shown_exist() -> None:
    tables = [*YKC_MESSAGES.values(), *AAF5_MESSAGES.values()]
    for name, shown in TELLING.items():
        held = {field.name for message in tables if message.name == name for field in message.all_fields}
        assert set(shown) <= held, name
    for name, field in TWO_BITS:
        assert any(message.name == name and field in {one.name for one in message.fields} for message in tables)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["ykc", "aaf5"]), st.integers(0, 1200), st.binary(max_size=300))
def test_no_bytes_are_beyond_words(protocol: str, frame_type: int, frame: bytes) -> None:
    says = frame_words(protocol, frame_type, frame)
    assert isinstance(says.text, str)
    assert "\n" not in says.name
