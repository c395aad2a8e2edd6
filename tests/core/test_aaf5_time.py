"""BCD8 times and the session numbers that are made of them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aaf5.bcd_time import bcd8_to_local, bcd8_to_ms, local_to_bcd8, ms_to_bcd8
from core.aaf5.session_no import connector_of_gun, session_number
from core.session_number import is_packed, unnamed_record
from core.wire.errors import WireTimeError

SHANGHAI = "Asia/Shanghai"
ZONES = (SHANGHAI, "Asia/Kathmandu", "Asia/Kolkata", "UTC")
EXAMPLE = bytes.fromhex("20250808120101FF")


def test_example_of_the_protocol() -> None:
    moment = datetime(2025, 8, 8, 12, 1, 1)
    assert bcd8_to_local(EXAMPLE) == moment
    assert local_to_bcd8(moment) == EXAMPLE
    assert bcd8_to_ms(EXAMPLE, SHANGHAI) == round(moment.replace(tzinfo=ZoneInfo(SHANGHAI)).timestamp()) * 1000
    assert ms_to_bcd8(bcd8_to_ms(EXAMPLE, SHANGHAI) + 999, SHANGHAI) == EXAMPLE


def test_last_byte_is_ignored() -> None:
    assert bcd8_to_local(EXAMPLE[:-1] + b"\0") == bcd8_to_local(EXAMPLE)


@pytest.mark.parametrize(
    "raw",
    [
        "0000000000000000",
        "FFFFFFFFFFFFFFFF",
        "20250808120160FF",  # second 60
        "20250808126001FF",
        "20250808240101FF",
        "20250800120101FF",
        "20250229120101FF",
        "20251308120101FF",
        "2025080812010AFF",
        "00000808120101FF",  # year 0
        "20250808120101",  # 7 bytes
        "",
    ],
)
def test_what_is_no_time_is_unknown(raw: str) -> None:
    assert bcd8_to_local(bytes.fromhex(raw)) is None
    assert bcd8_to_ms(bytes.fromhex(raw), SHANGHAI) == 0


@given(st.integers(-62_000_000_000, 253_000_000_000), st.sampled_from(ZONES))
def test_every_second_survives(epoch_s: int, zone: str) -> None:
    assert bcd8_to_ms(ms_to_bcd8(epoch_s * 1000, zone), zone) == epoch_s * 1000


@given(st.binary(min_size=8, max_size=8) | st.from_regex(rb"[\x00-\x09\x10-\x19\x20-\x29]{8}", fullmatch=True))
def test_any_bytes_give_a_time_or_none(raw: bytes) -> None:
    local = bcd8_to_local(raw)
    bcd8_to_ms(raw, SHANGHAI)
    if local is not None:
        assert local_to_bcd8(local)[:-1] == raw[:-1]


def test_ends_of_the_calendar_do_not_overflow() -> None:
    assert bcd8_to_ms(bytes.fromhex("00010101000000FF"), SHANGHAI) == 0
    assert bcd8_to_ms(bytes.fromhex("99991231235959FF"), "America/St_Johns") == 0
    with pytest.raises(WireTimeError, match="outside the years"):
        ms_to_bcd8(253_402_300_800_000, "UTC")


def test_repeated_hour_is_the_later_one() -> None:
    assert bcd8_to_ms(bytes.fromhex("20261025023000FF"), "Europe/Berlin") == 1_792_891_800_000  # 01:30 UTC


def test_unknown_zone_is_named() -> None:
    with pytest.raises(WireTimeError, match="Mars"):
        bcd8_to_ms(EXAMPLE, "Mars/Olympus")
    with pytest.raises(WireTimeError, match="Mars"):
        ms_to_bcd8(0, "Mars/Olympus")


@pytest.mark.parametrize(
    ("gun_no", "serial", "start", "expected"),
    [
        (2, "A1", EXAMPLE, "A1"),
        (2, "", EXAMPLE, "P1-2-20250808120101"),
        (0, "", EXAMPLE, "P1-1-20250808120101"),
        (1, "0" * 32, EXAMPLE, "P1-1-20250808120101"),
        (1, "", bytes(8), ""),
        (1, "00", b"", ""),
    ],
)
def test_session_number(gun_no: int, serial: str, start: bytes, expected: str) -> None:
    assert session_number("P1", gun_no, serial, start) == expected


def test_a_record_that_names_no_charge_is_told_from_others_by_its_content() -> None:
    end = bcd8_to_local(EXAMPLE)
    assert unnamed_record("P1", 2, end, b"said") == "P1-2-R20250808120101-F185AA08"
    numbers = {
        unnamed_record(pile, gun, at, said)
        for pile in ("P1", "P2")
        for gun in (1, 2)
        for at in (end, None)
        for said in (b"said", b"said otherwise")
    }
    assert len(numbers) == 16
    assert not any(is_packed(number) for number in numbers)


def test_a_gun_without_a_number_is_the_first() -> None:
    assert (connector_of_gun(0), connector_of_gun(1), connector_of_gun(3)) == (1, 1, 3)
