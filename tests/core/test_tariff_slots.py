"""Half-hours, the share of energy in each, the tariff version that holds, and what it costs."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import CoreError
from core.half_hours import SLOT_MS, half_hour_starts
from core.slots import largest_remainder, scale_to_classes, split_over_slots
from core.tariff import TariffTimeline, day_prices, price_slots
from core.tariff_version import TariffVersion

SHANGHAI = "Asia/Shanghai"
CLASSES = tuple(slot % 4 for slot in range(48))


def ms(text: str, zone: str = SHANGHAI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def version(number: int, from_ms: int = 0, *, classes: tuple[int, ...] = CLASSES) -> TariffVersion:
    return TariffVersion(
        tariff_version_id=number,
        tariff_id=1,
        model_no=f"{number:04d}",
        from_ms=from_ms,
        slot_classes=classes,
        electricity_price_e5yuan=(120_000 + number, 100_000, 80_000, 40_000),
        service_price_e5yuan=(50_000, 40_000, 40_000, 30_000),
    )


# ---- half-hours --------------------------------------------------------------------------------------------------


def test_half_hours_of_a_charge_over_midnight() -> None:
    slots = half_hour_starts(ms("2026-03-01T23:17:05"), ms("2026-03-02T00:30:00.001"), SHANGHAI)
    assert [slot.slot_of_day for slot in slots] == [46, 47, 0, 1]
    assert slots[0].slot_start_ms == ms("2026-03-01T23:00:00")
    assert slots[2].slot_start_ms == ms("2026-03-02T00:00:00")


def test_an_end_on_the_border_does_not_open_a_half_hour() -> None:
    slots = half_hour_starts(ms("2026-03-01T10:00:00"), ms("2026-03-01T10:30:00"), SHANGHAI)
    assert slots == [(ms("2026-03-01T10:00:00"), 20)]


def test_a_charge_without_length_has_one_half_hour() -> None:
    at_ms = ms("2026-03-01T10:44:00")
    assert half_hour_starts(at_ms, at_ms, SHANGHAI) == [(ms("2026-03-01T10:30:00"), 21)]


def test_a_zone_with_45_minutes() -> None:
    slots = half_hour_starts(
        ms("2026-03-01T10:44:00", "Asia/Kathmandu"), ms("2026-03-01T11:01:00", "Asia/Kathmandu"), "Asia/Kathmandu"
    )
    assert [slot.slot_of_day for slot in slots] == [21, 22]
    assert slots[0].slot_start_ms % SLOT_MS == 15 * 60_000, "half past by the local clock is quarter past in UTC"


def test_clocks_put_forward_and_back() -> None:
    berlin = "Europe/Berlin"
    forward = half_hour_starts(ms("2026-03-29T01:00:00", berlin), ms("2026-03-29T04:00:00", berlin), berlin)
    assert [slot.slot_of_day for slot in forward] == [2, 3, 6, 7], "02:00 to 03:00 does not exist"
    back = half_hour_starts(ms("2026-10-25T01:30:00", berlin), ms("2026-10-25T03:30:00", berlin), berlin)
    assert [slot.slot_of_day for slot in back] == [3, 4, 5, 4, 5, 6], "02:00 to 03:00 comes twice"
    lord_howe = "Australia/Lord_Howe"  # half an hour of summer time
    half = half_hour_starts(ms("2026-10-04T01:30:00", lord_howe), ms("2026-10-04T03:30:00", lord_howe), lord_howe)
    assert [slot.slot_of_day for slot in half] == [3, 5, 6]


@given(
    st.integers(0, 4 * 10**12 // 1000),
    st.integers(0, 3 * 86_400_000),
    st.sampled_from([SHANGHAI, "Asia/Kathmandu", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"]),
)
def test_half_hours_tile_the_time(start_s: int, length_ms: int, zone: str) -> None:
    start_ms = start_s * 1000
    if start_s < 1_500_000_000:
        start_ms += 1_500_000_000_000  # offsets before that had seconds
    slots = half_hour_starts(start_ms, start_ms + length_ms, zone)
    assert slots[0].slot_start_ms <= start_ms < slots[0].slot_start_ms + SLOT_MS
    assert slots[-1].slot_start_ms + SLOT_MS >= start_ms + length_ms
    for slot in slots:
        local = datetime.fromtimestamp(slot.slot_start_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        assert (local.hour * 60 + local.minute, local.second) == (30 * slot.slot_of_day, 0)


def test_a_charge_of_months_is_refused() -> None:
    with pytest.raises(CoreError, match="would last"):
        half_hour_starts(0, 32 * 86_400_000, SHANGHAI)


# ---- shares ------------------------------------------------------------------------------------------------------


def test_energy_is_linear_between_readings() -> None:
    times = [0, SLOT_MS // 2, SLOT_MS * 2]
    assert split_over_slots(times, [0, 100, 400], [0, SLOT_MS]) == [200, 200]


def test_a_gap_over_a_whole_half_hour_is_filled() -> None:
    assert split_over_slots([0, 4 * SLOT_MS], [0, 1_000], [0, SLOT_MS, 2 * SLOT_MS, 3 * SLOT_MS]) == [250] * 4


@given(st.lists(st.tuples(st.integers(1, 10**7), st.integers(0, 10**6)), min_size=1, max_size=30), st.integers(1, 20))
def test_parts_sum_to_the_whole_and_none_is_negative(steps: list[tuple[int, int]], count: int) -> None:
    times, running = [1_000], [5]
    for step_ms, energy in steps:
        times.append(times[-1] + step_ms)
        running.append(running[-1] + energy)
    parts = split_over_slots(times, running, [SLOT_MS * place for place in range(count)])
    assert sum(parts) == running[-1] - running[0]
    assert all(part >= 0 for part in parts)


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CoreError, match="do not fit"):
        split_over_slots([0, 1], [0], [0])


@given(st.integers(0, 10**9), st.lists(st.integers(0, 10**7), min_size=1, max_size=48))
def test_largest_remainder_is_exact_and_fair(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    if not whole:
        total = 0
    parts = largest_remainder(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        if whole:
            assert abs(part * whole - total * weight) < whole, "within one unit of its share"


def test_largest_remainder_prefers_the_larger_remainder_then_the_earlier() -> None:
    assert largest_remainder(10, [1, 1, 1]) == [4, 3, 3]
    assert largest_remainder(10, [10, 17, 13]) == [3, 4, 3], "remainders 0.5, 0.25, 0.25: 2.5 is rounded up"
    assert largest_remainder(0, [0, 0]) == [0, 0]


@pytest.mark.parametrize(("total", "weights"), [(-1, [1]), (1, [-1, 3]), (1, [0, 0])])
def test_what_cannot_be_shared_is_refused(total: int, weights: list[int]) -> None:
    with pytest.raises(CoreError, match="cannot share out"):
        largest_remainder(total, weights)


def test_slots_are_scaled_to_their_class() -> None:
    assert scale_to_classes([100, 100, 200, 0], [3, 1, 1, 2], [0, 301, 0, 99]) == [99, 100, 201, 0]
    assert scale_to_classes([100, 0], [3, 1], [0, 5, 0, 99]) is None, "class 1 has energy but no measured slot"
    assert scale_to_classes([100], [3], [7, 0, 0, 99]) is None, "class 0 has no slot at all"


# ---- versions ----------------------------------------------------------------------------------------------------

OLD, NEW = version(1), version(2, from_ms=10 * SLOT_MS)


def test_without_acknowledgement_the_date_decides() -> None:
    timeline = TariffTimeline((OLD, NEW))
    assert timeline.version_for_slot(9 * SLOT_MS) == (OLD, False)
    assert timeline.version_for_slot(10 * SLOT_MS) == (NEW, False)
    assert TariffTimeline((NEW,)).version_for_slot(9 * SLOT_MS) == (None, False)


def test_what_the_charger_acknowledged_before_the_slot_decides() -> None:
    timeline = TariffTimeline((OLD, NEW), acks=((12 * SLOT_MS + 1, 2), (0, 1)))
    assert timeline.version_for_slot(11 * SLOT_MS) == (OLD, True), "a new tariff holds once acknowledged, not by date"
    assert timeline.version_for_slot(12 * SLOT_MS) == (OLD, True), "acknowledged within the slot: from the next one"
    assert timeline.version_for_slot(13 * SLOT_MS) == (NEW, False)


def test_an_acknowledgement_in_the_very_moment_is_not_before_it() -> None:
    timeline = TariffTimeline((OLD, NEW), acks=((12 * SLOT_MS, 1),))
    assert timeline.version_for_slot(12 * SLOT_MS) == (NEW, False)


def test_versions_that_were_never_valid_by_date() -> None:
    foreign = version(9)
    known = TariffTimeline((OLD,), acks=((1, 9),), others=(foreign,))
    assert known.version_for_slot(SLOT_MS) == (foreign, True)
    unknown = TariffTimeline((OLD,), acks=((1, 77),))
    assert unknown.version_for_slot(SLOT_MS) == (OLD, True)


def test_day_prices_follow_the_local_day() -> None:
    prices = day_prices(TariffTimeline((OLD,)), ms("2026-03-01T10:44:00"), SHANGHAI)
    assert prices.first_slot_ms == ms("2026-03-01T10:30:00")
    assert prices.electricity_e5yuan[0] == OLD.electricity_price_e5yuan[21 % 4]
    assert prices.electricity_e5yuan[27] == OLD.electricity_price_e5yuan[0], "27 half-hours later it is midnight"
    assert len(prices.service_e5yuan) == 48


# ---- money -------------------------------------------------------------------------------------------------------


def test_fees_are_rounded_half_up_per_slot_and_once_to_fen() -> None:
    priced = price_slots([1, 3], [5_000, 5_000], [4_999, 1])
    assert priced.slot_electricity_e5yuan == (1, 2), "0.5 and 1.5 hundred-thousandths of a yuan"
    assert priced.slot_service_e5yuan == (0, 0)
    g1 = price_slots([363_600], [190_000], [0])
    assert (g1.amount_fen, g1.electricity_fen, g1.service_fen) == (6_908, 6_908, 0), "36.36 kWh at 1.90 yuan: 69.08"


def test_the_service_fee_is_what_remains_of_the_total() -> None:
    priced = price_slots([10_000], [500], [500])
    assert (priced.electricity_e5yuan, priced.service_e5yuan) == (500, 500)
    assert (priced.amount_fen, priced.electricity_fen, priced.service_fen) == (1, 1, 0), "not 1 + 1"


slots_and_prices = st.lists(
    st.tuples(st.integers(0, 5_000_000), st.integers(0, 500_000), st.integers(0, 500_000)), max_size=60
)


@settings(max_examples=200)
@given(slots_and_prices)
def test_money_in_whole_numbers(rows: list[tuple[int, int, int]]) -> None:
    energy, electricity, service = ([row[column] for row in rows] for column in range(3))
    priced = price_slots(energy, electricity, service)
    exact = sum(e * (p + s) for e, p, s in rows)  # 1e-9 yuan
    assert abs(priced.electricity_e5yuan + priced.service_e5yuan - exact / 10_000) <= len(rows), "half a unit each"
    assert abs(priced.amount_fen * 1000 - priced.electricity_e5yuan - priced.service_e5yuan) <= 500
    assert priced.electricity_fen + priced.service_fen == priced.amount_fen
    assert priced.service_fen >= 0
    assert sum(priced.slot_electricity_e5yuan) == priced.electricity_e5yuan


def test_columns_that_do_not_fit_and_negative_numbers_are_refused() -> None:
    with pytest.raises(CoreError, match="do not fit"):
        price_slots([1], [1, 2], [1])
    with pytest.raises(CoreError, match="negative"):
        price_slots([-1], [1], [1])
