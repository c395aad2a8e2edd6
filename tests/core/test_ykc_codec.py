"""The table against the protocol's index, values over their full ranges, refusals that name what is allowed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.wire.fields import Message
from core.ykc.codec import HEADER_BYTES, decode_body, encode_frame, encode_raw, raw_fields, wrap_body
from core.ykc.errors import YkcEncodeError
from core.ykc.hex_lines import decode_line
from core.ykc.messages import MESSAGES, MESSAGES_BY_NAME, message_name

# type, name, direction, fixed body bytes, bytes of each repeated group, reply: ykc.md section 3
INDEX = """
01 login up 30 0 02
02 login_ack down 8 0 -
03 heartbeat up 9 0 04
04 heartbeat_ack down 9 0 -
05 tariff_check up 9 0 06
06 tariff_check_ack down 10 0 -
09 tariff_request up 7 0 0A
0A tariff_reply down 90 0 -
12 read_realtime down 8 0 13
13 realtime up 60 0 -
15 bms_handshake up 73 0 -
17 bms_params up 45 0 -
19 charge_end up 39 0 -
1B bms_error up 32 0 -
1D bms_abort up 28 0 -
21 charger_abort up 28 0 -
23 bms_demand up 44 0 -
25 bms_info up 31 0 -
31 start_request up 51 0 32
32 start_reply down 38 0 -
33 remote_start_reply up 26 0 -
34 remote_start down 44 0 33
35 remote_stop_reply up 10 0 -
36 remote_stop down 8 0 35
3B record up 158 0 40
40 record_ack down 17 0 -
41 balance_reply up 16 0 -
42 balance_update down 20 0 41
43 card_sync_reply up 9 0 -
44 card_sync down 8 16 43
45 card_clear_reply up 7 10 -
46 card_clear down 8 8 45
47 card_query_reply up 7 9 -
48 card_query down 8 8 47
51 work_params_reply up 8 0 -
52 work_params down 9 0 51
55 time_sync_reply up 14 0 -
56 time_sync down 14 0 55
57 tariff_set_reply up 8 0 -
58 tariff_set down 90 0 57
61 lock_state up 16 0 -
62 lock_control down 13 0 63
63 lock_control_reply up 13 0 -
91 reboot_reply up 8 0 -
92 reboot down 8 0 91
93 update_reply up 8 0 -
94 update down 94 0 93
A1 parallel_start_request up 58 0 A2
A2 parallel_start_reply down 44 0 -
A3 parallel_remote_start_reply up 33 0 -
A4 parallel_remote_start down 50 0 A3
"""

HEARTBEAT = {"pile_code": "32010600019236", "gun_no": "01", "gun_fault": 0}
BALANCE = {"pile_code": "32010600019236", "gun_no": "01", "physical_card": "00000000D14B0A54", "balance": "1000.00"}

EACH_MESSAGE = pytest.mark.parametrize("message", MESSAGES.values(), ids=[m.name for m in MESSAGES.values()])


def as_index_line(message: Message) -> str:
    reply = "-" if message.reply is None else f"{message.reply:02X}"
    return f"{message.type:02X} {message.name} {message.direction} {message.length} {message.group_length} {reply}"


def test_table_is_the_index_of_the_protocol() -> None:
    assert [as_index_line(message) for message in MESSAGES.values()] == INDEX.strip().splitlines()
    assert len(MESSAGES_BY_NAME) == len(MESSAGES)


@EACH_MESSAGE
def test_fields_lie_one_after_the_other(message: Message) -> None:
    for fields in (message.fields, message.group):
        end = 0
        for field in fields:
            assert field.offset == end
            end += field.length
    assert len({field.name for field in message.fields}) == len(message.fields)


def test_direction_is_told_by_the_type() -> None:
    up = {message.type for message in MESSAGES.values() if message.direction == "up"}
    assert up == {message.type for message in MESSAGES.values() if message.type % 2 == 1}


def bodies(message: Message) -> st.SearchStrategy[bytes]:
    """Every body that fits the table of the message, group counts included."""
    fixed = st.binary(min_size=message.length, max_size=message.length)
    if not message.group:
        return fixed
    size = message.group_length
    groups = st.integers(0, (251 - message.length) // size).flatmap(
        lambda count: st.binary(min_size=count * size, max_size=count * size)
    )

    def joined(fixed_part: bytes, group_part: bytes) -> bytes:
        if message.count_field:
            fixed_part = fixed_part[:-1] + bytes([len(group_part) // size])
        return fixed_part + group_part

    return st.builds(joined, fixed, groups)


messages_with_bodies = st.sampled_from(list(MESSAGES.values())).flatmap(
    lambda message: st.tuples(st.just(message), bodies(message))
)


@given(messages_with_bodies)
def test_any_body_survives_its_raw_form(case: tuple[Message, bytes]) -> None:
    message, body = case
    frame = encode_raw(message.type, raw_fields(message.type, body))
    assert frame[HEADER_BYTES:-2] == body


@given(messages_with_bodies)
def test_written_form_is_a_fixed_point(case: tuple[Message, bytes]) -> None:
    """Writing what was read and reading it again changes nothing; only masked bits of times may differ in the bytes."""
    message, body = case
    decoded = decode_body(message.type, body)
    assert decoded.layout_ok
    assert decoded.name == message.name
    again = encode_frame(message.name, decoded.fields)[HEADER_BYTES:-2]
    assert decode_body(message.type, again) == decoded
    times = [field for field in message.fields if field.kind == "time"]
    for field in reversed(times):
        body = body[: field.offset] + body[field.offset + field.length :]
        again = again[: field.offset] + again[field.offset + field.length :]
    assert again == body


@given(st.integers(0, 255), st.binary(max_size=251))
def test_any_bytes_of_any_type_decode(frame_type: int, body: bytes) -> None:
    decoded = decode_body(frame_type, body)
    assert decoded.name == message_name(frame_type)
    assert ("undecoded_tail" in decoded.fields) is not decoded.layout_ok
    raw_fields(frame_type, body)


@given(messages_with_bodies, st.data())
def test_cut_body_gives_the_prefix_and_its_tail(case: tuple[Message, bytes], data: st.DataObject) -> None:
    message, body = case
    cut = body[: data.draw(st.integers(0, max(0, message.length - 1)), label="cut")]
    whole = decode_body(message.type, body)
    decoded = decode_body(message.type, cut)
    assert not decoded.layout_ok
    tail = bytes.fromhex(str(decoded.fields.pop("undecoded_tail")))
    assert list(decoded.fields.items()) == list(whole.fields.items())[: len(decoded.fields)]
    assert cut.endswith(tail)
    assert len(cut) - len(tail) == sum(field.length for field in message.fields[: len(decoded.fields)])


@given(messages_with_bodies, st.binary(min_size=1, max_size=8))
def test_longer_body_gives_its_prefix_and_its_tail(case: tuple[Message, bytes], extra: bytes) -> None:
    message, body = case
    if message.group:
        return
    decoded = decode_body(message.type, body + extra)
    assert not decoded.layout_ok
    assert decoded.fields.pop("undecoded_tail") == extra.hex().upper()
    assert decoded.fields == decode_body(message.type, body).fields


def test_fewer_cards_than_announced() -> None:
    card = bytes(range(16))
    decoded = decode_body(0x44, bytes(7) + b"\x03" + card + card[:5])
    assert not decoded.layout_ok
    assert decoded.fields["cards"] == [{"logical_card": "0001020304050607", "physical_card": "08090A0B0C0D0E0F"}]
    assert decoded.fields["undecoded_tail"] == "0001020304"


def test_more_cards_than_announced() -> None:
    decoded = decode_body(0x44, bytes(7) + b"\x01" + bytes(32))
    assert not decoded.layout_ok
    assert decoded.fields["undecoded_tail"] == "00" * 16


def test_unknown_type_keeps_its_body() -> None:
    decoded = decode_body(0x71, b"\x01\xab")
    assert (decoded.name, decoded.layout_ok, decoded.fields) == (None, False, {"undecoded_tail": "01AB"})
    assert raw_fields(0x71, b"\x01\xab") == {}


def test_reversed_vin_is_turned_round() -> None:
    vin = "LSVAU033852123456"
    body = bytes(34) + vin[::-1].encode()
    assert decode_body(0x31, body).fields["vin"] == vin
    assert decode_body(0x3B, bytes(124) + vin.encode() + bytes(17)).fields["vin"] == vin


def test_unknown_time_is_none_and_keeps_its_raw_bytes() -> None:
    body = bytes(7) + bytes.fromhex("98B70E11100D14")
    assert decode_body(0x55, body).fields["time"] is None
    assert raw_fields(0x55, body)["time"] == body[7:]
    assert encode_frame("time_sync_reply", {"pile_code": "0" * 14, "time": None})[HEADER_BYTES:-2] == bytes(14)


def test_integers_of_scaled_fields_are_whole_units_in_the_written_form() -> None:
    assert encode_frame("balance_update", {**BALANCE, "balance": 1000}) == encode_frame("balance_update", BALANCE)
    assert encode_raw("balance_update", {**BALANCE, "balance": 100000}) == encode_frame("balance_update", BALANCE)


@pytest.mark.parametrize(
    ("message", "fields", "words"),
    [
        ("heartbeat", {**HEARTBEAT, "gun_fault": 256}, "heartbeat.gun_fault: 256 does not fit; allowed are 0..255"),
        ("heartbeat", {**HEARTBEAT, "gun_fault": True}, "heartbeat.gun_fault: True is no integer"),
        ("heartbeat", {**HEARTBEAT, "gun_fault": 0.5}, "heartbeat.gun_fault: 0.5 is no integer or decimal string"),
        ("heartbeat", {**HEARTBEAT, "gun_fault": "0.5"}, "heartbeat.gun_fault: '0.5' has more than 0 decimals"),
        ("heartbeat", {**HEARTBEAT, "gun_no": "1"}, "heartbeat.gun_no: '1' must be 2 digits"),
        ("heartbeat", {**HEARTBEAT, "gun_no": 1}, "heartbeat.gun_no: 1 must be text"),
        ("heartbeat", {**HEARTBEAT, "pile_code": "3201060001923G"}, "heartbeat.pile_code: '3201060001923G' must be 14"),
        ("heartbeat", {**HEARTBEAT, "gun_falt": 0}, "it has no field 'gun_falt'; the nearest is 'gun_fault'"),
        ("heartbeat", {"pile_code": "0" * 14, "gun_no": "01"}, "heartbeat.gun_fault: is missing"),
        ("heart_beat", HEARTBEAT, "there is no message 'heart_beat'; the nearest is 'heartbeat'"),
        (0x77, {}, "there is no message type 0x77"),
        ("balance_update", {**BALANCE, "balance": "1.001"}, "balance: '1.001' has more than 2 decimals"),
        ("balance_update", {**BALANCE, "balance": 1000.0}, "allowed are 0.00..42949672.95"),
        ("balance_update", {**BALANCE, "balance": "-0.01"}, "balance: -0.01 does not fit; allowed are 0.00.."),
        ("time_sync", {"pile_code": "0" * 14, "time": "1999-12-31T23:59:59.999"}, "time_sync.time: "),
        ("time_sync", {"pile_code": "0" * 14, "time": "2024-07-05T08:09:10+08:00"}, "carries a zone"),
        ("card_sync", {"pile_code": "0" * 14, "count": 1, "cards": []}, "count: 1 groups announced, 0 given"),
        (
            "card_query",
            {"pile_code": "0" * 14, "count": 1, "cards": [{"card": ""}]},
            "cards[0]: it has no field 'card'",
        ),
        ("card_query", {"pile_code": "0" * 14, "count": 1, "cards": [1]}, "cards[0]: must hold fields, not 1"),
    ],
)
def test_refusal_names_the_field_and_what_is_allowed(message: str | int, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(YkcEncodeError) as caught:
        encode_frame(message, fields)
    assert words in str(caught.value)


def test_negative_current_is_written_with_its_offset() -> None:
    body = raw_fields(0x17, bytes(45))
    frame = encode_raw("bms_params", {**body, "bms_curr_max": 3250})
    assert decode_body(0x17, frame[HEADER_BYTES:-2]).fields["bms_curr_max"] == "-75.0"


def test_raw_form_refuses_what_does_not_fit() -> None:
    with pytest.raises(YkcEncodeError, match=r"heartbeat\.gun_fault: 256 does not fit; allowed are 0\.\.255"):
        encode_raw("heartbeat", {**HEARTBEAT, "gun_fault": 256})
    with pytest.raises(YkcEncodeError, match=r"time_sync\.time: .* must be 7 bytes"):
        encode_raw("time_sync", {"pile_code": "0" * 14, "time": bytes(6)})


def test_envelope_limits() -> None:
    assert len(wrap_body(0x44, bytes(251))) == 259
    with pytest.raises(YkcEncodeError, match="at most 251"):
        wrap_body(0x44, bytes(252))
    with pytest.raises(YkcEncodeError, match="seq holds 1 bytes"):
        wrap_body(0x44, b"", seq=b"\0")
    with pytest.raises(YkcEncodeError, match="checksum_order 'xe'"):
        wrap_body(0x44, b"", checksum_order="xe")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("", "hex"),
        ("  \n", "hex"),
        ("68", "length"),
        ("680", "hex"),
        ("68 0C 00 0g", "hex"),
        ("你好", "hex"),
        ("AAF56D00", "start"),
        ("6803000003", "length"),
        ("680C0000000255031412782305", "length"),
        ("680C000000025503141278230500DA4D", "checksum"),
        ("680C000000025503141278230500DA4C00", "length"),
    ],
)
def test_bad_line_names_its_fault(line: str, error: str) -> None:
    answer = decode_line(line)
    assert (answer["ok"], answer["error"]) == (False, error)
    assert answer["detail"]


def test_good_line_with_blanks_and_small_letters() -> None:
    answer = decode_line(" 68 0c 0000 00 02 55031412782305 00 da4c\r\n")
    assert answer["ok"] is True
    assert answer["fields"] == {"pile_code": "55031412782305", "result": 0}


def test_sequence_is_read_low_byte_first() -> None:
    answer = decode_line(wrap_body(0x36, bytes(8), seq=b"\x03\x00").hex())
    assert (answer["seq"], answer["seq_hex"]) == (3, "0300")


def test_unknown_type_and_encrypted_body_are_still_ok() -> None:
    unknown = decode_line(wrap_body(0x71, b"\xab").hex())
    assert (unknown["ok"], unknown["type"], unknown["name"], unknown["layout_ok"]) == (True, "0x71", None, False)
    encrypted = decode_line(wrap_body(0x03, b"\xab" * 16, encryption=1).hex())
    assert (encrypted["ok"], encrypted["encrypted"], encrypted["layout_ok"]) == (True, True, False)
    assert encrypted["fields"] == {"undecoded_tail": "AB" * 16}


@given(
    st.text(max_size=60) | st.binary(max_size=80).map(bytes.hex) | st.binary(max_size=80).map(lambda b: "68" + b.hex())
)
def test_any_line_gets_an_answer(line: str) -> None:
    answer = decode_line(line)
    assert answer["ok"] in (True, False)
