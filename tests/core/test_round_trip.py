"""Both protocols: fields to bytes to fields, bytes to fields and envelope and back, over the whole range of values."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import core.aaf5.codec
import core.ykc.codec
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.wire.envelope import DecodedFrame
from core.wire.errors import WireEncodeError, WireFrameError
from core.wire.fields import Field, Message
from core.wire.values import TAIL_KEY, decimal_text
from core.ykc.messages import MESSAGES as YKC_MESSAGES

SAMPLES_FILE = Path(__file__).parents[1] / "data" / "frames.jsonl"
SAMPLES: list[dict[str, Any]] = [json.loads(line) for line in SAMPLES_FILE.read_text("utf-8").splitlines()]
CODECS: dict[str, ModuleType] = {"ykc": core.ykc.codec, "aaf5": core.aaf5.codec}
EVERY_MESSAGE = [
    pytest.param(codec, message, id=f"{name}-{message.name}")
    for name, codec, messages in (
        ("ykc", core.ykc.codec, YKC_MESSAGES),
        ("aaf5", core.aaf5.codec, AAF5_MESSAGES),
    )
    for message in messages.values()
]
EACH_MESSAGE = pytest.mark.parametrize(("codec", "message"), EVERY_MESSAGE)
EACH_SAMPLE = pytest.mark.parametrize(
    "sample", SAMPLES, ids=[f"{s['protocol']}-{s['name']}-{s['seq']}" for s in SAMPLES]
)


def is_valid(sample: dict[str, Any]) -> bool:
    return bool(sample["checksum_ok"]) and bool(sample["length_ok"])


def test_the_samples_hold_what_the_other_tests_believe() -> None:
    assert len(SAMPLES) == 37
    assert sum(map(is_valid, SAMPLES)) == 15


@EACH_SAMPLE
def test_real_frame_is_reproduced_or_refused_for_its_fault(sample: dict[str, Any]) -> None:
    codec, frame = CODECS[sample["protocol"]], bytes.fromhex(sample["hex"])
    if not is_valid(sample):
        with pytest.raises(WireFrameError) as caught:
            codec.decode_frame(frame)
        assert caught.value.fault == ("checksum" if sample["length_ok"] else "length")
        return
    decoded = codec.decode_frame(frame)
    assert decoded.name == sample["name"]
    assert decoded.layout_ok == sample["layout_ok"]
    assert list(decoded.fields.items()) == list(sample["fields"].items())
    assert decoded.envelope.seq == sample["seq"]
    assert decoded.envelope.checksum_order == sample["checksum_ok"]
    assert codec.encode_decoded(decoded) == frame


@EACH_SAMPLE
def test_frame_survives_as_json(sample: dict[str, Any]) -> None:
    """What `pilestream decode` prints is enough to make the frame again."""
    codec, frame = CODECS[sample["protocol"]], bytes.fromhex(sample["hex"])
    if is_valid(sample):
        text = msgspec.json.encode(codec.decode_frame(frame))
        assert codec.encode_decoded(msgspec.json.decode(text, type=DecodedFrame)) == frame


YEARS = {"CP56Time2a": (2000, 2127), "BCD8": (1, 9999)}
FEW = settings(max_examples=20)
"""For each of a hundred messages; the long run draws many for each."""
MANY = settings(max_examples=500, deadline=None)
latin_1 = st.characters(max_codepoint=255)


def written_values(field: Field) -> st.SearchStrategy[object]:
    """Every written value that the field can hold."""
    integers = st.integers(0, field.wire_max) | st.sampled_from([0, field.wire_max])
    numbers = integers.map(
        lambda wire: decimal_text(wire + field.add, field.decimals) if field.decimals else wire + field.add
    )
    if field.time is not None:
        timespec = field.time.timespec
        first, last = YEARS[field.time.name]
        local_times = st.datetimes(datetime(first, 1, 1), datetime(last, 12, 31, 23, 59, 59))
        return st.none() | local_times.map(lambda local: local.isoformat(timespec=timespec))
    without_nul = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=field.length)
    by_kind: dict[str, Callable[[], st.SearchStrategy[object]]] = {
        "uint": lambda: numbers,
        "uint_list": lambda: st.lists(numbers, min_size=field.count, max_size=field.count),
        "slots": lambda: st.lists(st.integers(0, 255), min_size=field.length, max_size=field.length),
        "cell_volt_group": lambda: st.fixed_dictionaries(
            {"volt": st.integers(0, 4095).map(lambda volt: decimal_text(volt, 2)), "group": st.integers(0, 15)}
        ),
        "text": lambda: st.text(latin_1, max_size=field.length).map(lambda text: text.rstrip("\0")),
        "text_reversed": lambda: st.text(latin_1, max_size=field.length).map(lambda text: text.lstrip("\0")),
        "c_text": lambda: without_nul,
        "bcd": lambda: st.binary(min_size=field.length, max_size=field.length).map(lambda wire: wire.hex().upper()),
    }
    return by_kind.get(field.kind, by_kind["bcd"])()


def of_fields(fields: tuple[Field, ...]) -> st.SearchStrategy[dict[str, object]]:
    return st.fixed_dictionaries({field.name: written_values(field) for field in fields})


@st.composite
def written_messages(draw: st.DrawFn, message: Message) -> dict[str, object]:
    """Written fields of every variant of a message, whatever repeats included."""
    tails = draw(st.integers(0, len(message.tails)))
    described = (*message.fields, *(field for tail in message.tails[:tails] for field in tail))
    fields = draw(of_fields(described))
    if message.group:
        groups = draw(st.lists(of_fields(message.group), max_size=(251 - message.length) // message.group_length))
        fields[message.group_name] = groups
        if message.count_field:
            fields[message.count_field] = len(groups)
    rest = message.rest
    if rest is not None and rest.when is not None:
        due = draw(st.booleans())
        name, value = rest.when
        other: st.SearchStrategy[int] = st.integers(0, 255).filter(lambda op: op != value)
        fields[name] = value if due else draw(other)
        count = draw(st.integers(0, 200))
        if due and rest.count_field:
            fields[rest.count_field] = count
        if due and rest.kind == "bytes":
            fields[rest.name] = draw(st.binary(min_size=count, max_size=count)).hex().upper()
        elif due:
            fields[rest.name] = draw(st.lists(st.integers(0, 2**32 - 1), min_size=count, max_size=count))
    if not message.layout_known and not message.fields:
        fields[TAIL_KEY] = draw(st.binary(max_size=251)).hex().upper()
    return fields


def fields_survive(codec: ModuleType, message: Message, data: st.DataObject) -> None:
    fields = data.draw(written_messages(message))
    frame = codec.encode_frame(message.name, fields)
    decoded = codec.decode_frame(frame)
    assert decoded.fields == fields
    assert decoded.layout_ok is message.layout_known
    assert codec.encode_decoded(decoded) == frame
    if message.layout_known:
        assert codec.encode_raw(message.type, codec.raw_fields(message.type, body_of(codec, frame))) == frame


def body_survives(codec: ModuleType, message: Message, data: st.DataObject) -> None:
    """Bodies of every size: variants, cut ones, longer ones, counts that lie, bits that no written form shows."""
    sizes = [size for size in (*message.sizes, message.body_length) if size <= codec.MAX_BODY_BYTES]
    size = data.draw(st.sampled_from(sizes) | st.integers(0, min(message.sizes[-1] + 60, codec.MAX_BODY_BYTES)))
    body = data.draw(st.binary(min_size=size, max_size=size))
    frame = codec.wrap_body(message.type, body)
    decoded = codec.decode_frame(frame)
    assert codec.encode_decoded(decoded) == frame
    assert codec.decode_body(message.type, body).fields == decoded.fields
    json.dumps(msgspec.to_builtins(decoded))


@EACH_MESSAGE
@FEW
@given(st.data())
def test_fields_survive(codec: ModuleType, message: Message, data: st.DataObject) -> None:
    fields_survive(codec, message, data)


@EACH_MESSAGE
@FEW
@given(st.data())
def test_any_body_survives(codec: ModuleType, message: Message, data: st.DataObject) -> None:
    body_survives(codec, message, data)


@pytest.mark.long
@EACH_MESSAGE
@MANY
@given(st.data())
def test_fields_and_bodies_survive_by_the_hundreds(codec: ModuleType, message: Message, data: st.DataObject) -> None:
    fields_survive(codec, message, data)
    body_survives(codec, message, data)


def body_of(codec: ModuleType, frame: bytes) -> bytes:
    return frame[codec.HEADER_BYTES : -codec.CHECKSUM_BYTES]


@given(
    st.integers(0, 255), st.binary(max_size=251), st.binary(min_size=2, max_size=2), st.integers(0, 255), st.booleans()
)
def test_any_ykc_envelope_survives(frame_type: int, body: bytes, seq: bytes, flag: int, high_first: bool) -> None:
    order: Any = "be" if high_first else "le"
    frame = core.ykc.codec.wrap_body(frame_type, body, seq=seq, checksum_order=order, encryption=flag)
    decoded = core.ykc.codec.decode_frame(frame)
    assert (decoded.envelope.seq, decoded.envelope.flag) == (seq.hex().upper(), flag)
    assert core.ykc.codec.encode_decoded(decoded) == frame


@given(st.integers(0, 65535), st.binary(max_size=300), st.binary(min_size=1, max_size=1), st.integers(0, 255))
def test_any_aaf5_envelope_survives(command: int, body: bytes, seq: bytes, info: int) -> None:
    frame = core.aaf5.codec.wrap_body(command, body, seq=seq, info=info)
    decoded = core.aaf5.codec.decode_frame(frame)
    assert (decoded.envelope.seq, decoded.envelope.flag) == (seq.hex().upper(), info)
    assert core.aaf5.codec.encode_decoded(decoded) == frame


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x68", b"\xaa\xf5"]))
def test_any_bytes_are_a_frame_or_refused(data: bytes, start: bytes) -> None:
    for codec in CODECS.values():
        try:
            decoded = codec.decode_frame(start + data)
        except WireFrameError as error:
            assert error.fault in ("start", "length", "checksum")
        else:
            assert codec.encode_decoded(decoded) == start + data


TIME_WITH_WEEKDAY = bytes.fromhex("0A280908A50718")


def test_bits_that_the_written_form_loses_are_kept_by_the_name_of_their_field() -> None:
    frame = core.ykc.codec.wrap_body(0x55, bytes(7) + TIME_WITH_WEEKDAY)
    decoded = core.ykc.codec.decode_frame(frame)
    assert decoded.fields["time"] == "2024-07-05T08:09:10.250"
    assert decoded.envelope.kept == {"time": "0A280908A50718"}
    heartbeat = core.aaf5.codec.wrap_body(102, bytes(4) + b"P1\0x".ljust(32, b"\0") + bytes(2))
    assert core.aaf5.codec.decode_frame(heartbeat).envelope.kept == {
        "pile_code": (b"P1\0x".ljust(32, b"\0")).hex().upper()
    }


def test_field_that_was_changed_is_written_anew() -> None:
    decoded = core.ykc.codec.decode_frame(core.ykc.codec.wrap_body(0x55, bytes(7) + TIME_WITH_WEEKDAY))
    later = {**decoded.fields, "time": "2024-07-05T08:09:11.250"}
    frame = core.ykc.codec.encode_decoded(msgspec.structs.replace(decoded, fields=later))
    assert core.ykc.codec.decode_frame(frame).fields == later
    assert body_of(core.ykc.codec, frame)[7:] == bytes.fromhex("F22B0908050718")


def test_what_cannot_be_written_names_its_field() -> None:
    decoded = core.ykc.codec.decode_frame(core.ykc.codec.wrap_body(0x47, bytes(7) + bytes(9)))
    for fields, words in (
        ({**decoded.fields, "cards": [{"exists": 256, "physical_card": "0" * 16}]}, r"cards\[0\]\.exists: 256"),
        ({**decoded.fields, "cards": [{"exists": 1}]}, r"cards\[0\]\.physical_card: is missing"),
        ({**decoded.fields, "cards": 5}, r"cards: must be a list"),
        ({**decoded.fields, TAIL_KEY: "0"}, TAIL_KEY),
    ):
        with pytest.raises(WireEncodeError, match=words):
            core.ykc.codec.encode_decoded(msgspec.structs.replace(decoded, fields=fields))


def test_envelope_of_the_other_protocol_is_refused() -> None:
    ykc = core.ykc.codec.decode_frame(core.ykc.codec.wrap_body(0x03, bytes(9)))
    aaf5 = core.aaf5.codec.decode_frame(core.aaf5.codec.wrap_body(102, bytes(38)))
    with pytest.raises(WireEncodeError, match="'le' is none of AAF5"):
        core.aaf5.codec.encode_decoded(ykc)
    with pytest.raises(WireEncodeError, match="'sum' is none of YKC"):
        core.ykc.codec.encode_decoded(aaf5)
