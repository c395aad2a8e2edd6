"""An absolute register that counts in larger steps than its profile says: the interval must hold the truth."""

import random

import pytest

from core.meter.profile import MeterProfile
from core.meter.readings import ReadingArrays, standing_registers
from core.session import SessionInput, SessionResult, evaluate_session
from core.tariff import TariffTimeline

T0 = 1_700_006_400_000
PROFILE = MeterProfile("lifetime", 100, 132_000)


def evaluated(steps: int, shown_e4kwh: int, *, per_e4kwh: int = 2_537, at: int = 749_774_300) -> SessionResult:
    """A charge whose meter shows whole multiples of `shown_e4kwh`."""
    shown = [(at + per_e4kwh * place) // shown_e4kwh * shown_e4kwh for place in range(steps + 1)]
    places = list(range(steps + 1))
    random.Random(steps).shuffle(places)
    readings = ReadingArrays.of(
        [T0 + 15_000 * place for place in places],
        [shown[place] for place in places],
        power_w=[60_000] * len(places),
        start_ms=[T0] * len(places),
        duration_s=[15 * place for place in places],
        before_e4kwh=[shown[0]] * len(places),
    )
    return evaluate_session(SessionInput("SN-1", PROFILE, "Asia/Shanghai", readings, TariffTimeline(by_date=())))


@pytest.mark.parametrize("steps", [18, 60, 160])
@pytest.mark.parametrize("shown_e4kwh", [10_000, 1_000])
def test_the_interval_of_a_meter_that_shows_whole_steps_holds_the_truth(steps: int, shown_e4kwh: int) -> None:
    result = evaluated(steps, shown_e4kwh)
    assert result.quantum_e4kwh == shown_e4kwh
    assert result.low_e4kwh <= 2_537 * steps <= result.high_e4kwh


def test_a_meter_of_the_profile_keeps_the_profile_s_quantum() -> None:
    assert evaluated(160, 100).quantum_e4kwh == 100


def test_a_meter_whose_register_is_off_the_step_counts_by_its_differences() -> None:
    shown = [3_700 + 10_000 * (place // 2) for place in range(44)]
    assert PROFILE.as_counted(shown).quantum_e4kwh == 10_000
    assert PROFILE.as_counted(shown[:40]).quantum_e4kwh == 100, "too few differences"
    assert PROFILE.as_counted([0, *shown]).quantum_e4kwh == 10_000, "0 is no value"
    assert PROFILE.as_counted(shown[::2]).quantum_e4kwh == 100, "240 kW moves a fine register by 1 kWh in 15 s"


def test_a_spike_proves_no_finer_quantum() -> None:
    """Two false words among the few values of a short charge; they may come twice and in any order."""
    meter = MeterProfile("session", 1, 66_000, quantum_is_assumed=True)
    words = [0, 10_000, 483_577, 10_000, 20_000, 6_507_176, 20_000, 20_000, 30_000]
    for places in ([*range(9)], [*range(8, -1, -1)], [*range(9), 2, 5]):
        readings = ReadingArrays.of(
            [T0 + 15_000 * place for place in places],
            [words[place] for place in places],
            power_w=[60_000] * len(places),
            seq=places,
        )
        assert meter.as_counted(standing_registers(readings)).quantum_e4kwh == 10_000


def test_a_charge_at_equal_steps_of_no_decimal_size_is_no_coarse_meter() -> None:
    assert PROFILE.as_counted([2_500 * place for place in range(1, 100)]).quantum_e4kwh == 100


@pytest.mark.parametrize("values", [[], [10_000 * place for place in range(1, 5)]])
def test_few_values_tell_nothing(values: list[int]) -> None:
    assert PROFILE.as_counted(values) is PROFILE


def test_a_session_counter_and_a_coarser_profile_stay_as_they_are() -> None:
    counter = MeterProfile("session", 1, 132_000)
    assert counter.as_counted([10_000 * place for place in range(50)]) is counter
    coarse = MeterProfile("lifetime", 10_000, 132_000)
    assert coarse.as_counted([1_000 * place for place in range(50)]) is coarse
