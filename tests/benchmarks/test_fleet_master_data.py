"""The simulated fleet of a master data file."""

from collections import Counter
from pathlib import Path

import pytest

import backoffice
from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.master_data import fleet_of, some_of

DEMO_FILE = Path(backoffice.__file__).with_name("demo_fleet.toml")


def test_the_demo_file_gives_its_chargers_with_their_ratings_and_tariffs() -> None:
    fleet = fleet_of(DEMO_FILE)
    assert len(fleet) >= 200
    assert len({pile.code for pile in fleet}) == len(fleet)
    assert {len(pile.code) for pile in fleet} == {14}
    assert set(Counter(pile.current_kind for pile in fleet)) == {"dc", "ac"}
    assert len({pile.station for pile in fleet}) >= 8
    by_model = {pile.model: pile for pile in fleet}
    assert by_model["U-240"].rated_power_w == 240_000
    assert by_model["V-7"].quantum_e4kwh == 100
    public = by_model["U-240"].tariffs
    assert [version.model_no for version in public] == ["0101", "0102"]
    assert public[1].electricity_price_e5yuan == (131_250, 105_500, 63_900, 24_875)
    assert public[1].slot_classes[22:26] == (0, 0, 0, 0)
    assert fleet[0].tariff_at(public[1].from_ms).model_no == "0201"
    assert by_model["U-240"].tariff_at(public[1].from_ms - 1).model_no == "0101"
    assert any(pile.depot for pile in fleet)


def test_a_part_of_a_fleet_is_spread_over_all_of_it() -> None:
    fleet = fleet_of(DEMO_FILE)
    part = some_of(fleet, 40)
    assert len(part) == 40
    assert {pile.station for pile in part} == {pile.station for pile in fleet}
    with pytest.raises(FleetError, match="the file has"):
        some_of(fleet, len(fleet) + 1)


def test_a_file_that_holds_no_fleet_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[piles]]\nfirst_code = "1"\nmodel = "none"\n')
    with pytest.raises(FleetError, match=r"wrong\.toml"):
        fleet_of(wrong)
