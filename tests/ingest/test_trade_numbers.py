"""Trade numbers made by the platform."""

from ingest.trade_numbers import TradeNumbers
from tests.ingest.charger_frames import CODE, ZONE

# 2020-09-13 12:26:40 UTC, 20:26:40 in Shanghai
AT_MS = 1_600_000_000_000


def test_a_number_is_built_as_the_protocol_says() -> None:
    assert TradeNumbers(41).make(CODE, 2, AT_MS, ZONE) == CODE + "02" + "200913202640" + "0041"


def test_ten_thousand_numbers_of_one_second_differ() -> None:
    numbers = TradeNumbers(9_999)
    made = {numbers.make(CODE, 1, AT_MS, ZONE) for _ in range(10_000)}
    assert len(made) == 10_000
    assert {len(number) for number in made} == {32}


def test_the_local_time_follows_the_zone() -> None:
    assert TradeNumbers().make(CODE, 1, AT_MS, "UTC")[16:28] == "200913122640"
