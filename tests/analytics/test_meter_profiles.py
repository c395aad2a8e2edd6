"""By what meter a session is measured: configured, learned, proven by its own readings, or assumed."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from analytics.meter_profiles import InForce, ProfileRow, meter_in_force
from analytics.session_facts import CHARGING, NOTHING_LEARNED, READING_COLUMNS, LearnedMeter, SessionFacts, SessionKey
from core.directory import Pile
from tests.analytics.register_rows import register_pile
from tests.analytics.stored_facts import T0, pile

IntArray = npt.NDArray[np.int64]
EVERYTHING = ("quantum", "rated_power", "register", "digits")
LEARNED = LearnedMeter(77, "boot", 10_000, 66_000, 6)


def session(
    of: Pile, learned: LearnedMeter = NOTHING_LEARNED, *, power: int = 60_000, **columns: IntArray
) -> SessionFacts:
    """A charge of half an hour at `power`, a reading every 30 s; `columns` take the place of what it would read."""
    elapsed = np.arange(61, dtype=np.int64) * 30_000
    readings = {name: np.zeros(61, dtype=np.int64) for name in READING_COLUMNS}
    readings["event_ms"] = readings["receive_ms"] = T0 + elapsed
    readings["counter_e4kwh"] = power * elapsed // 360_000
    readings["state"] = np.full(61, CHARGING, dtype=np.int64)
    readings["power_w"] = np.full(61, power, dtype=np.int64)
    return SessionFacts(key=SessionKey(of.pile_id, 1, "1"), pile=of, readings={**readings, **columns}, learned=learned)


def learning(*names: str, **changes: Any) -> Pile:
    return pile(**{"learns": names or EVERYTHING, "rated_power_w": 180_000, **changes})


def test_a_configured_meter_is_taken_as_it_is() -> None:
    meter = meter_in_force(session(pile(), LEARNED, power=200_000))
    assert (meter.profile.quantum_e4kwh, meter.profile.pmax_w, meter.profile.register_kind) == (1, 132_000, "session")
    assert meter[1:] == ("configured", "configured", "configured")


def test_learned_values_stand_where_nobody_configured_any() -> None:
    meter = meter_in_force(session(learning(), LEARNED))
    assert (meter.profile.quantum_e4kwh, meter.profile.pmax_w) == (10_000, 66_000)
    assert (meter.profile.register_kind, meter.profile.digits) == ("boot", 6)
    assert meter[1:] == ("learned", "learned", "learned")
    meter = meter_in_force(session(learning("quantum"), LEARNED))
    assert (meter.profile.quantum_e4kwh, meter.profile.pmax_w) == (10_000, 198_000)
    assert meter[1:] == ("learned", "configured", "configured")


def test_what_is_not_known_is_assumed() -> None:
    meter = meter_in_force(session(learning()))
    assert (meter.profile.quantum_e4kwh, meter.profile.pmax_w, meter.profile.digits) == (1, 198_000, 0)
    assert meter[1:] == ("default", "default", "default")


def test_a_quantum_that_is_only_assumed_is_marked_so_that_the_readings_tell_it() -> None:
    known = LearnedMeter(7, quantum_e4kwh=1)
    assert [
        meter_in_force(session(of, learned)).profile.quantum_is_assumed
        for of, learned in (
            (pile(), NOTHING_LEARNED),
            (learning(), NOTHING_LEARNED),
            (learning(), known),
            (learning("rated_power"), NOTHING_LEARNED),
        )
    ] == [False, True, False, False]


def test_what_the_model_says_of_a_lost_link_goes_with_every_meter() -> None:
    for of in (pile, learning):
        assert meter_in_force(session(of())).profile.stops_offline_ms == 0
        assert meter_in_force(session(of(stops_offline=True), LEARNED)).profile.stops_offline_ms == 30_000


@pytest.mark.parametrize("learned", [NOTHING_LEARNED, LEARNED])
@pytest.mark.parametrize("of", [learning(learns=EVERYTHING), register_pile(learns=EVERYTHING, rated_power_w=180_000)])
def test_readings_on_which_two_instruments_agree_prove_more_power(of: Pile, learned: LearnedMeter) -> None:
    meter = meter_in_force(session(of, learned, power=240_000))
    assert (meter.profile.pmax_w, meter.pmax_source) == (264_000, "session")
    meter = meter_in_force(session(of, learned, power=500_000))
    assert (meter.profile.pmax_w, meter.pmax_source) == (396_000, "session"), "no connector is thought to give more"


def test_one_instrument_alone_or_a_moment_proves_nothing() -> None:
    fast = session(learning(), power=240_000).readings
    slow = session(learning(), power=60_000).readings
    short = {name: column[:4] for name, column in fast.items()}
    spikes = slow["power_w"].copy()
    spikes[5:8] = 240_000
    for columns in (
        {**fast, "counter_e4kwh": slow["counter_e4kwh"]},
        {**fast, "power_w": slow["power_w"]},
        {**fast, "power_w": 10 * fast["power_w"]},
        {**slow, "power_w": spikes},
        {**fast, "event_ms": np.full(61, T0, dtype=np.int64)},
        short,
    ):
        facts = session(learning())
        facts.readings = columns
        meter = meter_in_force(facts)
        assert (meter.profile.pmax_w, meter.pmax_source) == (198_000, "default")


def test_a_short_charge_of_more_power_than_was_learned_is_believed() -> None:
    week = learning()
    for size in (5, 9, 16):
        facts = session(week, LEARNED, power=150_000)
        facts.readings = {name: column[:size] for name, column in facts.readings.items()}
        meter = meter_in_force(facts)
        assert (meter.profile.pmax_w, meter.pmax_source) == (165_000, "session")
        facts.readings["power_w"][: size - 2] = 60_000
        assert meter_in_force(facts).pmax_source == "learned", "two words prove nothing"


def test_zeros_and_spikes_of_the_register_hide_no_power() -> None:
    counter = session(learning(), power=240_000).readings["counter_e4kwh"].copy()
    counter[:4] = 0
    counter[30] = 468_713_700
    meter = meter_in_force(session(learning(), power=240_000, counter_e4kwh=counter))
    assert meter.pmax_source == "session"


def test_a_session_without_a_charging_reading_has_the_meter_of_its_connector() -> None:
    empty = {name: np.empty(0, dtype=np.int64) for name in READING_COLUMNS}
    meter = meter_in_force(SessionFacts(key=SessionKey(4, 1, "1"), pile=learning(), readings=empty, learned=LEARNED))
    assert (meter.profile.pmax_w, meter.pmax_source) == (66_000, "learned")


def test_of_rows_that_say_the_same_the_first_one_counts() -> None:
    def row(from_ms: int, computed_ms: int, profile_id: int, quantum: int) -> ProfileRow:
        return ProfileRow(4, 1, from_ms, computed_ms, LearnedMeter(profile_id, quantum_e4kwh=quantum))

    rows = [row(300, 1, 31, 100), row(100, 1, 11, 1), row(100, 2, 12, 10), row(200, 2, 21, 10), row(300, 0, 30, 1_000)]
    in_force = InForce(rows)
    assert [in_force.at(moment).profile_id for moment in (99, 100, 250, 299, 300, 2**62)] == [0, 12, 12, 12, 31, 31]
    assert InForce([]).at(5) == NOTHING_LEARNED
