"""Registers and records that cannot be, as frames: at the limits of their types, negative, doubled, not adding up."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from analytics.client import ClickHouseAddress
from tests.system.charger_stories import KWH, MINUTE, SECOND, Aaf5Story, Line, Story, YkcStory, at, rising
from tests.system.replayed import Replayed, e4, replayed

pytestmark = pytest.mark.server

START_MS: Final = at("2026-05-11 09:00:00")
END_MS: Final = START_MS + 20 * MINUTE
TRUE_E4KWH: Final = 20 * KWH
U32: Final = 0xFFFF_FFFF
U40: Final = 0xFF_FFFF_FFFF
LINES: list[Line] = []
_piles = iter(range(1, 100))


class Aaf5Charge(Aaf5Story):
    """Twenty kWh in twenty minutes at a charger of its own, with a record unless a test sends another."""

    def __init__(self, *, base_e4kwh: int = 7_000 * KWH) -> None:
        super().__init__(f"440113000400003{next(_piles):05d}")
        self.number = f"{self.code}-1"
        self.base_e4kwh = base_e4kwh
        self.shown = rising(1_200, 60_000, base_e4kwh=base_e4kwh)
        self.login(START_MS - MINUTE)

    def run(self, **told: Any) -> str:
        """All of its frames; `told` changes the record, None leaves it out. Gives the number."""
        self.charge(self.number, START_MS, self.shown, before_e4kwh=self.base_e4kwh)
        if "record" not in told:
            values = {"energy_e4kwh": TRUE_E4KWH, "before_e4kwh": self.base_e4kwh} | told
            self.record(END_MS + 5 * SECOND, self.number, START_MS, END_MS, **values)
        _rest(self)
        LINES.extend(self.lines)
        return self.number


class YkcCharge(YkcStory):
    """The same at a YKC charger."""

    def __init__(self) -> None:
        super().__init__(f"440113{next(_piles):08d}")
        self.number = f"{self.code}01260511090000{1:04d}"
        self.shown = rising(1_200, 60_000, quantum_e4kwh=1)
        self.login(START_MS - MINUTE)

    def run(self, **told: Any) -> str:
        """All of its frames; `told` changes the record. Gives the number."""
        self.charge(self.number, START_MS, self.shown)
        self.record(END_MS + 5 * SECOND, self.number, START_MS, END_MS, **({"energy_e4kwh": TRUE_E4KWH} | told))
        _rest(self)
        LINES.extend(self.lines)
        return self.number


def _rest(story: Story) -> None:
    if isinstance(story, Aaf5Story):
        story.idle(END_MS + 20 * SECOND, END_MS + 3 * MINUTE, meter_now=0)
    elif isinstance(story, YkcStory):
        story.idle(END_MS + 20 * SECOND, END_MS + 3 * MINUTE)


def aaf5_minus_one_among_readings() -> str:
    """ocpp-go #114: -1 for "unknown"."""
    gun = Aaf5Charge()
    gun.shown[10::20] = [one._replace(register_e4kwh=U32 * 100, energy_e4kwh=0) for one in gun.shown[10::20]]
    return gun.run()


def ykc_limit_among_readings() -> str:
    gun = YkcCharge()
    gun.shown[10::20] = [one._replace(register_e4kwh=U32) for one in gun.shown[10::20]]
    return gun.run()


def aaf5_always_at_the_limit() -> str:
    gun = Aaf5Charge()
    gun.shown = [one._replace(register_e4kwh=U32 * 100, before_e4kwh=U32 * 100, energy_e4kwh=0) for one in gun.shown]
    return gun.run(before_e4kwh=U32 * 100, after_e4kwh=U32 * 100, energy_e4kwh=0)


def ykc_always_at_the_limit() -> str:
    gun = YkcCharge()
    gun.shown = [one._replace(register_e4kwh=U32) for one in gun.shown]
    return gun.run(energy_e4kwh=U32, before_e4kwh=U40, after_e4kwh=U40)


def aaf5_over_the_limit() -> str:
    """The register passes 2^32 in the charge, where the field begins again at 0."""
    base = (U32 - 1_000) * 100
    gun = Aaf5Charge(base_e4kwh=base)
    gun.shown = [one._replace(register_e4kwh=one.register_e4kwh % ((U32 + 1) * 100)) for one in gun.shown]
    return gun.run(after_e4kwh=999 * 100)


def aaf5_record_of_the_limits() -> str:
    return Aaf5Charge().run(
        energy_e4kwh=U32 * 100, before_e4kwh=0, after_e4kwh=U32 * 100, half_hour_energy=[65_535] * 48
    )


def aaf5_record_of_the_whole_register() -> str:
    """It takes zero for the begin; 999,975 kWh in 1e-4 are more than 32 bits."""
    whole = 999_975 * KWH
    gun = Aaf5Charge(base_e4kwh=whole - TRUE_E4KWH)
    return gun.run(energy_e4kwh=whole, before_e4kwh=0, after_e4kwh=whole)


def aaf5_readings_of_the_whole_register() -> str:
    """The energy of every reading is the register; 999,975 kWh in 1e-4 are more than 32 bits."""
    whole = 999_975 * KWH
    gun = Aaf5Charge(base_e4kwh=whole - TRUE_E4KWH)
    gun.shown = [one._replace(energy_e4kwh=one.register_e4kwh) for one in gun.shown]
    return gun.run(after_e4kwh=whole)


def ykc_record_of_the_limits() -> str:
    classes = {f"{rate}_energy": U32 for rate in ("sharp", "peak", "flat", "valley")}
    return YkcCharge().run(energy_e4kwh=U32, before_e4kwh=U40, after_e4kwh=U40, amount=U32, **classes)


def aaf5_negative_difference() -> str:
    """The record ends below its begin, and its energy is the difference in 32 bits."""
    gun = Aaf5Charge()
    below = gun.base_e4kwh - 5 * KWH
    return gun.run(energy_e4kwh=(U32 + 1 - 500) * 100, after_e4kwh=below, half_hour_energy=[0] * 48)


def ykc_negative_difference() -> str:
    return YkcCharge().run(energy_e4kwh=U32 + 1 - 5 * KWH, before_e4kwh=100 * KWH, after_e4kwh=95 * KWH)


def aaf5_never_seen() -> str:
    gun = Aaf5Charge()
    gun.shown = []
    return gun.run()


def ykc_never_seen() -> str:
    gun = YkcCharge()
    gun.shown = []
    return gun.run()


def _sent_again(gun: Aaf5Charge | YkcCharge, times: int, **changes: Any) -> str:
    number = gun.run()
    own = len(gun.lines)
    base = {"before_e4kwh": gun.base_e4kwh} if isinstance(gun, Aaf5Charge) else {}
    for again in range(times):
        told = {"energy_e4kwh": TRUE_E4KWH} | base | changes
        gun.record(END_MS + (60 + 30 * again) * SECOND, number, START_MS, END_MS, **told)
    LINES.extend(gun.lines[own:])
    return number


def ykc_classes_that_do_not_add_up() -> str:
    return YkcCharge().run(flat_energy=9 * KWH, peak_energy=5 * KWH)


def aaf5_half_hours_that_do_not_add_up() -> str:
    slots = [0] * 48
    slots[18] = 14_00
    return Aaf5Charge().run(half_hour_energy=slots)


CASES: Final = {
    make.__name__: make()
    for make in (
        *(aaf5_minus_one_among_readings, ykc_limit_among_readings, aaf5_always_at_the_limit, ykc_always_at_the_limit),
        *(aaf5_over_the_limit, aaf5_record_of_the_limits, ykc_record_of_the_limits, aaf5_negative_difference),
        *(ykc_negative_difference, aaf5_never_seen, ykc_never_seen, ykc_classes_that_do_not_add_up),
        *(aaf5_half_hours_that_do_not_add_up, aaf5_record_of_the_whole_register, aaf5_readings_of_the_whole_register),
    )
}
SENT_AGAIN: Final = {"aaf5": _sent_again(Aaf5Charge(), 3), "ykc": _sent_again(YkcCharge(), 3)}
OTHER_RECORDS: Final = {
    "aaf5": _sent_again(Aaf5Charge(), 1, energy_e4kwh=31 * KWH),
    "ykc": _sent_again(YkcCharge(), 1, energy_e4kwh=31 * KWH),
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, clickhouse: ClickHouseAddress) -> Iterator[Replayed]:
    """All of them in one capture, at chargers that nobody planned."""
    with replayed(tmp_path_factory.mktemp("bad"), clickhouse, LINES) as here:
        yield here


def test_every_charge_has_one_bill_and_no_figure_beyond_what_can_be(here: Replayed) -> None:
    assert here.table().bills == len(CASES) + len(SENT_AGAIN) + len(OTHER_RECORDS)
    ((broken,),) = here.client.execute(
        "SELECT count() FROM bills WHERE final_energy_e4kwh < 0 OR final_energy_e4kwh > 660000 OR amount_fen < 0"
        " OR arraySum(slot_energy_e4kwh) != ifNull(final_energy_e4kwh, 0) OR low_e4kwh > high_e4kwh OR low_e4kwh < 0"
        " OR electricity_fen + service_fen != amount_fen"
    )
    assert broken == 0, "198 kW give 66 kWh in 20 minutes"


@pytest.mark.parametrize("case", CASES)
def test_a_bill_is_right_or_held(here: Replayed, case: str) -> None:
    bill = here.bill(CASES[case])
    if not bill["held"]:
        assert bill["final_energy_kwh"] == "20.0000"
    if bill["quality"] != "MISSING":
        assert e4(bill["low_kwh"]) <= TRUE_E4KWH <= e4(bill["high_kwh"])


@pytest.mark.parametrize("case", ["aaf5_minus_one_among_readings", "ykc_limit_among_readings"])
def test_single_readings_at_the_limit_are_dropped(here: Replayed, case: str) -> None:
    bill = here.bill(CASES[case])
    assert (bill["final_energy_kwh"], bill["held"], bill["codes_raw"], bill["codes"]) == ("20.0000", False, [], [])
    assert "SPIKE" in here.session(CASES[case])["flags"]


@pytest.mark.parametrize("case", ["aaf5_always_at_the_limit", "ykc_always_at_the_limit"])
def test_a_register_that_stands_at_the_limit_proves_nothing(here: Replayed, case: str) -> None:
    bill = here.bill(CASES[case])
    assert bill["held"]
    assert e4(bill["high_kwh"]) >= TRUE_E4KWH, "what flowed meanwhile is not known to be nothing"


@pytest.mark.parametrize("case", ["aaf5_record_of_the_limits", "ykc_record_of_the_limits"])
def test_a_record_of_the_limits_is_held_with_what_was_measured(here: Replayed, case: str) -> None:
    bill = here.bill(CASES[case])
    assert bill["held"] and {4, 8} <= set(bill["codes"])
    assert bill["final_energy_kwh"] == "20.0000"


@pytest.mark.parametrize(
    ("case", "told"),
    [("aaf5_record_of_the_whole_register", "999975.0000"), ("aaf5_record_of_the_limits", "42949672.9500")],
)
def test_a_record_is_shown_as_the_charger_told_it(here: Replayed, case: str, told: str) -> None:
    bill = here.bill(CASES[case])
    assert (bill["pile_energy_kwh"], bill["final_energy_kwh"]) == (told, "20.0000")
    uploads = here.client.execute("SELECT energy_e4kwh FROM pile_bills WHERE trade_no = %(no)s", {"no": CASES[case]})
    assert uploads == [(e4(told),)]


def test_a_reading_is_kept_as_the_charger_told_it(here: Replayed) -> None:
    case = "aaf5_readings_of_the_whole_register"
    told = here.client.execute(
        "SELECT min(told_energy_e4kwh), max(told_energy_e4kwh), max(energy_e4kwh) FROM readings"
        " WHERE trade_no = %(no)s",
        {"no": CASES[case]},
    )
    assert told == [(999_955 * KWH, 999_975 * KWH, U32)]
    assert here.bill(CASES[case])["final_energy_kwh"] == "20.0000"


@pytest.mark.parametrize("case", ["aaf5_negative_difference", "ykc_negative_difference"])
def test_a_negative_difference_is_held_with_what_was_measured(here: Replayed, case: str) -> None:
    bill = here.bill(CASES[case])
    assert bill["held"] and {4, 8} <= set(bill["codes"])
    assert bill["final_energy_kwh"] == "20.0000"


@pytest.mark.parametrize("case", ["aaf5_never_seen", "ykc_never_seen"])
def test_a_record_of_a_charge_never_seen_waits_for_a_person(here: Replayed, case: str) -> None:
    bill, session = here.bill(CASES[case]), here.session(CASES[case])
    assert (bill["quality"], bill["held"], bill["final_energy_kwh"]) == ("ESTIMATED", True, "20.0000")
    assert (session["readings"], session["has_bill"]) == (0, 1)
    assert bill["codes_raw"] == bill["codes"] == []


@pytest.mark.parametrize("protocol", SENT_AGAIN)
def test_the_same_record_four_times_is_one_bill(here: Replayed, protocol: str) -> None:
    bill, session = here.bill(SENT_AGAIN[protocol]), here.session(SENT_AGAIN[protocol])
    assert (bill["final_energy_kwh"], bill["held"], bill["codes"]) == ("20.0000", False, [])
    assert session["different_bills"] == 0


@pytest.mark.parametrize("protocol", OTHER_RECORDS)
def test_of_two_different_records_under_one_number_the_first_counts_and_the_other_is_told(
    here: Replayed, protocol: str
) -> None:
    bill = here.bill(OTHER_RECORDS[protocol])
    assert (bill["pile_energy_kwh"], bill["final_energy_kwh"]) == ("20.0000", "20.0000")
    assert "DUPLICATE_BILL" in bill["causes"]
    assert here.session(OTHER_RECORDS[protocol])["different_bills"] == 1
    uploads = here.client.execute(
        "SELECT energy_e4kwh FROM pile_bills WHERE trade_no = %(number)s ORDER BY first_receive_ms",
        {"number": OTHER_RECORDS[protocol]},
    )
    assert uploads == [(TRUE_E4KWH,), (31 * KWH,)], "nothing is overwritten"


@pytest.mark.parametrize("case", ["ykc_classes_that_do_not_add_up", "aaf5_half_hours_that_do_not_add_up"])
def test_parts_that_do_not_add_up_are_not_taken(here: Replayed, case: str) -> None:
    bill, money = here.bill(CASES[case]), here.money(CASES[case])
    assert (bill["codes_raw"], bill["codes"], bill["held"]) == ([4], [4], True)
    assert bill["final_energy_kwh"] == "20.0000"
    assert sum(money["class_energy_e4kwh"]) == TRUE_E4KWH
    assert here.session(CASES[case])["slot_method"] == "measured"
    hits = here.client.execute(
        "SELECT arrayDistinct(hits.reason) FROM session_codes WHERE trade_no = %(number)s", {"number": CASES[case]}
    )
    assert hits == [(["PARTS_DIFFER"],)]
