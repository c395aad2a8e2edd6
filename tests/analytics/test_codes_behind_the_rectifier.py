"""What explains a record whose meter sits behind the rectifier, where a model says how much less that one sees."""

from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.thresholds import Thresholds
from tests.analytics.session_revision_rows import clean_row, compute, insert_rows, insert_tariff, trade_no

pytestmark = pytest.mark.server

BEFORE = 12_300_000
SEEN_BEHIND = 190_000
"""Of the 20 kWh that the platform measured, with 5 % less behind the rectifier."""
SCALE: dict[str, Any] = {"bill_energy_e4kwh": 10 * SEEN_BEHIND, "bill_class_energy_e4kwh": [0, 0, 10 * SEEN_BEHIND, 0]}
WHOLE = BEFORE + SEEN_BEHIND
WHOLE_REGISTER: dict[str, Any] = {
    "register_kind": "lifetime",
    "register_start_e4kwh": BEFORE,
    "bill_energy_e4kwh": WHOLE,
    "bill_class_energy_e4kwh": [0, 0, WHOLE, 0],
    "bill_meter_end_e4kwh": WHOLE,
}
LOSSES: dict[str, Any] = {
    "bill_energy_e4kwh": 2_100_000,
    "bill_loss_energy_e4kwh": 10 * SEEN_BEHIND,
    "bill_class_energy_e4kwh": [0, 0, 2_100_000, 0],
}


@pytest.mark.parametrize(
    ("told", "corrected", "causes"),
    [
        (SCALE, [4, 5, 8], ["SCALE"]),
        (LOSSES, [4, 5, 8], ["SCALE"]),
        (WHOLE_REGISTER, [], ["ZERO_BASELINE"]),
        ({**WHOLE_REGISTER, "register_start_e4kwh": BEFORE - 10_000}, [4, 5, 8], []),
    ],
)
def test_the_record_is_held_against_what_its_own_meter_can_have_counted(
    empty_database: Client, told: dict[str, Any], corrected: list[int], causes: list[str]
) -> None:
    insert_tariff(empty_database)
    insert_rows(empty_database, [clean_row(1, **told)])
    compute(empty_database, thresholds=Thresholds(efficiency_e4=500))
    found = empty_database.execute("SELECT trade_no, codes_raw, codes, causes FROM session_codes")
    assert found == [(trade_no(1), [4, 5, 8], corrected, causes)]
