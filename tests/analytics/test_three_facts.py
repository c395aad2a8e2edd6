"""Why charger, platform and bill differ: every difference has a cause, and no cause stands where none is."""

from typing import Any

import pytest

from analytics.three_facts import ComparedFact, price_of, three_facts, witnesses
from dashboard.catalogue import all_texts
from tests.analytics.measured_session import START_MS, TARIFFS, bill_row, session_row, upload_row


def facts(
    session: dict[str, Any] | None = None,
    upload: dict[str, Any] | None = None,
    bill: dict[str, Any] | None = None,
    hits: Any = (),
) -> dict[str, ComparedFact]:
    found = three_facts(session or session_row(), upload, bill, TARIFFS, hits)
    for fact in found:
        for cause in fact.causes:
            known = f"why.{cause.key}" if not cause.key.startswith("rule.") else f"session.{cause.key}"
            assert known in all_texts(), known
    return {fact.name: fact for fact in found}


def keys(fact: ComparedFact) -> list[str]:
    return [cause.key for cause in fact.causes if not cause.key.startswith("rule.")]


def test_a_good_charge_agrees_in_all_three() -> None:
    found = facts(upload=upload_row(), bill=bill_row())
    assert (found["energy"].charger, found["energy"].platform, found["energy"].billed) == (363_600,) * 3
    assert keys(found["energy"]) == ["equal"]
    assert keys(found["duration"]) == ["starting_and_stopping"]
    assert keys(found["money"]) == ["equal"]
    assert found["money"].spread == 0


@pytest.mark.parametrize(
    ("energy", "changes", "expected"),
    [
        (363_550, {}, ["resolution"]),
        (363_400, {}, ["tolerance"]),
        (400_000, {"high_e4kwh": 500_000, "flags": ["TAIL_GAP"]}, ["inside", "wide"]),
        (500_000, {}, ["outside"]),
        (500_000, {"quality": "QUESTIONABLE", "flags": ["RESET"]}, ["outside", "untrusted"]),
        (363_600, {"quality": "MISSING", "best_e4kwh": 0, "low_e4kwh": 0}, ["unmeasured"]),
    ],
)
def test_each_difference_of_energy_has_its_cause(energy: int, changes: dict[str, Any], expected: list[str]) -> None:
    found = facts(session_row(**changes), upload_row(energy), bill_row())
    assert keys(found["energy"])[: len(expected)] == expected


def test_the_named_cause_of_a_code_stands_beside_the_difference() -> None:
    hits = [
        (8, "raw", "NAIVE_DIFFERENCE", "LATE_BASELINE", 1, 1, "e4kwh"),
        (8, "corrected", "BILL_ABOVE", "SCALE", 1, 1, "e4kwh"),
    ]
    energy = facts(None, upload_row(3_636_000), bill_row(), hits)["energy"]
    named = [cause.values["cause"] for cause in energy.causes if cause.key == "named"]
    assert named == [("word", "cause.SCALE"), ("word", "cause.LATE_BASELINE")], "what stays comes first"


def test_the_naive_difference_is_told_with_the_rules_that_corrected_it() -> None:
    row = session_row(naive_energy_e4kwh=1_286_300, flags=["ZERO_READ", "ZERO_BASELINE", "GAP"])
    (naive,) = [cause for cause in facts(row, None, bill_row())["energy"].causes if cause.key == "naive"]
    assert naive.values["naive"] == ("e4kwh", 1_286_300)
    assert naive.values["gap"] == ("e4kwh", 363_600 - 1_286_300)
    assert set(naive.values["rules"][1]) == {"ZERO_READ", "ZERO_BASELINE"}, "a gap inside changes no total"
    late = session_row(naive_energy_e4kwh=300_000, register_kind="session")
    assert "naive_late" in keys(facts(late, upload_row(), bill_row())["energy"])


@pytest.mark.parametrize(
    ("state", "expected"),
    [("lost", "record.lost"), ("lost_offline", "record.lost_offline"), ("waiting", "record.waiting"),
     ("not_expected", "record.none")],
)  # fmt: skip
def test_a_missing_record_is_the_cause_of_everything(state: str, expected: str) -> None:
    found = facts(session_row(bill_state=state), None, bill_row(held=1, final_rule=5))
    assert all(keys(fact)[0] == expected for fact in found.values())
    assert "held" not in keys(found["energy"]), "rule 5 says that already"


def test_an_unseen_end_an_outage_and_a_wrong_clock_explain_a_duration() -> None:
    row = session_row(
        end_high_ms=START_MS + 2_039_000, unobserved_end_ms=422_000, outage_ms=300_000, clock_offset_ms=-200_000
    )
    longer = upload_row(bill_end_ms=START_MS + 2_039_000)
    assert keys(facts(row, longer, bill_row())["duration"]) == ["unobserved_end", "outage", "clock_off", "end_unseen"]
    hit = [(9, "corrected", "BILL_LONGER", "", 422_000, 180_000, "ms")]
    assert "span_differs" in keys(facts(None, longer, bill_row(), hit)["duration"])
    assert keys(facts(None, upload_row(bill_start_ms=0), bill_row())["duration"]) == ["no_times"]
    told = session_row(bill_duration_s=10)
    assert "duration_field" in keys(facts(told, upload_row(), bill_row())["duration"])


def test_a_difference_in_money_is_cut_into_energy_and_prices() -> None:
    ten_times = facts(None, upload_row(3_636_000), bill_row())["money"]
    (by_energy,) = [cause for cause in ten_times.causes if cause.key == "by_energy"]
    assert by_energy.values["gap"] == ("e4yuan", (69_084 - 6_908) * 100)
    dearer = facts(None, upload_row(bill_amount_e4yuan=800_000), bill_row())["money"]
    assert keys(dearer) == ["by_prices"]
    stale = facts(None, upload_row(bill_amount_e4yuan=800_000), bill_row(tariff_stale=1))["money"]
    assert keys(stale) == ["by_prices_stale"]
    assert keys(facts(None, upload_row(bill_amount_e4yuan=0), bill_row())["money"]) == ["unpriced"]
    assert keys(facts(None, upload_row(bill_amount_e4yuan=690_840), bill_row())["money"]) == ["rounding"]
    unknown = facts(None, upload_row(), bill_row(amount_fen=None))["money"]
    assert (unknown.billed, keys(unknown)) == (None, ["no_tariff"]), "unknown is not 0"


def test_a_sum_that_goes_with_the_parts_of_a_record_is_not_held_against_its_total() -> None:
    whole_register = upload_row(619_424_100, bill_class_energy_e4kwh=[0, 0, 364_600, 0], bill_amount_e4yuan=6_928 * 100)
    money = facts(None, whole_register, bill_row())["money"]
    assert keys(money) == ["by_parts", "by_energy"]
    by_parts, by_energy = money.causes
    assert by_parts.values == {"parts": ("e4kwh", 364_600), "total": ("e4kwh", 619_424_100)}
    assert by_energy.values["gap"] == ("e4yuan", (6_927 - 6_908) * 100)
    with_total = upload_row(3_636_000, bill_class_energy_e4kwh=[0, 0, 364_600, 0])
    assert keys(facts(None, with_total, bill_row())["money"]) == ["by_energy"]


def test_what_the_measured_energy_would_cost_stands_in_the_middle() -> None:
    row = session_row(best_e4kwh=363_000)
    money = facts(row, upload_row(), bill_row())["money"]
    assert money.platform == 6_897 * 100
    assert keys(money) == ["equal", "priced_alike"]


def test_one_price_function_prices_any_energy_over_the_same_half_hours() -> None:
    bill, row = bill_row(), session_row()
    assert price_of(363_600, bill, row, TARIFFS) == 6_908
    assert price_of(1_286_300, bill, row, TARIFFS) == 24_440
    assert price_of(0, bill, row, TARIFFS) == 0
    assert price_of(-1, bill, row, TARIFFS) is None
    assert price_of(1, None, row, TARIFFS) is None
    assert price_of(1, bill, row, {}) is None, "a tariff that is not known prices nothing"
    assert price_of(363_600, bill, row, {}) == bill["amount_fen"]


def test_each_witness_is_held_against_the_bill_with_its_own_tolerance() -> None:
    row = session_row(counter_energy_e4kwh=363_000, naive_energy_e4kwh=1_286_300, power_energy_e4kwh=350_000)
    found = {one.name: one for one in witnesses(row, upload_row(), 363_600)}
    assert {name: one.agrees for name, one in found.items()} == {
        "counter": True, "power": True, "naive": False, "record_registers": True, "record_parts": True,
    }  # fmt: skip
    assert found["power"].tolerance_e4kwh == 17_500, "W is good to 5 %"
    assert all(one.agrees is None for one in witnesses(row, None, None)), "nothing to compare with"


def test_the_thresholds_of_the_charge_say_what_agrees() -> None:
    behind = {"energy_tolerance_e4kwh": 1_000, "energy_tolerance_share_e4": 100, "efficiency_e4": 500}
    row = session_row(best_e4kwh=300_000, low_e4kwh=299_999, high_e4kwh=300_001, counter_energy_e4kwh=300_000, **behind)
    energy = three_facts(row, upload_row(bill_energy_e4kwh=285_000), None, TARIFFS)[0]
    assert [cause.key for cause in energy.causes][:2] == ["equal", "efficiency"]
    counter = next(one for one in witnesses(row, None, 285_000) if one.name == "counter")
    assert (counter.energy_e4kwh, counter.agrees) == (285_000, True)
