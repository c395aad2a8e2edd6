"""Code 4, "a part outside of the charge", may only speak where the tariff in the charger is known."""

from typing import Any

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.class_mask import ALL_CLASSES, bill_class_mask
from core.tariff import TariffTimeline
from core.tariff_version import TariffVersion
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, TARIFF, Facts, pile

FLAT_ONLY = 0b0100
DEFAULT = msgspec.structs.replace(TARIFF, tariff_version_id=1, model_no="0001", slot_classes=(2,) * 48)
PRICES = (160_000, 140_000, 110_000, 70_000)
OTHER_PRICES = (170_000, 140_000, 110_000, 70_000)
SAME_PRICES = msgspec.structs.replace(
    DEFAULT, electricity_price_e5yuan=(70_000,) * 4, service_price_e5yuan=(40_000,) * 4
)


def mask(timeline: TariffTimeline, prices: tuple[int, ...] = (), span: tuple[int, int] = (T0, T0 + 20 * MINUTE)) -> int:
    return bill_class_mask(*span, prices, "Asia/Shanghai", timeline, 30 * MINUTE)


def dated(version: TariffVersion, *acks: tuple[int, int]) -> TariffTimeline:
    return TariffTimeline(by_date=(version,), acks=acks)


@pytest.mark.parametrize(
    ("timeline", "prices", "expected"),
    [
        (dated(DEFAULT), (), ALL_CLASSES),
        (dated(DEFAULT), OTHER_PRICES, ALL_CLASSES),
        (dated(DEFAULT), PRICES, FLAT_ONLY),
        (dated(DEFAULT, (T0 - HOUR, 1)), (), FLAT_ONLY),
        (dated(DEFAULT, (T0 - HOUR, 1)), PRICES, FLAT_ONLY),
        # acknowledged by its number, but the record was priced by another platform's tariff of that number
        (dated(DEFAULT, (T0 - HOUR, 1)), OTHER_PRICES, ALL_CLASSES),
        # acknowledged, but no version of the platform has this number
        (dated(DEFAULT, (T0 - HOUR, 0)), (), ALL_CLASSES),
        # acknowledged only after the margin before the charge had begun
        (dated(DEFAULT, (T0 - 10 * MINUTE, 1)), (), ALL_CLASSES),
        # equal prices in all classes prove no layout of the day
        (dated(SAME_PRICES), (110_000,) * 4, ALL_CLASSES),
        (TariffTimeline(by_date=()), PRICES, ALL_CLASSES),
    ],
)
def test_mask_needs_proof_of_the_tariff(timeline: TariffTimeline, prices: tuple[int, ...], expected: int) -> None:
    assert mask(timeline, prices) == expected


def test_mask_holds_the_margin_and_gives_up_on_impossible_times() -> None:
    acked = dated(TARIFF, (T0 - 48 * HOUR, 7))
    # 08:00 flat with half an hour of valley before it; 10:00-10:20 is peak after flat
    assert mask(acked) == 0b1100
    assert mask(acked, span=(T0 + 2 * HOUR, T0 + 2 * HOUR + 20 * MINUTE)) == 0b0110
    for span in ((0, T0), (T0, T0 - 1), (T0, T0 + 24 * HOUR), (T0 * 1000, T0 * 1000 + MINUTE)):
        assert mask(acked, span=span) == ALL_CLASSES


@pytest.mark.server
class TestUnknownCharger:
    """A replayed capture registers its chargers with the default tariff: flat all day."""

    @pytest.fixture
    def facts(self, empty_database: Client) -> Facts:
        facts = Facts(empty_database, pile(tariffs=(DEFAULT,)))
        prices = (DEFAULT.electricity_price_e5yuan, DEFAULT.service_price_e5yuan)
        row = (1, 1, "default", "0001", 0, DEFAULT.slot_classes, *prices)
        empty_database.execute("INSERT INTO dim_tariff_versions VALUES", [row])
        facts.insert("readings", [*facts.charging(T0, 20), facts.idle(T0 + 20 * MINUTE + SECOND, 0)])
        return facts

    def billed(self, facts: Facts, **changes: Any) -> dict[str, Any]:
        parts = [0, 60_000, 100_000, 40_000]
        facts.insert("pile_bill_uploads", [facts.bill(T0, 20, class_energy_e4kwh=parts, **changes)])
        Biller(facts.client, facts.directory, clock=lambda: T0 + HOUR).settle([4], T0 + 168 * HOUR)
        rows, columns = facts.client.execute("SELECT * FROM bills", with_column_types=True)
        (row,) = rows
        return dict(zip([name for name, _kind in columns], row, strict=True))

    @pytest.mark.parametrize("prices", [[], list(OTHER_PRICES)])
    def test_bill_of_several_classes_is_good(self, facts: Facts, prices: list[int]) -> None:
        bill = self.billed(facts, class_price_e5yuan=prices)
        assert (bill["codes_raw"], bill["codes"], bill["held"]) == ([], [], 0)
        assert (bill["final_rule"], bill["final_energy_e4kwh"], bill["amount_fen"]) == (1, 200_000, 2_200)
        # no energy is lost although the tariff has no half-hour of two of the classes
        assert sum(bill["slot_energy_e4kwh"]) == sum(bill["class_energy_e4kwh"]) == 200_000

    def test_part_outside_is_found_where_the_prices_show_the_tariff(self, facts: Facts) -> None:
        bill = self.billed(facts, class_price_e5yuan=list(PRICES))
        assert (bill["codes"], bill["held"]) == ([4], 1)
        assert sum(bill["slot_energy_e4kwh"]) == 200_000
