"""What each later touch changed, and what the diagnosis says of a session."""

from collections import defaultdict
from typing import Any

import pytest

from analytics.diagnosis import Diagnosis, diagnose
from analytics.revision_changes import touches
from dashboard.catalogue import all_texts
from tests.analytics.measured_session import START_MS, bill_row, session_row


def revision(number: int, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = defaultdict(int, session_row(revision=number, inputs_digest=number, computed_ms=START_MS))
    row |= {"batch_id": (START_MS + number) << 20, **changes}
    return row


def bill(number: int, **changes: Any) -> dict[str, Any]:
    extra = {"codes_raw": [], "causes": [], **changes}
    return bill_row(revision=number, inputs_digest=number, **extra)


def test_a_late_record_is_told_with_what_it_changed() -> None:
    lost = revision(1, bill_state="lost", best_e4kwh=363_600)
    came = revision(2, bill_state="present", bill_energy_e4kwh=363_600)
    bills = [bill(2, codes=[]), bill(1, codes=[1], codes_raw=[1], held=1, final_rule=5)]
    newest, first = touches([came, lost], bills)
    changed = {change.name: (change.before, change.after) for change in newest.changes}
    assert changed["bill_state"] == ("lost", "present")
    assert changed["codes"] == ([1], [])
    assert changed["held"] == (1, 0)
    assert changed["bill_energy_e4kwh"] == (0, 363_600)
    assert "best_e4kwh" not in changed
    assert (newest.written_ms, newest.held, first.held, first.changes) == (START_MS + 2, False, True, ())


def test_lists_of_rows_are_told_by_their_length_and_every_field_has_a_name() -> None:
    newest, _first = touches([revision(2, overlaps=[(1, 1, "A", 9, "vin")]), revision(1)], [])
    (change,) = [change for change in newest.changes if change.name == "overlaps"]
    assert (change.before, change.after) == (0, 1)
    assert (newest.status, newest.final_energy_e4kwh) == ("open", None), "a revision without a bill"
    everything = revision(2, **dict.fromkeys(session_row(), "X"))
    assert not [
        one.name
        for one in touches([everything, revision(1)], [])[0].changes
        if f"changed.{one.name}" not in all_texts()
    ]


def diagnosed(
    told: int = 0, state: Any = None, hits: Any = (), deviations: Any = (), bill: Any = None, **changes: Any
) -> Diagnosis:
    found = diagnose(session_row(**changes), bill_row() if bill is None else bill, hits, state, told, deviations)
    for finding in found.findings:
        assert f"finding.{finding.key}" in all_texts()
    assert f"action.{found.action}" in all_texts()
    return found


def test_a_good_charge_has_nothing_to_say() -> None:
    assert diagnosed(told=922_700).findings == ()
    assert diagnosed(told=922_700).action == "nothing"


def test_the_case_of_244_yuan_is_diagnosed_in_full() -> None:
    """Requirement A07: zero baseline, 422 s gap, status 8, no bill, suggested 36.36 kWh."""
    found = diagnosed(
        flags=["ZERO_BASELINE", "TAIL_GAP"],
        life="ended_offline",
        bill_state="lost",
        end_high_ms=START_MS + 2_039_000,
        unobserved_end_ms=422_000,
        state={"protocol": "aaf5", "work_state": 8, "alarm": 0, "event_ms": START_MS + 2_039_000},
        bill=bill_row(held=1, final_rule=5, codes=[1]),
    )
    assert [(one.key, one.party) for one in found.findings] == [
        ("meter.ZERO_BASELINE", "charger"),
        ("silent_to_the_end", "network"),
        ("fault_state", "charger"),
        ("record_lost", "charger"),
    ]
    assert found.findings[1].values["length"] == ("ms", 422_000)
    assert found.findings[2].values["state"] == ("count", 8)
    assert found.action == "fetch_or_confirm"
    assert found.values == {"energy": ("e4kwh", 363_600), "amount": ("fen", 6_908)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"flags": ["RESET"]}, ("meter.RESET", "charger")),
        ({"flags": ["ROLLOVER"]}, ("meter.ROLLOVER", "nobody")),
        ({"outage_ms": 120_000, "longest_gap_ms": 120_000}, ("silent_inside", "platform")),
        ({"clock_offset_ms": -300_000}, ("clock_off", "charger")),
        ({"tariff_stale": 1}, ("tariff_stale", "charger")),
        ({"overlaps": [(1, 1, "A", 400_000, "vin")], "bill": bill_row(codes=[7])}, ("overlap", "charger")),
        ({"bill_state": "lost_offline"}, ("record_lost_offline", "network")),
        ({"different_bills": 1}, ("records_differ", "charger")),
        ({"bill_number": "9"}, ("record_other_number", "charger")),
        ({"life": "failed_start"}, ("failed_start", "nobody")),
        ({"deviations": [{"party": "platform", "step": "record_ack"}]}, ("protocol", "platform")),
        ({"bill": bill_row(codes=[6])}, ("overstayed", "user")),
        ({"told": 0}, ("no_begin", "charger")),
    ],
)
def test_each_trouble_has_a_finding_at_the_right_door(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    found = diagnosed(**{"told": 922_700, **changes})
    assert expected in [(one.key, one.party) for one in found.findings]


def test_one_vehicle_at_both_guns_is_no_trouble() -> None:
    assert diagnosed(told=1, overlaps=[(1, 2, "A", 400_000, "dual_gun")]).findings == ()


def test_a_code_that_stays_is_named_with_its_reason_once() -> None:
    hits = [
        (8, "raw", "NAIVE_DIFFERENCE", "", 1, 1, "e4kwh"),
        (8, "corrected", "BILL_ABOVE", "SCALE", 1, 1, "e4kwh"),
        (4, "corrected", "PARTS_DIFFER", "", 1, 1, "e4kwh"),
    ]
    found = diagnosed(told=1, hits=hits, bill=bill_row(codes=[4, 8], held=1))
    assert [one.key for one in found.findings] == ["record_wrong_because", "record_wrong"]
    assert found.action == "confirm"


@pytest.mark.parametrize(
    ("bill", "action"),
    [
        (bill_row(None, held=1), "decide"),
        (bill_row(held=1, amount_fen=None), "price"),
        (bill_row(held=1), "confirm"),
        (bill_row(status="provisional"), "wait_for_record"),
    ],
)
def test_the_action_follows_from_what_is_known(bill: dict[str, Any], action: str) -> None:
    assert diagnosed(told=1, bill=bill).action == action
