"""CP56Time2a: masks, zones with odd offsets, hours that the change of clocks repeats or skips."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ykc.cp56 import cp56_to_local, cp56_to_ms, local_to_cp56, ms_to_cp56
from core.ykc.errors import YkcTimeError

SHANGHAI = "Asia/Shanghai"
ZONES = (SHANGHAI, "Asia/Kathmandu", "Asia/Kolkata", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "UTC")
FIRST_MS = 946_771_200_000  # 2000-01-02 UTC
LAST_MS = 4_985_884_800_000  # 2127-12-31 UTC, before the year ends anywhere


@pytest.mark.parametrize(
    ("raw", "local"),
    [("0A280908A50718", "2024-07-05T08:09:10.250"), ("98B70E11100314", "2020-03-16T17:14:47.000")],
)
def test_examples_of_the_protocol(raw: str, local: str) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(SHANGHAI))
    assert cp56_to_ms(bytes.fromhex(raw), SHANGHAI) == round(moment.timestamp() * 1000)
    assert cp56_to_local(bytes.fromhex(raw)) == datetime.fromisoformat(local)


def test_reserved_bits_are_masked() -> None:
    plain = bytes.fromhex("98B70E11100314")
    noisy = bytes(
        (plain[0], plain[1], plain[2] | 0x40, plain[3] | 0x60, plain[4] | 0xE0, plain[5] | 0xF0, plain[6] | 0x80)
    )
    assert cp56_to_ms(noisy, SHANGHAI) == cp56_to_ms(plain, SHANGHAI) != 0
    assert cp56_to_local(noisy) == cp56_to_local(plain)


@pytest.mark.parametrize(
    "raw",
    [
        "00000000000000",
        "60EA0E11100314",  # 60000 ms in a minute
        "98B73C11100314",  # minute 60
        "98B70E18100314",  # hour 24
        "98B70E11000314",  # day 0
        "98B70E111F0414",  # 31 April
        "98B70E111D0215",  # 29 February 2021
        "98B70E11100014",  # month 0
        "98B70E11100D14",  # month 13
        "98B70E111003",  # 6 bytes
        "FFFFFFFFFFFFFF",
    ],
)
def test_what_is_no_time_is_unknown(raw: str) -> None:
    assert cp56_to_ms(bytes.fromhex(raw), SHANGHAI) == 0
    assert cp56_to_local(bytes.fromhex(raw)) is None


def test_time_marked_invalid_is_not_used_but_shown() -> None:
    raw = bytes.fromhex("98B78E11100314")
    assert cp56_to_ms(raw, SHANGHAI) == 0
    assert cp56_to_local(raw) == datetime(2020, 3, 16, 17, 14, 47)


@given(st.integers(FIRST_MS, LAST_MS), st.sampled_from(ZONES))
def test_every_moment_survives_in_every_zone(epoch_ms: int, zone: str) -> None:
    assert cp56_to_ms(ms_to_cp56(epoch_ms, zone), zone) == epoch_ms


@given(st.integers(0, 7_200_000), st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"]))
def test_repeated_hour_is_told_apart_by_the_summer_bit(after_ms: int, zone: str) -> None:
    winter_begins = {
        "Europe/Berlin": datetime(2026, 10, 25, 0, tzinfo=UTC),
        "Australia/Lord_Howe": datetime(2026, 4, 4, 14, 30, tzinfo=UTC),
        "America/St_Johns": datetime(2026, 11, 1, 3, 30, tzinfo=UTC),
    }
    epoch_ms = round(winter_begins[zone].timestamp() * 1000) + after_ms
    assert cp56_to_ms(ms_to_cp56(epoch_ms, zone), zone) == epoch_ms


def test_hour_that_the_clocks_skip_is_still_a_moment() -> None:
    skipped = local_to_cp56(datetime(2026, 3, 29, 2, 30))
    around = round(datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp() * 1000)
    assert abs(cp56_to_ms(skipped, "Europe/Berlin") - around) <= 3_600_000


@given(st.datetimes(datetime(2000, 1, 1), datetime(2127, 12, 31)))
def test_local_times_survive(local: datetime) -> None:
    shown = local.replace(microsecond=local.microsecond // 1000 * 1000)
    assert cp56_to_local(local_to_cp56(local)) == shown


def test_refusals_say_what_is_allowed() -> None:
    with pytest.raises(YkcTimeError, match=r"'Asia/Nowhere' is no IANA time zone"):
        ms_to_cp56(FIRST_MS, "Asia/Nowhere")
    with pytest.raises(YkcTimeError, match=r"2000\.\.2127"):
        ms_to_cp56(0, SHANGHAI)
    with pytest.raises(YkcTimeError, match=r"2000\.\.2127"):
        local_to_cp56(datetime(1999, 12, 31))
