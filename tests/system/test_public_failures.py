"""Metering bugs that users of other systems reported, as frames: none of them reaches a bill unseen.

Each test has the figure that was billed there, as the naive difference or the charger's own record of the same frames.
"""

from collections.abc import Iterator
from typing import Final

import pytest

from analytics.client import ClickHouseAddress
from tests.system.charger_stories import FINISHED, KWH, MINUTE, SECOND, Aaf5Story, Line, Shown, YkcStory, at, rising
from tests.system.replayed import Replayed, e4, replayed

pytestmark = pytest.mark.server

START_MS: Final = at("2026-09-14 10:00:00")
PMAX_W: Final = 198_000
BEFORE: Final = 4_100_37 * 100


def ykc_number(pile: str, number: int = 1) -> str:
    return f"{pile}01260914100000{number:04d}"


class Told:
    """A charge as its charger told it, and the energy that it truly took."""

    def __init__(self, number: str, true_e4kwh: int) -> None:
        self.number = number
        self.true_e4kwh = true_e4kwh
        self.lines: list[Line] = []


def placeholder_of_aaf5(pile: str, *, with_record: bool) -> Told:
    """citrineos-core #1060: a begin of 0 stood in for the register, and 910.031 kWh were billed for 0.083."""
    told = Told(f"{pile}-0910", 800)
    gun = Aaf5Story(pile)
    gun.login(START_MS - MINUTE)
    true = [Shown(moment, 909_95 * 100 + moment // 15 * 100, 2_400) for moment in range(0, 121, 15)]
    gun.charge(told.number, START_MS, [Shown(0, 0, 0), *true[1:]])
    end_ms = START_MS + 120 * SECOND
    if with_record:
        gun.record(end_ms + 5 * SECOND, told.number, START_MS, end_ms, energy_e4kwh=910_03 * 100)
    gun.idle(end_ms + 10 * SECOND, end_ms + 50 * MINUTE)
    told.true_e4kwh = true[-1].register_e4kwh - true[0].register_e4kwh
    told.lines = gun.lines
    return told


def placeholder_of_ykc(pile: str, *, with_record: bool) -> Told:
    """The same of a charger that puts its register into the session counter, to the fourth decimal."""
    told = Told(ykc_number(pile), 830)
    gun = YkcStory(pile)
    gun.login(START_MS - MINUTE)
    gun.idle(START_MS - 30 * SECOND, START_MS, plugged=True)
    true = [Shown(moment, 9_099_480 + 830 * moment // 120, 2_490) for moment in range(0, 121, 15)]
    gun.charge(told.number, START_MS, [Shown(0, 0, 0), *(one._replace(at_s=one.at_s + 15) for one in true)])
    end_ms = START_MS + 135 * SECOND
    if with_record:
        gun.record(end_ms + 5 * SECOND, told.number, START_MS, end_ms, energy_e4kwh=9_100_310, after_e4kwh=9_100_310)
    gun.idle(end_ms + 5 * SECOND, end_ms + 5 * MINUTE)
    gun.heartbeats(end_ms + 5 * MINUTE, end_ms + 50 * MINUTE)
    told.lines = gun.lines
    return told


def mixed_registers_of_aaf5(pile: str) -> Told:
    """MicroOcpp #66, #73: the start was the lifetime register, the end the session's own counter: -4,076 kWh."""
    told = Told(f"{pile}-4076", 24_40 * 100)
    gun = Aaf5Story(pile)
    gun.login(START_MS - MINUTE)
    shown = rising(1_464, 60_000, base_e4kwh=BEFORE)
    mixed = [one if one.at_s < 30 else one._replace(register_e4kwh=one.register_e4kwh - BEFORE) for one in shown]
    gun.charge(told.number, START_MS, mixed, before_e4kwh=BEFORE)
    end_ms = START_MS + 1_464 * SECOND
    gun.record(
        end_ms + 5 * SECOND, told.number, START_MS, end_ms, energy_e4kwh=0, before_e4kwh=BEFORE, after_e4kwh=24_40 * 100
    )
    gun.idle(end_ms + 15 * SECOND, end_ms + 50 * MINUTE)
    told.lines = gun.lines
    return told


def mixed_registers_of_ykc(pile: str) -> Told:
    """The same where the counter shows the register first and counts the session afterwards."""
    told = Told(ykc_number(pile), 24_40 * 100)
    gun = YkcStory(pile)
    gun.login(START_MS - MINUTE)
    gun.idle(START_MS - 30 * SECOND, START_MS, plugged=True)
    shown = rising(1_464, 60_000, quantum_e4kwh=1)
    gun.charge(told.number, START_MS, [*(one._replace(register_e4kwh=BEFORE) for one in shown[:2]), *shown[2:]])
    end_ms = START_MS + 1_464 * SECOND
    gun.idle(end_ms + 5 * SECOND, end_ms + 5 * MINUTE)
    gun.heartbeats(end_ms + 5 * MINUTE, end_ms + 50 * MINUTE)
    told.lines = gun.lines
    return told


def counting_from_zero_after_a_restart(pile: str) -> tuple[Told, Told, Told]:
    """A charger whose register is 0 after each restart: a charge before, one over a restart, and one after it.

    The charge after the restart was billed as 939 kWh, from the 0 that the register restarted with to what it stood at.
    """
    before, over, after = Told(f"{pile}-1", 12 * KWH), Told(f"{pile}-2", 20 * KWH), Told(f"{pile}-3", 10 * KWH)
    gun = Aaf5Story(pile)
    gun.login(START_MS - MINUTE)
    base = 919_40 * 100
    before_end_ms = START_MS + 720 * SECOND
    gun.charge(before.number, START_MS, rising(720, 60_000, base_e4kwh=base), before_e4kwh=base)
    gun.record(
        before_end_ms + 5 * SECOND, before.number, START_MS, before_end_ms, energy_e4kwh=12 * KWH, before_e4kwh=base
    )
    gun.idle(before_end_ms + 20 * SECOND, before_end_ms + 5 * MINUTE, meter_now=931_40)
    over_ms = START_MS + 60 * MINUTE
    base += 12 * KWH
    gun.charge(over.number, over_ms, rising(480, 60_000, base_e4kwh=base), before_e4kwh=base)
    gun.login(over_ms + 490 * SECOND)
    restarted = [one._replace(at_s=one.at_s + 495) for one in rising(720, 60_000)]
    gun.charge(over.number, over_ms, restarted, before_e4kwh=base)
    over_end_ms = over_ms + 1_215 * SECOND
    gun.record(
        over_end_ms + 5 * SECOND, over.number, over_ms, over_end_ms,
        energy_e4kwh=0, before_e4kwh=base, after_e4kwh=12 * KWH,
    )  # fmt: skip
    gun.idle(over_end_ms + 20 * SECOND, over_end_ms + 5 * MINUTE, meter_now=12_00)
    after_ms = START_MS + 120 * MINUTE
    gun.login(after_ms - 30 * SECOND)
    gun.idle(after_ms - 20 * SECOND, after_ms, plugged=True)
    gun.charge(after.number, after_ms, rising(600, 60_000))
    after_end_ms = after_ms + 600 * SECOND
    gun.record(after_end_ms + 5 * SECOND, after.number, after_ms, after_end_ms, energy_e4kwh=10 * KWH)
    gun.idle(after_end_ms + 20 * SECOND, after_end_ms + 5 * MINUTE, meter_now=10_00)
    before.lines = gun.lines
    return before, over, after


def zero_begin_after_a_restart(pile: str) -> Told:
    """The begin was read as 0 right after the restart, then the meter answered with its true 939 kWh."""
    told = Told(f"{pile}-0939", 939_20 * 100 - 924_20 * 100)
    gun = Aaf5Story(pile)
    gun.login(START_MS - MINUTE)
    shown = rising(900, 60_000, base_e4kwh=924_20 * 100)
    gun.charge(told.number, START_MS, [one._replace(register_e4kwh=0) if one.at_s < 45 else one for one in shown])
    end_ms = START_MS + 900 * SECOND
    gun.record(end_ms + 5 * SECOND, told.number, START_MS, end_ms, energy_e4kwh=939_20 * 100)
    gun.idle(end_ms + 15 * SECOND, end_ms + 5 * MINUTE, meter_now=939_20)
    told.lines = gun.lines
    return told


def above_the_final_register(pile: str, rise_e4kwh: int) -> tuple[Told, Told]:
    """lbbrhzn/ocpp #1069: the register goes on after the stop; the next charge begins where it came to rest."""
    first, second = Told(f"{pile}-1", 15 * KWH + rise_e4kwh), Told(f"{pile}-2", 10 * KWH)
    gun = Aaf5Story(pile)
    gun.login(START_MS - MINUTE)
    base = 5_000 * KWH
    rest = base + 15 * KWH + rise_e4kwh
    end_ms = START_MS + 900 * SECOND
    gun.charge(first.number, START_MS, rising(900, 60_000, base_e4kwh=base), before_e4kwh=base)
    gun.record(end_ms + 3 * SECOND, first.number, START_MS, end_ms, energy_e4kwh=15 * KWH, before_e4kwh=base)
    gun.idle(
        end_ms + 10 * SECOND, end_ms + 2 * MINUTE, state=FINISHED, plugged=True, serial=first.number,
        meter_before=base // 100, meter_now=rest // 100, energy=(rest - base) // 100,
    )  # fmt: skip
    gun.idle(end_ms + 2 * MINUTE, end_ms + 10 * MINUTE, meter_now=rest // 100)
    again_ms = START_MS + 40 * MINUTE
    again_end_ms = again_ms + 600 * SECOND
    gun.charge(second.number, again_ms, rising(600, 60_000, base_e4kwh=rest), before_e4kwh=rest)
    gun.record(
        again_end_ms + 3 * SECOND, second.number, again_ms, again_end_ms, energy_e4kwh=10 * KWH, before_e4kwh=rest
    )
    gun.idle(again_end_ms + 15 * SECOND, again_end_ms + 5 * MINUTE, meter_now=(rest + 10 * KWH) // 100)
    first.lines = gun.lines
    return first, second


def behind_for_ever(pile: str) -> tuple[Told, Told]:
    """The register falls by 10 kWh in a power loss and stays behind: a charge over it, and the next one."""
    over, after = Told(f"{pile}-1", 20_40 * 100), Told(f"{pile}-2", 10 * KWH)
    gun = Aaf5Story(pile)
    gun.login(START_MS - MINUTE)
    base = 5_000 * KWH
    shown = rising(744, 60_000, base_e4kwh=base)
    lost = [one._replace(at_s=one.at_s + 764) for one in rising(480, 60_000, base_e4kwh=5_002_40 * 100)]
    end_ms = START_MS + 1_244 * SECOND
    gun.charge(over.number, START_MS, [*shown, *lost], before_e4kwh=base)
    gun.record(end_ms + 3 * SECOND, over.number, START_MS, end_ms, energy_e4kwh=10_40 * 100, before_e4kwh=base)
    gun.idle(end_ms + 15 * SECOND, end_ms + 5 * MINUTE, meter_now=5_010_40)
    again_ms, rest = START_MS + 60 * MINUTE, 5_010_40 * 100
    again_end_ms = again_ms + 600 * SECOND
    gun.charge(after.number, again_ms, rising(600, 60_000, base_e4kwh=rest), before_e4kwh=rest)
    gun.record(
        again_end_ms + 3 * SECOND, after.number, again_ms, again_end_ms, energy_e4kwh=10 * KWH, before_e4kwh=rest
    )
    gun.idle(again_end_ms + 15 * SECOND, again_end_ms + 5 * MINUTE, meter_now=5_020_40)
    over.lines = gun.lines
    return over, after


PLACEHOLDERS: Final = {
    "aaf5": placeholder_of_aaf5("44011300040000910001", with_record=True),
    "aaf5, no record": placeholder_of_aaf5("44011300040000910002", with_record=False),
    "ykc": placeholder_of_ykc("44011300091001", with_record=True),
    "ykc, no record": placeholder_of_ykc("44011300091002", with_record=False),
}
MIXED: Final = {
    "aaf5": mixed_registers_of_aaf5("44011300040000407601"),
    "ykc": mixed_registers_of_ykc("44011300040761"),
}
RESTARTED: Final = counting_from_zero_after_a_restart("44011300040000939001")
ZERO_BEGIN: Final = zero_begin_after_a_restart("44011300040000939002")
LITTLE_ABOVE: Final = above_the_final_register("44011300040000106901", 500)
FAR_ABOVE: Final = above_the_final_register("44011300040000106902", 3_000)
BEHIND: Final = behind_for_ever("44011300040000500001")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, clickhouse: ClickHouseAddress) -> Iterator[Replayed]:
    """All of them in one capture, at chargers that nobody planned."""
    told = [*PLACEHOLDERS.values(), *MIXED.values(), *RESTARTED, ZERO_BEGIN, *LITTLE_ABOVE, *FAR_ABOVE, *BEHIND]
    lines = [line for one in told for line in one.lines]
    with replayed(tmp_path_factory.mktemp("public"), clickhouse, lines) as here:
        yield here


def right_or_held(here: Replayed, told: Told) -> bool:
    """Whether the bill is held; else it is right. In either case the truth is in the interval, and nothing absurd."""
    bill, session = here.bill(told.number), here.session(told.number)
    final, low, high = (e4(bill[name]) for name in ("final_energy_kwh", "low_kwh", "high_kwh"))
    longest_s = (session["end_high_ms"] - session["start_ms"]) // SECOND + 60
    assert low <= told.true_e4kwh <= high, bill
    assert 0 <= final <= PMAX_W * longest_s // 360
    if not bill["held"]:
        assert abs(final - told.true_e4kwh) <= max(told.true_e4kwh // 200, session["quantum_e4kwh"]), bill
    return bool(bill["held"])


@pytest.mark.parametrize("kind", PLACEHOLDERS)
def test_a_placeholder_of_zero_is_not_910_kwh(here: Replayed, kind: str) -> None:
    told = PLACEHOLDERS[kind]
    assert here.session(told.number)["naive_energy_e4kwh"] in (9_100_300, 9_100_310), "what was billed there"
    held = right_or_held(here, told)
    bill = here.bill(told.number)
    assert abs(e4(bill["final_energy_kwh"]) - told.true_e4kwh) <= 100
    if bill["pile_energy_kwh"] is not None:
        assert held and 4 in bill["codes_raw"], "the charger's own 910 kWh are shown to a person"


def test_a_record_that_bills_the_whole_register_is_named(here: Replayed) -> None:
    assert here.bill(PLACEHOLDERS["aaf5"].number)["causes"] == ["ZERO_BASELINE"]


@pytest.mark.parametrize("protocol", MIXED)
def test_a_lifetime_register_mixed_with_a_session_counter_is_not_minus_4076_kwh(here: Replayed, protocol: str) -> None:
    told = MIXED[protocol]
    assert here.session(told.number)["naive_energy_e4kwh"] // KWH in (-4_076, -4_077), "what was billed there"
    right_or_held(here, told)


def test_a_charge_over_a_restart_that_counts_from_zero(here: Replayed) -> None:
    before, over, _after = RESTARTED
    assert not right_or_held(here, before)
    assert here.session(over.number)["naive_energy_e4kwh"] < -900 * KWH
    assert right_or_held(here, over), "nobody can tell what flowed while the charger restarted"


def test_a_charge_after_a_restart_counts_from_zero_and_is_not_939_kwh(here: Replayed) -> None:
    _before, _over, after = RESTARTED
    right_or_held(here, after)
    assert here.bill(after.number)["final_energy_kwh"] == "10.0000"


def test_a_begin_of_zero_after_a_restart_is_not_939_kwh(here: Replayed) -> None:
    assert here.session(ZERO_BEGIN.number)["naive_energy_e4kwh"] == 939_20 * 100
    assert here.bill(ZERO_BEGIN.number)["pile_energy_kwh"] == "939.2000"
    assert right_or_held(here, ZERO_BEGIN), "its record says 939 kWh: a person looks at it"


def test_a_value_after_the_stop_a_little_above_the_final_register_changes_nothing(here: Replayed) -> None:
    for told in LITTLE_ABOVE:
        assert not right_or_held(here, told)
        bill = here.bill(told.number)
        assert (bill["codes"], bill["final_energy_kwh"]) == ([], bill["pile_energy_kwh"])


def test_a_value_after_the_stop_far_above_the_final_register_is_neither_lost_nor_counted_twice(here: Replayed) -> None:
    first, second = FAR_ABOVE
    assert right_or_held(here, first), "the record lacks what flowed after the stop"
    bill = here.bill(first.number)
    assert (bill["codes"], bill["pile_energy_kwh"], bill["final_energy_kwh"]) == ([8], "15.0000", "15.3000")
    assert not right_or_held(here, second)
    assert here.bill(second.number)["codes"] == []


def test_a_register_that_stays_behind_after_a_power_loss_is_held_once_and_clean_ever_after(here: Replayed) -> None:
    over, after = BEHIND
    assert here.session(over.number)["naive_energy_e4kwh"] == 10_40 * 100, "half of what was taken"
    assert right_or_held(here, over)
    assert not right_or_held(here, after)
    bill = here.bill(after.number)
    assert (bill["quality"], bill["codes_raw"], bill["codes"]) == ("VALID", [], [])
