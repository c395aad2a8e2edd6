"""What leaves the house names nobody: in fields, in words and in the bytes themselves."""

import pytest

from analytics.frame_words import frame_words
from analytics.personal_data import HIDDEN_BYTE, masked_fields, masked_hex, masked_number, masked_vin
from core.aaf5.codec import encode_raw as encode_aaf5
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.aaf5.messages import MESSAGES_BY_NAME as AAF5
from core.ykc.codec import encode_raw as encode_ykc
from core.ykc.messages import MESSAGES as YKC_MESSAGES
from core.ykc.messages import MESSAGES_BY_NAME as YKC
from tests.analytics.stored_steps import _nothing

CARD, VIN = "00000000D14B0A54", "LSVAA49J132015367"


def ykc(name: str, **fields: object) -> tuple[int, bytes]:
    message = YKC[name]
    raw = {field.name: fields.get(field.name, _nothing(field)) for field in message.fields}
    return message.type, encode_ykc(
        name, raw | {message.group_name: fields[message.group_name]} if message.group else raw
    )


def aaf5(name: str, **fields: object) -> tuple[int, bytes]:
    message = AAF5[name]
    return message.type, encode_aaf5(
        name, {field.name: fields.get(field.name, _nothing(field)) for field in message.fields}
    )


def test_numbers_keep_their_last_characters_and_nothing_stays_nothing() -> None:
    assert masked_number(CARD) == "************0A54"
    assert masked_number("粤A12345") == "******5"
    assert (masked_number(""), masked_number("0000000000000000")) == ("", "0000000000000000")
    assert masked_vin(VIN) == "LSVAA49J132******"
    assert (masked_vin(""), masked_vin("SHORT")) == ("", "*****")


def test_the_card_of_a_record_is_hidden_in_bytes_fields_and_words() -> None:
    kind, frame = ykc("record", physical_card=CARD, vin=VIN)
    shown = masked_hex("ykc", kind, frame)
    assert CARD not in shown and VIN.encode().hex().upper() not in shown
    assert shown.count(HIDDEN_BYTE) == 8 + 6, "the card, and the serial part of the VIN"
    assert len(shown) == 2 * len(frame)
    assert VIN[:11].encode().hex().upper() in shown, "make and model of the vehicle are what its maker needs"
    says = frame_words("ykc", kind, frame, masked=True)
    assert says.fields["physical_card"] == masked_number(CARD)
    assert CARD not in says.text and VIN not in says.text
    assert frame_words("ykc", kind, frame).fields["physical_card"] == CARD


def test_every_other_byte_is_what_the_charger_sent() -> None:
    kind, frame = ykc("record", physical_card=CARD, vin=VIN)
    shown = masked_hex("ykc", kind, frame)
    pairs = [shown[place : place + 2] for place in range(0, len(shown), 2)]
    assert all(pair in (HIDDEN_BYTE, f"{byte:02X}") for pair, byte in zip(pairs, frame, strict=True))


def test_a_reversed_vin_is_hidden_as_a_whole_since_firmware_differs_in_its_order() -> None:
    kind, frame = ykc("start_request", vin=VIN, card_or_account=CARD, password="AB" * 16)
    shown = masked_hex("ykc", kind, frame)
    assert shown.count(HIDDEN_BYTE) == 17 + 8 + 16


def test_each_card_of_a_list_is_hidden() -> None:
    cards = [
        {"logical_card": "11" * 8, "physical_card": "22" * 8},
        {"logical_card": "33" * 8, "physical_card": "44" * 8},
    ]
    kind, frame = ykc("card_sync", count=2, cards=cards)
    shown = masked_hex("ykc", kind, frame)
    assert shown.count(HIDDEN_BYTE) == 32
    assert masked_fields("ykc", kind, {"cards": cards})["cards"][1]["physical_card"] == "*" * 12 + "4444"


def test_a_user_s_number_in_a_reserved_field_is_hidden_where_there_is_one() -> None:
    kind, frame = aaf5("record", card="0012345678", vin=VIN, plate="A12345", reserved1=77)
    shown = masked_hex("aaf5", kind, frame)
    for secret in (b"0012345678", b"A12345", VIN.encode()):
        assert secret.hex().upper() not in shown
    assert masked_fields("aaf5", kind, {"reserved1": 77})["reserved1"] == "*"
    quiet_kind, quiet = aaf5("record")
    assert masked_hex("aaf5", quiet_kind, quiet) == quiet.hex().upper(), "nothing to hide in zeros"


def test_what_stands_behind_the_table_of_a_record_is_hidden_and_a_message_of_no_known_layout_too() -> None:
    kind, frame = aaf5("record", card="0012345678")
    longer = frame[:-1] + b"6222021234567890" + frame[-1:]
    assert b"6222021234567890".hex().upper() not in masked_hex("aaf5", kind, longer)
    asked = AAF5["password_query"].type
    whole = b"\xaa\xf5" + bytes(6) + b"secret" + b"\0"
    assert b"secret".hex().upper() not in masked_hex("aaf5", asked, whole)


@pytest.mark.parametrize(
    ("protocol", "kind", "header", "checksum"),
    [
        ("aaf5", 999, bytes.fromhex("AAF51E001001E703"), b"\x5a"),
        ("ykc", 0xEE, bytes.fromhex("6819070000EE"), b"\x5a\xa5"),
    ],
)
def test_of_a_type_that_nobody_knows_the_whole_body_is_hidden(
    protocol: str, kind: int, header: bytes, checksum: bytes
) -> None:
    body = bytes(4) + VIN.encode()
    frame = header + body + checksum
    shown = masked_hex(protocol, kind, frame)
    assert shown == header.hex().upper() + HIDDEN_BYTE * len(body) + checksum.hex().upper()
    says = frame_words(protocol, kind, frame, masked=True)
    assert VIN not in str(says) and VIN.encode().hex().upper() not in str(says).upper()


@pytest.mark.parametrize("protocol", ["ykc", "aaf5"])
@pytest.mark.parametrize("frame", [b"", b"\x68", bytes(7), bytes(40)])
def test_no_bytes_at_all_are_an_error(protocol: str, frame: bytes) -> None:
    for kind in (*(YKC_MESSAGES if protocol == "ykc" else AAF5_MESSAGES), 999):
        assert len(masked_hex(protocol, kind, frame)) == 2 * len(frame)
