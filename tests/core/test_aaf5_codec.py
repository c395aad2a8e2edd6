"""The table of AAF5 against the family's index; variants by size; parts whose length a field tells; refusals."""

from typing import Any

import pytest

from core.aaf5.codec import HEADER_BYTES, decode_body, decode_frame, encode_frame, encode_raw, raw_fields, wrap_body
from core.aaf5.hex_lines import decode_line
from core.aaf5.messages import MESSAGES, MESSAGES_BY_NAME, message_name
from core.wire.errors import WireEncodeError, WireFrameError
from core.wire.fields import Message

# command, name, direction, body sizes of the variants, what repeats behind them, reply: aaf5.md sections 2 and 3
INDEX = """
1 int_params down 12 4n 2
2 int_params_reply up 43 4n -
3 str_params down 11 n 4
4 str_params_reply up 42 n -
5 control down 16/48 - 6
6 control_reply up 43/75 - -
7 start down 99 - 8
8 start_reply up 41/73 - -
9 unnamed_9 unknown 38 - -
10 unnamed_10 unknown ? - -
11 tariff_request up 37 - 12
12 tariff down 102 - -
13 qr_codes down 300 - -
14 qr_request up 37 - 13
101 heartbeat_ack down 6 - -
102 heartbeat up 38 - 101
103 status_ack down 45 - -
104 status up 169/173/205 - 103
105 login_ack down 9/142 - -
106 login up 96/100 - 105
107 alarms_ack down ? - -
108 alarms up 68 - 107
109 status_lvneng up ? - -
110 status_lvneng_ack unknown ? - -
201 record_ack down 77 - -
202 record up 256/288 - 201
203 account_reply down 12 - -
204 account_query up 153 - 203
205 password_reply down ? - -
206 password_query up ? - -
301 bms_ack down 4 - -
302 bms_info up ? - 301
"""
BY_NUMBER_ONLY = [*range(601, 605), 701, 702, *range(1001, 1013), *range(1101, 1105)]

# The offsets that aaf5.md prints in its right-most rows and at its sums; a field too long or too short shows here.
OFFSETS = {
    "login": {"ver_patch": 39, "boot_count": 43, "pile_time": 58, "random": 90, "whitelist_version": 96},
    "login_ack": {"result": 8, "value1": 9, "key_block": 10, "value2": 138},
    "status": {
        "work_state": 39,
        "alarm": 41,
        "car_conn": 45,
        "dc_voltage": 58,
        "bms_mode": 66,
        "remain_minutes": 79,
        "meter_before": 89,
        "meter_now": 93,
        "card": 104,
        "start_time": 137,
        "power": 153,
        "sys5": 165,
        "temp_outlet": 169,
        "serial": 173,
    },
    "record": {
        "start_time": 70,
        "end_reason": 92,
        "meter_after": 104,
        "record_index": 120,
        "vin": 134,
        "plate": 151,
        "half_hour_energy": 159,
        "start_mode": 255,
        "serial": 256,
    },
    "record_ack": {"card": 5, "record_index": 37, "serial": 45},
    "start": {"strategy": 13, "start_time": 21, "card": 30, "serial": 67},
    "account_query": {"card_balance": 68, "password": 73, "random": 105},
    "account_reply": {"balance": 8},
    "control": {"addr": 5, "param": 12, "serial": 16},
    "qr_codes": {"time": 36, "qr_code_1": 44, "qr_code_4": 236},
    "tariff": {"value1": 36, "triple_10": 65, "numbers": 68, "value2": 100},
}

PILE = {"pile_code": "20231212000010"}
HEARTBEAT: dict[str, Any] = {**PILE, "counter": 7}
LOGIN_ACK: dict[str, Any] = {"random": "01E24000", "result": 0}


def as_index_line(message: Message) -> str:
    sizes = "/".join(map(str, message.sizes)) if message.layout_known else "?"
    repeats = "-" if message.rest is None else f"{message.rest.item_bytes if message.rest.item_bytes > 1 else ''}n"
    reply = "-" if message.reply is None else str(message.reply)
    return f"{message.type} {message.name} {message.direction} {sizes} {repeats} {reply}"


def body_of(frame: bytes) -> bytes:
    return frame[HEADER_BYTES:-1]


def test_table_is_the_index_of_the_family() -> None:
    described = [message for message in MESSAGES.values() if message.type not in BY_NUMBER_ONLY]
    assert [as_index_line(message) for message in described] == INDEX.strip().splitlines()
    assert len(MESSAGES_BY_NAME) == len(MESSAGES) == len(described) + len(BY_NUMBER_ONLY)


@pytest.mark.parametrize("command", BY_NUMBER_ONLY)
def test_extension_of_one_maker_is_named_and_kept_raw(command: int) -> None:
    decoded = decode_body(command, b"\x01\x02")
    assert decoded.name is not None
    assert str(command) in decoded.name
    assert (decoded.layout_ok, decoded.fields) == (False, {"undecoded_tail": "0102"})
    assert body_of(encode_frame(decoded.name, decoded.fields)) == b"\x01\x02"


@pytest.mark.parametrize("name", OFFSETS)
def test_fields_lie_where_the_family_puts_them(name: str) -> None:
    message = MESSAGES_BY_NAME[name]
    found = {field.name: field.offset for field in message.all_fields}
    assert {field: found[field] for field in OFFSETS[name]} == OFFSETS[name]


@pytest.mark.parametrize("message", MESSAGES.values(), ids=[m.name for m in MESSAGES.values()])
def test_fields_lie_one_after_the_other(message: Message) -> None:
    end = 0
    for field in message.all_fields:
        assert field.offset == end if message.layout_known else field.offset >= end
        end = field.offset + field.length
    assert len({field.name for field in message.all_fields}) == len(message.all_fields)


def test_size_chooses_the_variant_of_status() -> None:
    body = bytes(169) + b"\x14\x15\x16\x17" + b"A1".ljust(32, b"\0")
    assert "temp_outlet" not in decode_body(104, body[:169]).fields
    assert decode_body(104, body[:173]).fields["temp_water"] == 0x17
    whole = decode_body(104, body)
    assert (whole.layout_ok, whole.fields["serial"]) == (True, "A1")


@pytest.mark.parametrize(("command", "least"), [(104, 169), (202, 256)])
def test_status_and_record_of_another_size_give_the_common_prefix_or_nothing(command: int, least: int) -> None:
    longer = decode_body(command, bytes(least) + b"\x01" * 7)
    assert not longer.layout_ok
    assert longer.fields["undecoded_tail"] == "01" * 7
    assert {"serial", "temp_outlet"}.isdisjoint(longer.fields)
    shorter = decode_body(command, bytes(least - 1))
    assert (shorter.layout_ok, shorter.fields) == (False, {"undecoded_tail": "00" * (least - 1)})
    assert raw_fields(command, bytes(least - 1)) == {}


def test_other_messages_cut_short_give_their_prefix() -> None:
    decoded = decode_body(102, bytes(37))
    assert list(decoded.fields) == ["reserved1", "reserved2", "pile_code", "undecoded_tail"]


def test_half_hours_of_a_record_are_a_list() -> None:
    body = bytearray(256)
    body[159:163] = b"\x01\x00\xff\xff"
    assert decode_body(202, bytes(body)).fields["half_hour_energy"] == ["0.01", "655.35", *["0.00"] * 46]
    assert raw_fields(202, bytes(body))["half_hour_energy"] == [1, 65535, *[0] * 46]


def test_text_ends_at_its_first_nul() -> None:
    body = bytes(4) + b"P1\0left over".ljust(32, b"\0") + b"\x01\x00"
    assert decode_body(102, body).fields["pile_code"] == raw_fields(102, body)["pile_code"] == "P1"


def test_109_gives_what_is_certain_and_its_clock() -> None:
    decoded = decode_body(109, bytes(199))
    assert not decoded.layout_ok
    assert list(decoded.fields) == [
        "reserved1",
        "reserved2",
        "pile_code",
        "bytes_36_38",
        "time_at_50",
        "u32_at_89",
        "u32_at_97",
    ]
    assert decode_body(109, bytes(198)).fields["undecoded_tail"] == "00" * 97
    assert len(body_of(encode_frame("status_lvneng", decoded.fields))) == 199


def test_parameters_follow_only_where_the_operation_says_so() -> None:
    query = {"op": 0, "addr": 21, "count": 2, "byte_len": 8}
    assert body_of(encode_frame("int_params", query)) == bytes.fromhex("00000000 00 15000000 02 0800")
    set_two = {**query, "op": 1, "values": [15, 2**32 - 1]}
    body = body_of(encode_frame("int_params", set_two))
    assert body[12:] == bytes.fromhex("0F000000FFFFFFFF")
    assert decode_body(1, body).fields == {"reserved1": 0, "reserved2": 0, **set_two}
    reply = {**PILE, "op": 0, "addr": 21, "count": 1, "result": 0, "values": [15]}
    assert decode_body(2, body_of(encode_frame("int_params_reply", reply))).fields["values"] == [15]
    assert decode_body(2, body_of(encode_frame("int_params_reply", {**reply, "op": 1, "values": []}))).layout_ok


def test_clock_is_set_by_a_string_parameter() -> None:
    clock = {"op": 1, "addr": 2, "byte_len": 8, "data": "20250808120101FF"}
    frame = encode_frame("str_params", clock)
    assert len(body_of(frame)) == 19
    assert decode_frame(frame).fields == {"reserved1": 0, "reserved2": 0, **clock}


def test_reply_with_a_string_reads_to_its_end() -> None:
    body = bytes(4) + b"P1".ljust(32, b"\0") + b"\0" + b"\x02\0\0\0" + b"\0" + b"\xca\xfe"
    decoded = decode_body(4, body)
    assert decoded.layout_ok
    assert decoded.fields["data"] == "CAFE"
    done = decode_body(4, body[:36] + b"\x01" + body[37:])
    assert (done.layout_ok, done.fields.get("data"), done.fields["undecoded_tail"]) == (False, None, "CAFE")


def test_fewer_parameters_than_announced_do_not_fit() -> None:
    body = bytes.fromhex("00000000 01 15000000 03 0C00 0F000000 0102")
    decoded = decode_body(1, body)
    assert not decoded.layout_ok
    assert (decoded.fields["values"], decoded.fields["undecoded_tail"]) == ([15], "0102")


def test_shortest_variant_that_holds_the_fields_is_written() -> None:
    control = {"gun_no": 1, "addr": 2, "count": 1, "byte_len": 4, "param": 0x55}
    assert len(body_of(encode_frame("control", control))) == 16
    assert len(body_of(encode_frame("control", {**control, "serial": ""}))) == 48
    status = decode_body(104, bytes(169)).fields
    with pytest.raises(WireEncodeError, match=r"status\.temp_outlet: is missing"):
        encode_frame("status", {**status, "serial": "A1"})


def test_reserved_fields_may_be_left_out() -> None:
    assert body_of(encode_frame("bms_ack", {})) == bytes(4)
    assert body_of(encode_raw("account_reply", {"result": 0, "balance": 12})) == bytes(8) + b"\x0c\0\0\0"


@pytest.mark.parametrize(
    ("message", "fields", "words"),
    [
        ("heartbeat", {**HEARTBEAT, "counter": 65536}, "heartbeat.counter: 65536 does not fit; allowed are 0..65535"),
        ("heartbeat", {**HEARTBEAT, "conter": 1}, "it has no field 'conter'; the nearest is 'counter'"),
        ("heartbeat", PILE, "heartbeat.counter: is missing"),
        ("heartbeat", {**HEARTBEAT, "pile_code": "x" * 33}, "has 33 characters; allowed are 0..32"),
        ("heartbeat", {**HEARTBEAT, "pile_code": "a\0b"}, "holds a NUL"),
        ("login_ack", {**LOGIN_ACK, "random": "01"}, "login_ack.random: '01' must be 8 digits"),
        (77, {}, "there is no message type 77"),
        ("logn", {}, "there is no message 'logn'; the nearest is 'login'"),
        ("int_params", {"op": 1, "addr": 0, "count": 2, "byte_len": 8, "values": [1]}, "count: 2 announced, 1 given"),
        ("int_params", {"op": 1, "addr": 0, "count": 1, "byte_len": 4}, "count: 1 announced, 0 given"),
        ("int_params", {"op": 1, "addr": 0, "count": 1, "byte_len": 4, "values": [2**32]}, "integers of 0..4294967295"),
        ("int_params", {"op": 1, "addr": 0, "count": 1, "byte_len": 4, "values": 1}, "must be a list of integers"),
        ("int_params", {"op": 0, "addr": 0, "count": 1, "byte_len": 4, "values": [1]}, "whose op is 1"),
        ("str_params", {"op": 1, "addr": 2, "byte_len": 1, "data": "0"}, "str_params.data: '0' must be hex digits"),
        ("bms_info", {"undecoded_tail": 5}, "bms_info.undecoded_tail: 5 must be hex digits"),
        ("bms_info", {"soc": 5}, "it has no field 'soc'"),
    ],
)
def test_refusal_names_the_field_and_what_is_allowed(message: str | int, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(WireEncodeError) as caught:
        encode_frame(message, fields)
    assert words in str(caught.value)


@pytest.mark.parametrize("half_hours", [["0.00"] * 47, "0.00", ["0.001"] * 48, ["655.36"] * 48])
def test_wrong_half_hours_are_refused(half_hours: object) -> None:
    fields = {**decode_body(202, bytes(256)).fields, "half_hour_energy": half_hours}
    with pytest.raises(WireEncodeError, match=r"record\.half_hour_energy: .*allowed are 0\.00\.\.655\.35"):
        encode_frame("record", fields)


def test_envelope_limits() -> None:
    assert len(wrap_body(13, bytes(1015))) == 1024
    with pytest.raises(WireEncodeError, match="at most 1015"):
        wrap_body(13, bytes(1016))
    with pytest.raises(WireEncodeError, match="seq holds 2 bytes"):
        wrap_body(13, b"", seq=b"\0\0")
    with pytest.raises(WireEncodeError, match="command 65536"):
        wrap_body(65536, b"")
    with pytest.raises(WireEncodeError, match="info 256"):
        wrap_body(13, b"", info=256)


GOOD = encode_frame("heartbeat", HEARTBEAT, seq=b"\x41")


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (b"", "start"),
        (b"\xaa", "start"),
        (b"\x68\x04", "start"),
        (b"\xaa\xf5", "length"),
        (b"\xaa\xf5\x08\x00\x10\x00\x01\x00", "length"),
        (GOOD[:-1], "length"),
        (GOOD + b"\0", "length"),
        (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "checksum"),
        (b"\xaa\xf5\x01\x04" + bytes(1021), "length"),
    ],
)
def test_bytes_that_are_no_frame_name_their_fault(frame: bytes, fault: str) -> None:
    with pytest.raises(WireFrameError) as caught:
        decode_frame(frame)
    assert caught.value.fault == fault
    answer = decode_line(frame.hex())
    assert (answer["ok"], answer["error"]) == (False, fault if frame else "hex")
    assert answer["detail"]


def test_good_line_says_what_a_line_of_ykc_says() -> None:
    assert decode_line(" " + GOOD.hex() + "\n") == {
        "ok": True,
        "type": 102,
        "name": "heartbeat",
        "seq": 0x41,
        "seq_hex": "41",
        "layout_ok": True,
        "fields": {"reserved1": 0, "reserved2": 0, **HEARTBEAT},
        "checksum_order": "sum",
        "envelope": {"seq": "41", "checksum_order": "sum", "flag": 0x10, "kept": {}},
    }


def test_unknown_command_is_still_ok() -> None:
    answer = decode_line(wrap_body(4711, b"\xab").hex())
    assert (answer["ok"], answer["type"], answer["name"], answer["layout_ok"]) == (True, 4711, None, False)
    assert answer["fields"] == {"undecoded_tail": "AB"}
    assert message_name(4711) is None
