"""The simulated charges: their truth, what a meter shows of it, and that every fault shows."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
import pytest

from benchmarks.evaluation.chargers import MODELS, TARIFFS, ZONE, Model, charger, shares
from benchmarks.evaluation.charges import TrueCharge, draw_charges
from benchmarks.evaluation.faults import FAULTS, FEWEST_READINGS
from benchmarks.evaluation.meter import Meter, Misread, Moved
from benchmarks.evaluation.mixes import MIXES, Mix, can_have, shares_of
from benchmarks.evaluation.mixes import shares as mix_shares
from benchmarks.evaluation.record import told_record, true_amount_fen
from benchmarks.evaluation.stories import ToldCharge, told_charges
from benchmarks.evaluation.story import Story
from benchmarks.evaluation.telling import meter_of, told_readings
from core.tariff import TariffTimeline, half_hour_starts, price_slots

CHARGERS = 2 * len(MODELS)


def _all_told(mix: Mix, chargers: int = CHARGERS, seed: int = 5) -> Iterator[ToldCharge]:
    for number in range(chargers):
        yield from told_charges(seed, number, mix)[1]


def _model(key: str) -> Model:
    return next(model for model in MODELS if model.key == key)


def _charge(model: Model) -> TrueCharge:
    drawn, random = charger(5, MODELS.index(model))
    return max(draw_charges(drawn, random), key=lambda charge: charge.energy_e4kwh)


def test_equal_seeds_give_equal_charges_and_others_do_not() -> None:
    first, again = ([charge.truth for charge in _all_told("each", 30)] for _ in range(2))
    assert first == again
    assert first != [charge.truth for charge in _all_told("each", 30, seed=6)]


@pytest.mark.parametrize("sessions", [1, 9, 10, 11, 305])
def test_exactly_as_many_charges_as_are_asked_for(sessions: int) -> None:
    told = [told_charges(1, number, "each", charges)[1] for number, charges in shares(sessions)]
    numbers = {charge.truth.trade_no for charges in told for charge in charges}
    assert len(numbers) == sessions


def test_every_kind_of_meter_rating_and_protocol_is_there() -> None:
    kinds = {(model.protocol, model.register) for model in MODELS}
    assert {("ykc", "session"), ("ykc", "boot"), ("aaf5", "lifetime"), ("aaf5", "boot"), ("aaf5", "session")} <= kinds
    assert {model.quantum_e4kwh for model in MODELS} == {1, 100, 1_000, 10_000}
    assert {model.current for model in MODELS} == {"dc", "ac"}
    assert min(model.rated_kw for model in MODELS) == 7
    assert max(model.rated_kw for model in MODELS) == 360


def test_the_charges_of_a_charger_follow_each_other_and_its_register_goes_on() -> None:
    for number in range(CHARGERS):
        drawn, told = told_charges(5, number, "historic")
        for before, after in pairwise(told):
            assert before.story.charge.unplug_ms < after.story.charge.plug_ms
            if drawn.model.register == "lifetime":
                end = before.meter.register_at(np.array([before.story.charge.stop_ms]))[0]
                assert after.story.base_e4kwh == end


def test_a_fault_free_charge_tells_the_truth_to_a_quantum() -> None:
    for told in _all_told("historic"):
        if told.truth.fault != "none":
            continue
        quantum = told.truth.quantum_e4kwh
        true = told.story.charge.energy_at(told.readings.taken_ms)
        shown = told.readings.register - told.meter.shown_at(np.array([told.story.charge.charging_ms]))[0]
        modulus = 10 ** (told.story.charger.model.wraps_at_digits + 4)
        assert np.all(np.abs(np.where(shown < 0, shown + modulus, shown) - true) < quantum), told.truth
        assert told.record is not None
        assert abs(told.record.energy - told.truth.energy_e4kwh) < max(quantum, told.story.charger.model.wire_e4kwh)
        assert sum(told.record.half_hours) == sum(told.record.classes) == told.record.energy
        assert np.all(told.readings.receive_ms > told.readings.taken_ms)
        assert np.all(np.diff(told.readings.receive_ms) >= 0)


def test_the_true_money_is_what_the_price_function_says() -> None:
    timeline = TariffTimeline(by_date=TARIFFS)
    changed = midnight = 0
    for told in islice(_all_told("historic"), 300):
        charge = told.story.charge
        slots = half_hour_starts(charge.charging_ms, charge.stop_ms, ZONE)
        edges = [slot.slot_start_ms for slot in slots] + [charge.stop_ms]
        energies = np.diff(charge.energy_at(np.array(edges))).tolist()
        versions = [timeline.version_for_slot(slot.slot_start_ms)[0] for slot in slots]
        prices = [
            (version.electricity_price_e5yuan[number], version.service_price_e5yuan[number])
            for version, slot in zip(versions, slots, strict=True)
            if version is not None
            for number in (version.slot_classes[slot.slot_of_day],)
        ]
        priced = price_slots(energies, [price for price, _ in prices], [price for _, price in prices])
        assert told.truth.amount_fen == priced.amount_fen == true_amount_fen(charge)
        changed += len({version.model_no for version in versions if version is not None}) > 1
        midnight += slots[0].slot_of_day > slots[-1].slot_of_day
    assert changed > 0
    assert midnight > 0


@pytest.mark.parametrize("name", [name for name in FAULTS if name not in ("none", "rollover")])
def test_every_fault_changes_what_is_told(name: str) -> None:
    """The same charge with and without the fault."""
    seen = 0
    for number in range(4 * len(MODELS)):
        drawn, random = charger(7, number, 2)
        if not can_have(drawn.model, name):
            continue
        for charge in draw_charges(drawn, random):
            plain, faulty = (Story(drawn, charge, 40_000_000, np.random.default_rng(number)) for _ in range(2))
            faulty.faults = (name,)
            if len(plain.taken_ms) < FEWEST_READINGS or not FAULTS[name](faulty, np.random.default_rng(3)):
                continue
            assert _what_is_told(plain) != _what_is_told(faulty), (name, drawn.model.key)
            seen += 1
    assert seen > 10


def _what_is_told(story: Story) -> tuple[object, ...]:
    meter = meter_of(story)
    told = told_readings(story, meter, np.random.default_rng(11))
    edges = np.array([story.charge.plug_ms, story.charge.start_ms, story.charge.end_ms])
    return (
        told.receive_ms.tolist(),
        told.register.tolist(),
        meter.shown_at(edges).tolist(),
        told_record(story, meter),
        story.clock_error_ms,
        story.misread,
        story.base_e4kwh if any(one.kind == "restart" for one in story.moved) else None,
    )


def test_rollover_takes_place_inside_the_charge() -> None:
    rolled = [told for told in _all_told("each", 6 * len(MODELS)) if told.truth.fault == "rollover"]
    assert len(rolled) > 10
    for told in rolled:
        charge = told.story.charge
        first, last = told.meter.shown_at(np.array([charge.charging_ms, charge.stop_ms])).tolist()
        assert last < first, told.truth


def test_a_mixed_charge_has_two_or_three_faults() -> None:
    mixed = [told.truth for told in _all_told("each") if told.truth.fault == "mixed"]
    assert mixed
    assert all(2 <= len(truth.parts) <= 3 for truth in mixed)


@pytest.mark.parametrize("mix", MIXES)
def test_the_faults_come_at_their_stated_rates(mix: Mix) -> None:
    assert sum(mix_shares(mix).values()) == pytest.approx(1)
    drawn = Counter(told.truth.fault for told in _all_told(mix, 6 * len(MODELS)))
    total = sum(drawn.values())
    assert set(drawn) == set(FAULTS) if mix == "each" else {"none", "zero_before", "zero_mid"} <= set(drawn)
    for name in ("none", "zero_before", "clock_off", "no_readings"):
        expected = mix_shares(mix)[name]
        assert abs(drawn[name] / total - expected) < 5 * (expected / total) ** 0.5 + expected / 4


def test_rare_faults_are_as_frequent_among_those_that_can_have_them_as_to_make_up_for_the_others() -> None:
    rolls = [dict(zip(*shares_of(model, "historic"), strict=True)).get("rollover", 0.0) for model in MODELS]
    assert sum(rolls) / len(MODELS) == pytest.approx(mix_shares("historic")["rollover"])


@pytest.mark.parametrize(
    ("event", "after"),
    [
        (Moved("add", 0, size_e4kwh=500), 500),
        (Moved("restart", 0, size_e4kwh=7), 7 - 1_000),
        (Moved("rest", 0, 10**15), None),
    ],
)
def test_what_moves_a_register_stays_with_it(event: Moved, after: int | None) -> None:
    model = _model("W-120")
    charge = _charge(model)
    times = np.array([charge.charging_ms, charge.stop_ms])
    register = Meter(model, charge, 1_000, (event,)).register_at(times)
    truth = charge.energy_at(times) + 1_000
    expected = np.array([1_000, 1_000]) if after is None else truth + after
    assert register.tolist() == expected.tolist()


def test_a_register_that_loses_goes_on_where_it_stood() -> None:
    model = _model("W-120")
    charge = _charge(model)
    middle, later = charge.charging_ms + 60_000, charge.charging_ms + 180_000
    lost = int(np.diff(charge.energy_at(np.array([middle, later])))[0])
    assert lost > 0
    meter = Meter(model, charge, 0, (Moved("lose", middle, later),))
    assert meter.register_at(np.array([charge.stop_ms]))[0] == charge.energy_e4kwh - lost
    both = Meter(model, charge, 0, (Moved("lose", middle, later), Moved("add", later, size_e4kwh=10_000)))
    assert both.register_at(np.array([charge.stop_ms]))[0] == charge.energy_e4kwh - lost + 10_000


def test_a_register_runs_over_its_last_digit() -> None:
    model = _model("Z-22")
    charge = _charge(model)
    base = 10**9 - charge.energy_e4kwh // 2
    shown = Meter(model, charge, base).shown_at(np.array([charge.charging_ms, charge.stop_ms])).tolist()
    assert shown[0] == base // 10_000 * 10_000
    assert shown[1] == (base + charge.energy_e4kwh) % 10**9 // 10_000 * 10_000 < shown[0]


def test_a_word_can_be_lost_without_the_register() -> None:
    model = _model("R-120")
    charge = _charge(model)
    at_ms = charge.charging_ms + 300_000
    meter = Meter(
        model, charge, 0, misread=(Misread("zero", at_ms, at_ms + 1), Misread("spike", at_ms + 5, at_ms + 6, 70))
    )
    true = charge.energy_at(np.array([at_ms + 1, at_ms + 5])).tolist()
    assert meter.shown_at(np.array([at_ms, at_ms + 1, at_ms + 5])).tolist() == [0, true[0], true[1] + 70]
