"""A connector's life cycle, its live meter and its live money, and when a reading was taken."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.connector import (
    EVENT_BILLED,
    EVENT_CHARGING,
    EVENT_FAULT,
    EVENT_FIRST_SEEN,
    EVENT_NAMES,
    EVENT_PLUGGED,
    EVENT_RECOVERED,
    EVENT_STARTED,
    EVENT_STOPPED,
    EVENT_UNPLUGGED,
    ConnectorCycle,
    event_time,
    split_trade_no,
)
from core.errors import CoreError
from core.meter.flags import Flag
from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays
from core.session import SessionInput, evaluate_session
from core.tariff import TariffTimeline, day_prices, price_slots
from core.tariff_version import TariffVersion

T0 = 1_700_000_000_000
NONE = "0" * 32
TRADE = "32010600019236012001061803423060"
OTHER = "32010600019236012001061803423061"
PROFILE = MeterProfile("session", 1, 132_000)
OFFLINE, FAULT, IDLE, CHARGING = range(4)
TARIFF = TariffVersion(
    tariff_version_id=1,
    tariff_id=1,
    model_no="0001",
    from_ms=0,
    slot_classes=tuple(slot % 4 for slot in range(48)),
    electricity_price_e5yuan=(123_457, 101_111, 81_239, 40_007),
    service_price_e5yuan=(50_001, 40_003, 40_009, 30_011),
)


def idle(cycle: ConnectorCycle, second: int, *, plugged: int = 0, state: int = IDLE) -> int:
    return cycle.take(T0 + 1000 * second, state, plugged, NONE, 0, 0, 0)


def charge(cycle: ConnectorCycle, second: int, counter: int, *, trade_no: str = TRADE, minutes: int = 0) -> int:
    return cycle.take(T0 + 1000 * second, CHARGING, 1, trade_no, counter, 72_000, minutes)


# ---- life cycle --------------------------------------------------------------------------------------------------


def test_a_charge_from_plug_to_unplug() -> None:
    cycle = ConnectorCycle(PROFILE)
    assert (idle(cycle, 0), cycle.life_name, cycle.trade_no) == (EVENT_FIRST_SEEN, "unplugged", "")
    assert (idle(cycle, 10), cycle.life_name) == (0, "unplugged")
    assert (idle(cycle, 20, plugged=1), cycle.life_name) == (EVENT_PLUGGED, "plugged")
    assert (cycle.started(TRADE, T0 + 25_000), cycle.life_name) == (EVENT_STARTED, "started")
    assert cycle.started(TRADE, T0 + 26_000) == 0, "chargers repeat it"
    assert (charge(cycle, 30, 0), cycle.life_name, cycle.trade_no) == (EVENT_CHARGING, "charging", TRADE)
    assert charge(cycle, 45, 3_000) == 0
    assert cycle.accepted_e4kwh == 3_000
    assert (idle(cycle, 60, plugged=1), cycle.life_name) == (EVENT_STOPPED, "stopped")
    assert cycle.previous_trade_no == TRADE
    assert (cycle.billed(TRADE, T0 + 61_000), cycle.life_name) == (EVENT_BILLED, "billed")
    assert cycle.billed(TRADE, T0 + 91_000) == 0, "a repeated record"
    assert (idle(cycle, 90), cycle.life_name) == (EVENT_UNPLUGGED, "unplugged")
    assert (cycle.trade_no, cycle.accepted_e4kwh) == (TRADE, 3_000), "still the session it was last in"


def test_skipped_steps_are_tolerated() -> None:
    cycle = ConnectorCycle(PROFILE)
    assert charge(cycle, 0, 50_000, minutes=9) == EVENT_FIRST_SEEN | EVENT_CHARGING
    assert cycle.accepted_e4kwh == 50_000, "the counter stood at 0 nine minutes ago"
    assert cycle.session_start_ms <= T0 - 9 * 60_000


def test_a_new_session_without_a_pause() -> None:
    cycle = ConnectorCycle(PROFILE)
    charge(cycle, 0, 0)
    charge(cycle, 15, 3_000)
    assert charge(cycle, 30, 500, trade_no=OTHER) == EVENT_STOPPED | EVENT_CHARGING
    assert (cycle.previous_trade_no, cycle.trade_no) == (TRADE, OTHER)
    assert cycle.accepted_e4kwh == 500


def test_a_pause_goes_on_with_the_same_session() -> None:
    cycle = ConnectorCycle(PROFILE)
    charge(cycle, 0, 0)
    for place in range(1, 100):
        charge(cycle, 15 * place, 3_000 * place)
    idle(cycle, 1_500, plugged=1)
    assert charge(cycle, 1_515, 298_000) == EVENT_CHARGING
    assert cycle.accepted_e4kwh == 298_000


def test_faults() -> None:
    cycle = ConnectorCycle(PROFILE)
    charge(cycle, 0, 0)
    assert idle(cycle, 15, plugged=1, state=FAULT) == EVENT_STOPPED | EVENT_FAULT
    assert idle(cycle, 30, plugged=1, state=FAULT) == 0
    assert idle(cycle, 45, state=OFFLINE) == 0, "offline says nothing about plug or fault"
    assert idle(cycle, 60, plugged=1) == EVENT_RECOVERED


def timed(cycle: ConnectorCycle, at_ms: int, counter: int, minutes: int, *, state: int = CHARGING) -> tuple[int, bool]:
    """One frame through both steps, as in the gateway; the events, and whether it was taken for a kept one."""
    trade_no = TRADE if state == CHARGING else NONE
    event_ms, stored = cycle.time_of(at_ms, state, trade_no, minutes)
    power_w = 72_000 if state == CHARGING else 0
    return cycle.take(event_ms, state, int(state == CHARGING), trade_no, counter, power_w, minutes), stored


def test_an_older_reading_that_the_charger_had_kept_changes_nothing() -> None:
    cycle = ConnectorCycle(PROFILE)
    for second in range(0, 601, 15):
        timed(cycle, T0 + 1000 * second, 200 * second, second // 60)
    assert timed(cycle, T0 + 600_100, 36_000, 3) == (0, True)
    assert (cycle.life_name, cycle.accepted_e4kwh) == ("charging", 120_000)
    assert cycle.reading_flags == Flag.OUT_OF_ORDER
    timed(cycle, T0 + 615_000, 123_000, 10)
    assert (cycle.accepted_e4kwh, cycle.reading_flags) == (123_000, 0)


def test_a_platform_clock_that_is_put_back_makes_no_connector_deaf() -> None:
    cycle = ConnectorCycle(PROFILE)
    for second in range(0, 121, 15):
        timed(cycle, T0 + 1000 * second, 3_000 * second // 15, second // 60)
    back_ms = T0 - 3_600_000
    for second in range(135, 301, 15):
        assert timed(cycle, back_ms + 1000 * second, 3_000 * second // 15, second // 60) == (0, False)
    assert (cycle.life_name, cycle.accepted_e4kwh) == ("charging", 60_000)
    events, _ = timed(cycle, back_ms + 315_000, 0, 0, state=IDLE)
    assert events == EVENT_STOPPED | EVENT_UNPLUGGED
    assert cycle.life_name == "unplugged"


def test_a_record_of_another_charge_does_not_close_this_one() -> None:
    cycle = ConnectorCycle(PROFILE)
    charge(cycle, 0, 0)
    assert cycle.billed(OTHER, T0) == EVENT_BILLED
    assert cycle.life_name == "charging"
    assert cycle.billed(TRADE, T0) == EVENT_BILLED
    assert cycle.life_name == "charging", "the readings say so"


@pytest.mark.parametrize("wrong", ["", "12", "G" * 32, "0" * 33])
def test_a_wrong_trade_number_is_refused(wrong: str) -> None:
    with pytest.raises(CoreError, match="trade number"):
        split_trade_no(wrong)


def test_every_event_has_a_name() -> None:
    assert sorted(EVENT_NAMES) == [1 << bit for bit in range(9)]


actions = st.tuples(st.integers(0, 120), st.integers(0, 5), st.integers(0, 1), st.sampled_from([NONE, TRADE, OTHER]))


@settings(max_examples=150, deadline=None)
@given(st.lists(actions, max_size=30))
def test_stopped_and_charging_alternate(steps: list[tuple[int, int, int, str]]) -> None:
    cycle = ConnectorCycle(PROFILE)
    second, charging, plugged = 0, False, None
    for wait_s, state, plug, trade_no in steps:
        second += wait_s
        events = cycle.take(T0 + 1000 * second, state, plug, trade_no, 0, 0, 0)
        if events & EVENT_STOPPED:
            assert charging
            charging = False
        if events & EVENT_CHARGING:
            assert not charging
            charging = True
        assert charging == (state == CHARGING)
        if events & (EVENT_PLUGGED | EVENT_UNPLUGGED):
            assert plugged is not None
            assert plugged != bool(plug)
        if events & EVENT_FIRST_SEEN or state != OFFLINE:
            plugged = bool(plug)


# ---- when was it taken? ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behind_ms", "expected"),
    [(0, (T0 + 600_000, False)), (120_000, (T0 + 600_000, False)), (120_001, (T0 + 479_999, True))],
)
def test_the_pure_rule_of_event_time(behind_ms: int, expected: tuple[int, bool]) -> None:
    start_ms = T0 - behind_ms
    assert event_time(T0 + 600_000, 10, start_ms) == expected


def test_without_a_known_start_the_time_of_receipt_holds() -> None:
    assert event_time(T0, 0, 0) == (T0, False)


def test_kept_readings_get_the_time_at_which_they_were_taken() -> None:
    cycle = ConnectorCycle(PROFILE)
    for second in range(0, 301, 15):
        assert cycle.time_of(T0 + 1000 * second, CHARGING, TRADE, second // 60) == (T0 + 1000 * second, False)
    back_ms = T0 + 1_200_000  # 15 minutes of silence, then the backlog at once
    for place, minutes in enumerate((6, 9, 12)):
        event_ms, stored = cycle.time_of(back_ms + 50 * place, CHARGING, TRADE, minutes)
        assert stored
        assert abs(event_ms - (T0 + minutes * 60_000)) <= 60_000
    assert cycle.time_of(back_ms + 200, CHARGING, TRADE, 20) == (back_ms + 200, False)
    assert cycle.time_of(back_ms + 15_000, CHARGING, TRADE, 20) == (back_ms + 15_000, False)


def test_a_vehicle_that_pauses_does_not_make_live_readings_old() -> None:
    cycle = ConnectorCycle(PROFILE)
    for second in range(0, 1_801, 15):
        minutes = min(second, 300) // 60  # the charger counts no time after five minutes
        assert cycle.time_of(T0 + 1000 * second, CHARGING, TRADE, minutes) == (T0 + 1000 * second, False)
    at_ms = T0 + 1_890_000  # 90 s of silence after the pause: the count has gone on by as much
    assert cycle.time_of(at_ms, CHARGING, TRADE, 6) == (at_ms, False)


def test_another_session_is_timed_afresh() -> None:
    cycle = ConnectorCycle(PROFILE)
    cycle.time_of(T0, CHARGING, TRADE, 50)
    assert cycle.time_of(T0 + 4_000_000, CHARGING, OTHER, 0) == (T0 + 4_000_000, False)


# ---- live meter and money ----------------------------------------------------------------------------------------


def test_a_spike_never_shows_in_the_live_figure() -> None:
    cycle = ConnectorCycle(PROFILE)
    cycle.set_prices(*day_prices(TariffTimeline((TARIFF,)), T0, "Asia/Shanghai"))
    shown = []
    for place, counter in enumerate([0, 3_000, 500_000_000, 9_000, 0, 15_000]):
        charge(cycle, 15 * place, counter)
        shown.append(cycle.accepted_e4kwh)
    assert shown == [0, 3_000, 3_000, 9_000, 9_000, 15_000]
    assert cycle.amount_fen > 0
    assert cycle.flags & (Flag.SPIKE | Flag.ZERO_READ) == Flag.SPIKE | Flag.ZERO_READ


def test_prices_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CoreError, match="48 prices"):
        ConnectorCycle(PROFILE).set_prices(T0, [1] * 47, [1] * 48)


def test_without_prices_nothing_is_charged() -> None:
    cycle = ConnectorCycle(PROFILE)
    charge(cycle, 0, 0)
    charge(cycle, 15, 3_000)
    assert (cycle.accepted_e4kwh, cycle.amount_fen) == (3_000, 0)


@pytest.mark.parametrize(("counter", "fen"), [(4, 0), (5, 1), (14, 1), (15, 2)])
def test_the_live_amount_is_rounded_half_up(counter: int, fen: int) -> None:
    cycle = ConnectorCycle(PROFILE)
    cycle.set_prices(T0, [500_000] * 48, [500_000] * 48)  # 10 yuan a kWh: 0.001 yuan for 1e-4 kWh
    charge(cycle, 0, counter)
    assert cycle.amount_fen == fen


def live_and_final(seed: int) -> tuple[ConnectorCycle, int, int]:
    """A charge of up to five hours with silences and mistakes: the live cycle, and the final energy and amount."""
    rng = random.Random(seed)
    timeline = TariffTimeline((TARIFF,))
    cycle = ConnectorCycle(PROFILE)
    at_ms, counter = T0 + rng.randint(0, 3_600_000), 0
    cycle.set_prices(*day_prices(timeline, at_ms, "Asia/Shanghai"))
    times, shown = [], []
    first_ms = at_ms
    for _ in range(rng.randint(1, 400)):
        times.append(at_ms)
        mistake = rng.random()
        shown.append(0 if mistake < 0.03 else counter + 900_000_000 if mistake < 0.06 else counter)
        wait_ms = rng.choice([15_000] * 12 + [14_000, 16_500, 200_000, 2_400_000])
        counter += rng.randint(0, 5_000) * wait_ms // 15_000
        at_ms += wait_ms
    minutes = [(ms - first_ms) // 60_000 for ms in times]
    for ms, value, minute in zip(times, shown, minutes, strict=True):
        cycle.take(ms, CHARGING, 1, TRADE, value, 72_000, minute)
    readings = ReadingArrays.of(times, shown, power_w=np.full(len(times), 72_000), charge_minutes=minutes)
    result = evaluate_session(SessionInput(TRADE, PROFILE, "Asia/Shanghai", readings, timeline))
    priced = price_slots(
        result.slot_energy_e4kwh,
        [TARIFF.electricity_price_e5yuan[TARIFF.slot_classes[slot]] for slot in result.slot_of_day],
        [TARIFF.service_price_e5yuan[TARIFF.slot_classes[slot]] for slot in result.slot_of_day],
    )
    decided_otherwise = result.final_energy_e4kwh != result.best_e4kwh  # two spikes in a row: the counter decides
    return cycle, result.best_e4kwh, cycle.amount_fen if decided_otherwise else priced.amount_fen


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_live_figure_and_final_bill_agree_to_the_fen(seed: int) -> None:
    """One calculator and one price function: where all readings came in order, both give the same."""
    cycle, energy, amount_fen = live_and_final(seed)
    assert cycle.accepted_e4kwh == energy
    assert cycle.amount_fen == amount_fen
