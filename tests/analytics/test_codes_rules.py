"""What holds of the codes of any session (requirements S01, S18; anomaly-codes.md), over generated revisions."""

import random
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.anomalies import DISPLAY_ORDER
from core.meter.flags import Flag
from tests.analytics.session_revision_rows import MINUTE, T0, clean_row, compute, insert_rows, insert_tariff

pytestmark = pytest.mark.server
ROWS = 1_500
SEED = 20191113
END = T0 + 30 * MINUTE
ALONE = {1, 2, 11}
STANDING = {"DUPLICATE_BILL", "TARIFF_STALE", "START_FAILED"}
QUALITIES = ["MISSING", "QUESTIONABLE", "ESTIMATED", "DERIVED", "VALID"]


def generated(number: int, rng: random.Random) -> dict[str, Any]:
    """A session in which several things may be wrong at once."""

    def sometimes(share: float, value: Any, otherwise: Any) -> Any:
        return value if rng.random() < share else otherwise

    best = rng.choice([0, 10, 4_000, 60_000, 200_000, 900_000])
    width = rng.choice([1, 100, 10_000, 50_000])
    bill = rng.choice([0, best, best, best, best * 10, best // 10, best + 5_000, 12_500_000])
    start = T0 + rng.choice([0, 0, 0, -10 * MINUTE, 50 * MINUTE, -T0])
    end = END + rng.choice([0, 0, 0, 10 * MINUTE, -40 * MINUTE, 20 * 60 * MINUTE, -END])
    has_bill = rng.random() < 0.85
    return clean_row(
        number,
        life=rng.choice(["ended", "ended", "ended_offline", "failed_start", "other_number"]),
        bill_state="present" if has_bill else rng.choice(["lost", "lost_offline", "overdue", "not_expected"]),
        has_bill=int(has_bill),
        bill_start_ms=start,
        bill_end_ms=end,
        bill_receive_ms=max(END, rng.choice([end, END])) + 1_000,
        bill_energy_e4kwh=bill,
        bill_class_energy_e4kwh=[0, sometimes(0.1, 7, 0), max(0, bill - sometimes(0.1, 900, 0)), 0],
        bill_loss_energy_e4kwh=sometimes(0.1, bill + 3_000, 0),
        bill_meter_start_e4kwh=sometimes(0.3, 12_300_000, 0),
        bill_meter_end_e4kwh=sometimes(0.3, 12_500_000, 0),
        register_start_e4kwh=sometimes(0.3, 12_300_000, 0),
        register_kind=rng.choice(["session", "lifetime"]),
        best_e4kwh=best,
        low_e4kwh=max(0, best - width),
        high_e4kwh=best + width,
        naive_energy_e4kwh=rng.choice([0, best, best, best + 9_000, 12_500_000, -500]),
        naive_span_ms=rng.choice([30, 30, 10, 40]) * MINUTE,
        power_energy_e4kwh=best,
        power_over_1kw_ms=rng.choice([0, 29 * MINUTE]),
        charging_readings=sometimes(0.1, 0, 120),
        quality=rng.choice(QUALITIES),
        flags=[flag.name for flag in rng.sample(list(Flag), rng.choice([0, 0, 1, 2]))],
        quantum_e4kwh=rng.choice([1, 100, 10_000]),
        clock_offset_ms=sometimes(0.1, 200_000, 0),
        clock_step_ms=sometimes(0.05, 200_000, 0),
        outage_ms=sometimes(0.1, 5 * MINUTE, 0),
        unobserved_start_ms=sometimes(0.1, 5 * MINUTE, 0),
        unobserved_end_ms=sometimes(0.1, 15 * MINUTE, 0),
        unplugged_ms=0,
        plugged_until_ms=END + rng.choice([1, 1, 60]) * MINUTE,
        different_bills=sometimes(0.05, 1, 0),
        overlaps=sometimes(
            0.2, [(4, 1, "x", rng.choice([30_000, 400_000]), rng.choice(["connector", "vin", "vin_clock", "card"]))], []
        ),
    )


@pytest.fixture(scope="module")
def found(module_database: Client) -> list[tuple[list[int], list[int], list[str], list[tuple[Any, ...]]]]:
    """Codes raw, corrected, causes and hits of each generated session."""
    rng = random.Random(SEED)
    insert_tariff(module_database)
    insert_rows(module_database, [generated(number, rng) for number in range(ROWS)])
    compute(module_database)
    rows = module_database.execute("SELECT codes_raw, codes, causes, hits FROM session_codes")
    assert len(rows) == ROWS
    return list(rows)


def test_codes_1_2_and_11_never_combine(found: Any) -> None:
    for raw, corrected, _causes, _hits in found:
        for codes in (raw, corrected):
            assert len(codes) == 1 or not ALONE & set(codes), codes


def test_codes_stand_in_the_order_of_the_old_platform_each_once_and_never_10(found: Any) -> None:
    for raw, corrected, _causes, _hits in found:
        for codes in (raw, corrected):
            assert codes == sorted(set(codes), key=DISPLAY_ORDER.index) and 10 not in codes


def test_a_code_that_disappears_names_its_cause(found: Any) -> None:
    for raw, corrected, causes, hits in found:
        for code in set(raw) - set(corrected):
            named = {hit[3] for hit in hits if hit[0] == code and hit[1] == "raw"} - {""}
            assert named and named <= set(causes), (code, hits)


def test_a_code_that_stays_names_its_reason_what_was_seen_and_the_limit(found: Any) -> None:
    for raw, corrected, causes, hits in found:
        for reading, codes in (("raw", raw), ("corrected", corrected)):
            of_reading = [hit for hit in hits if hit[1] == reading]
            assert {hit[0] for hit in of_reading} == set(codes)
            assert all(hit[2] and hit[6] in ("e4kwh", "ms") for hit in of_reading)
        assert set(causes) - STANDING == {hit[3] for hit in hits} - {""}


def test_a_code_appears_by_correction_only_where_another_stood_alone(found: Any) -> None:
    """What the naive figures do not show the measured ones may, as far as the figure stands: codes 8 and 9."""
    for raw, corrected, _causes, _hits in found:
        appeared = set(corrected) - set(raw)
        assert appeared <= {8, 9} or set(raw) == {11}, (raw, corrected)


def test_what_is_generated_is_not_trivial(found: Any) -> None:
    sets = {tuple(corrected) for _raw, corrected, _causes, _hits in found}
    assert {code for codes in sets for code in codes} == {1, 2, 3, 4, 5, 6, 7, 8, 9, 11} and len(sets) > 40
    assert sum(raw != corrected for raw, corrected, _causes, _hits in found) > ROWS // 10
