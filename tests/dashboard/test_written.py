"""Figures as text: exact, rounded once, half away from zero."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import written
from dashboard.catalogue import Catalogue


@given(st.integers(-(10**15), 10**15), st.integers(0, 6), st.integers(0, 6))
def test_decimal_equals_exact_arithmetic(value: int, scale: int, places: int) -> None:
    exact = (Decimal(value) / 10**scale).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    text = written.decimal(value, scale, places)
    assert Decimal(text.replace(",", "").replace(written.MINUS, "-")) == exact
    assert not (text.startswith(written.MINUS) and exact == 0), "no minus before a zero"


def test_energy_money_and_power_have_their_usual_places() -> None:
    assert written.energy(363_600) == "36.36"
    assert written.energy(363_649, 4) == "36.3649"
    assert written.energy(None) == written.NOTHING
    assert written.money(6_908) == "69.08"
    assert written.money_e4(399_027) == "39.90"
    assert written.money_e5(2_006_515) == "20.06515"
    assert written.kilowatts(1_006_300) == "1,006.3"
    assert written.percent(1, 3) == "33 %"
    assert written.percent(1, 0) == written.NOTHING


@pytest.mark.parametrize(
    ("ms", "chinese", "english"),
    [
        (0, "0 秒", "0 s"),
        (422_000, "7 分 2 秒", "7 min 2 s"),
        (-90_000, "−1 分 30 秒", "−1 min 30 s"),
        (3_600_000 * 26, "1 天 2 小时", "1 d 2 h"),
    ],
)
def test_lengths_in_both_languages(ms: int, chinese: str, english: str) -> None:
    assert written.length(ms, Catalogue("zh")) == chinese
    assert written.length(ms, Catalogue("en")) == english


def test_time_is_that_of_the_given_zone() -> None:
    ms = 1_795_336_267_000
    assert written.full_time(ms, "Asia/Shanghai") == "2026-11-22 16:31:07"
    assert written.clock(ms, "UTC") == "08:31:07"
    assert written.clock(0, "UTC") == written.NOTHING
    assert written.day_start_ms(written.local_day(ms, "Asia/Shanghai"), "Asia/Shanghai") == 1_795_276_800_000
