"""What the register did against the power beside it: a record that repeats its failure is never billed unseen."""

import numpy as np
import pytest

from core.meter.flags import Quality
from core.meter.profile import MeterProfile, RegisterKind
from core.meter.readings import ReadingArrays
from core.session import PileBill, SessionInput, SessionResult, evaluate_session
from core.tariff import TariffTimeline

T0 = 1_700_000_400_000
PERIOD_MS = 15_000
PMAX_W = 132_000
BEFORE = 7_654_300
TRUE_E4KWH = 300_000
KINDS: tuple[RegisterKind, ...] = ("session", "lifetime", "boot")


def charged(
    step_e4kwh: int = 0,
    *,
    kind: RegisterKind = "session",
    quantum: int = 1,
    power_w: int = 72_000,
    at: float = 0.3,
    has_record: bool = True,
    gain: float = 0.99,
    end_s: int = 2,
) -> SessionResult:
    """30 kWh at even power; the register makes a step that stays, and the record repeats it."""
    count = TRUE_E4KWH * 360_000 // (power_w * PERIOD_MS) + 1
    places = np.arange(count)
    true = power_w * PERIOD_MS * places // 360_000
    base = 0 if kind == "session" else BEFORE
    shown = np.maximum(base + true + np.where(places >= int(count * at), step_e4kwh, 0), 0) // quantum * quantum
    times = T0 + PERIOD_MS * places
    readings = ReadingArrays.of(
        times,
        shown,
        power_w=np.full(count, int(power_w * gain)),
        charge_minutes=PERIOD_MS * places // 60_000,
        seq=places,
    )
    end_ms = int(times[-1]) + 1_000 * end_s
    record = PileBill(end_ms + 3_000, T0 - 10_000, end_ms, int(shown[-1] - shown[0]))
    profile = MeterProfile(kind, quantum, PMAX_W)
    return evaluate_session(
        SessionInput(
            "3" * 32,
            profile,
            "Asia/Shanghai",
            readings,
            TariffTimeline(()),
            bill=record if has_record else None,
            after_ms=end_ms,
        )
    )


def is_held(result: SessionResult) -> bool:
    return result.final_quality <= Quality.ESTIMATED or not result.inside_physical_limit


@pytest.mark.parametrize("has_record", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step_e4kwh", [24_000, 12_000, 6_000, -6_000, -24_000])
def test_a_step_that_stays_and_that_power_excludes_is_not_billed(
    kind: RegisterKind, step_e4kwh: int, has_record: bool
) -> None:
    """The record says 32.40 kWh as the counter does, and 29.7 kWh flowed by voltage and current."""
    result = charged(step_e4kwh, kind=kind, has_record=has_record)
    right = abs((result.final_energy_e4kwh or 0) - TRUE_E4KWH) <= TRUE_E4KWH // 200
    assert right or is_held(result)
    assert result.low_e4kwh <= TRUE_E4KWH <= result.high_e4kwh


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end_s", [2, 20])
def test_a_record_that_repeats_a_jump_is_not_confirmed(kind: RegisterKind, end_s: int) -> None:
    """A 7 kW charge at a connector that could deliver 132 kW: 2.40 kWh in 15 s are a jump, and Pmax covers it."""
    result = charged(24_000, kind=kind, power_w=7_000, end_s=end_s)
    assert result.flags == ("JUMP",)
    assert result.low_e4kwh <= TRUE_E4KWH <= result.high_e4kwh
    assert is_held(result)


def test_a_fall_of_two_whole_kwh_that_stays_is_no_jitter() -> None:
    result = charged(-25_000, kind="lifetime", quantum=10_000, power_w=120_000)
    assert "JITTER" in result.flags and "AMBIGUOUS" in result.flags
    assert result.high_e4kwh >= TRUE_E4KWH
    assert is_held(result)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("quantum", [1, 100, 1_000, 10_000])
@pytest.mark.parametrize("power_w", [7_000, 40_000, 120_000])
@pytest.mark.parametrize("gain", [0.95, 1.0, 1.05])
def test_a_charge_without_a_fault_is_not_held(kind: RegisterKind, quantum: int, power_w: int, gain: float) -> None:
    result = charged(kind=kind, quantum=quantum, power_w=power_w, gain=gain)
    assert not is_held(result)
    assert result.quality == Quality.VALID


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("gain", "flag"), [(0.1, "SCALE"), (0.5, "POWER_CONTRADICTS"), (1.73, "POWER_CONTRADICTS")])
def test_power_in_another_unit_is_held_and_both_are_covered(kind: RegisterKind, gain: float, flag: str) -> None:
    result = charged(kind=kind, gain=gain)
    assert flag in result.flags and is_held(result)
    assert result.low_e4kwh <= TRUE_E4KWH * min(gain, 1) * 1.1 and result.high_e4kwh >= TRUE_E4KWH
    assert result.final_energy_e4kwh == (TRUE_E4KWH * gain if flag == "SCALE" else TRUE_E4KWH)


@pytest.mark.parametrize("unheard_s", [90, 180, 300, 900])
@pytest.mark.parametrize("at", [0, 120])
@pytest.mark.parametrize("gain", [0.75, 0.8, 0.85, 1.0, 1.25])
def test_time_that_nobody_saw_explains_nothing_of_the_time_that_was_seen(gain: float, at: int, unheard_s: int) -> None:
    """40 kW at a connector of 132 kW, first heard late or silent for a while; Pmax times that would hide any power."""
    places = np.arange(240)
    elapsed_ms = PERIOD_MS * places + 1_000 * unheard_s * (places >= at)
    shown = 40_000 * elapsed_ms // 360_000
    readings = ReadingArrays.of(
        T0 + elapsed_ms,
        shown // 100 * 100,
        power_w=np.full(240, int(40_000 * gain)),
        charge_minutes=elapsed_ms // 60_000,
        seq=places,
    )
    end_ms = int(readings.event_ms[-1]) + 2_000
    result = evaluate_session(
        SessionInput(
            "3" * 32,
            MeterProfile("session", 100, PMAX_W),
            "Asia/Shanghai",
            readings,
            TariffTimeline(()),
            bill=PileBill(end_ms + 3_000, T0 - 10_000, end_ms, int(shown[-1]) // 100 * 100),
            after_ms=end_ms,
        )
    )
    assert ("POWER_CONTRADICTS" in result.flags) is (gain != 1.0)
    assert is_held(result) is (gain != 1.0)
    assert result.low_e4kwh <= shown[-1] * min(gain, 1.0) and result.high_e4kwh >= shown[-1]


@pytest.mark.parametrize(("last_rise_s", "is_billed"), [(0, True), (45, False)])
def test_a_counter_of_whole_kwh_stands_where_its_last_quantum_leaves_room(last_rise_s: int, is_billed: bool) -> None:
    """60 kW are 0.25 kWh in 15 s: 45 s after the counter rose it may be short by a whole kWh, and more flows on."""
    count = 121 + last_rise_s // 15
    places = np.arange(count)
    readings = ReadingArrays.of(
        T0 + PERIOD_MS * places,
        2_500 * places // 10_000 * 10_000,
        power_w=np.full(count, 60_000),
        charge_minutes=PERIOD_MS * places // 60_000,
        seq=places,
    )
    profile = MeterProfile("session", 10_000, PMAX_W)
    after_ms = T0 + PERIOD_MS * (count - 1) + 2_000
    result = evaluate_session(
        SessionInput("3" * 32, profile, "Asia/Shanghai", readings, TariffTimeline(()), after_ms=after_ms)
    )
    assert is_held(result) is not is_billed


@pytest.mark.parametrize("last_e4kwh", [570_000, 0, 560_000], ids=["right", "zero", "older"])
def test_a_false_last_word_is_no_rise_of_a_counter_of_whole_kwh(last_e4kwh: int) -> None:
    """What flowed since the last rise may be a whole kWh, whatever the last word is."""
    count = 194
    true = 15_000 * 72_000 * np.arange(count) // 360_000
    shown = true // 10_000 * 10_000
    shown[-1] = last_e4kwh
    times = T0 + PERIOD_MS * np.arange(count)
    readings = ReadingArrays.of(
        times, shown, power_w=np.full(count, 72_000), charge_minutes=np.arange(count) // 4, seq=np.arange(count)
    )
    session = SessionInput(
        "3" * 32,
        MeterProfile("session", 10_000, PMAX_W),
        "Asia/Shanghai",
        readings,
        TariffTimeline(()),
        after_ms=int(times[-1]) + 15_000,
    )
    assert evaluate_session(session).final_rule == 5


@pytest.mark.parametrize("rests", [False, True])
def test_what_rose_in_a_silence_makes_up_for_no_rest_before_it(rests: bool) -> None:
    """48 kW; the register rests for the last 19 readings, just under five minutes.

    It is heard again 20 minutes later, 8 kWh further, when the charge is over.
    """
    places = np.arange(30)
    shown = BEFORE + 2_000 * np.minimum(places, 11 if rests else 29)
    columns = {
        "event_ms": np.append(T0 + PERIOD_MS * places, T0 + 1_600_000),
        "counter_e4kwh": np.append(shown, shown[-1] + 80_000),
        "power_w": np.append(np.full(30, 48_000), 0),
        "state": np.append(np.full(30, 3), 2),
        "before_e4kwh": np.append(np.full(30, BEFORE), 0),
        "seq": np.arange(31),
    }
    end_ms = T0 + 1_600_000
    record = PileBill(end_ms, T0 - 10_000, end_ms, int(columns["counter_e4kwh"][-1] - BEFORE))
    session = SessionInput(
        "3" * 32,
        MeterProfile("lifetime", 100, PMAX_W),
        "Asia/Shanghai",
        ReadingArrays.of(**columns),
        TariffTimeline(()),
        bill=record,
        after_ms=end_ms,
    )
    result = evaluate_session(session)
    assert ("POWER_CONTRADICTS" in result.flags) == rests
    assert (result.final_rule == 5) == rests


@pytest.mark.parametrize(("fraction", "lost"), [(0, 0), (6_000, 0), (0, 10_600), (6_000, 16_000)])
def test_a_loss_that_hides_in_one_step_of_a_whole_kwh_counter_shows_in_the_whole_charge(
    fraction: int, lost: int
) -> None:
    """5.5 kWh at 24 kW; the counter began anywhere in its step, and lost more than one in the fourth minute."""
    places = np.arange(56)
    true = 24_000 * PERIOD_MS * places // 360_000
    shown = np.maximum(true + fraction - np.where(places >= 16, lost, 0), 0) // 10_000 * 10_000
    times = T0 + PERIOD_MS * places
    readings = ReadingArrays.of(times, shown, power_w=np.full(56, 24_000), charge_minutes=places // 4, seq=places)
    end_ms = int(times[-1]) + 2_000
    session = SessionInput(
        "3" * 32,
        MeterProfile("session", 10_000, 55_000),
        "Asia/Shanghai",
        readings,
        TariffTimeline(()),
        bill=PileBill(end_ms + 3_000, T0 - 10_000, end_ms, int(shown[-1])),
        after_ms=end_ms,
    )
    result = evaluate_session(session)
    assert result.low_e4kwh <= true[-1] <= result.high_e4kwh
    assert (result.final_rule == 1) == (lost == 0)
    assert ("STANDSTILL" in result.flags) == (lost > 0)
