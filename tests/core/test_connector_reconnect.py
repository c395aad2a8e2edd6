"""A connector whose charger logs in again: what its new connection may go on with, and what it may not end."""

import pytest

from core.connector import (
    EVENT_BILLED,
    EVENT_CHARGING,
    EVENT_FIRST_SEEN,
    EVENT_REGISTER_BROKEN,
    EVENT_STOPPED,
    ConnectorCycle,
)
from core.meter.profile import MeterProfile

T0 = 1_752_645_600_000
STEP_MS = 15_000
POWER_W = 60_000
STEP_E4KWH = POWER_W * STEP_MS // 360_000
TRADE = "32010600019236012607160800000001"
OTHER = "32010600019236012607160800000002"
TEXT = "44011300040000200061-1-20261122062640"
IDLE, CHARGING = 2, 3


class Charger:
    """A charge of one connector, reading by reading."""

    def __init__(self, register_kind: str = "session", start_e4kwh: int = 0, digits: int = 0) -> None:
        profile = MeterProfile(register_kind, 100, 180_000, digits=digits)  # type: ignore[arg-type]
        self.cycle = ConnectorCycle(profile)
        self.start_e4kwh = start_e4kwh
        self.modulus = 10 ** (digits + 4) if digits else 1 << 62
        self.steps = 0

    def read(self, steps: int = 1, *, trade_no: str = TRADE, state: int = CHARGING, lost_e4kwh: int = 0) -> int:
        events = 0
        for _ in range(steps):
            self.steps += 1
            register = (self.start_e4kwh + self.steps * STEP_E4KWH - lost_e4kwh) % self.modulus
            at_ms = T0 + self.steps * STEP_MS
            events |= self.cycle.take(at_ms, state, 1, trade_no, register, POWER_W, self.steps // 4)
        return events


@pytest.mark.parametrize(("kind", "start"), [("session", 0), ("lifetime", 10**9)])
def test_the_same_charge_whose_register_goes_on_is_gone_on_with(kind: str, start: int) -> None:
    charger = Charger(kind, start)
    charger.read(20)
    before = charger.cycle.accepted_e4kwh
    charger.cycle.reconnected()
    assert charger.read() == 0
    assert charger.cycle.accepted_e4kwh == before + STEP_E4KWH
    assert charger.read(state=IDLE) == EVENT_STOPPED  # this connection has shown that the charge is its own


@pytest.mark.parametrize(("kind", "start"), [("session", 0), ("lifetime", 10**9)])
def test_a_register_that_fell_by_more_than_a_step_is_measured_anew(kind: str, start: int) -> None:
    charger = Charger(kind, start)
    charger.read(20)
    charger.cycle.reconnected()
    assert charger.read(lost_e4kwh=STEP_E4KWH + 100) == 0
    charger.cycle.reconnected()
    assert charger.read(lost_e4kwh=5 * STEP_E4KWH) == EVENT_REGISTER_BROKEN
    assert charger.cycle.trade_no == TRADE
    assert charger.cycle.accepted_e4kwh == (17 * STEP_E4KWH if kind == "session" else 0)
    assert charger.read(lost_e4kwh=5 * STEP_E4KWH) == 0


def test_a_register_that_ran_over_its_last_digit_goes_on() -> None:
    charger = Charger("lifetime", 10**10 - 20 * STEP_E4KWH, digits=6)
    charger.read(19)
    charger.cycle.reconnected()
    assert charger.read(2) == 0
    assert charger.cycle.accepted_e4kwh == 20 * STEP_E4KWH


def test_another_charge_begins_beside_the_open_one() -> None:
    charger = Charger()
    charger.read(20)
    charger.cycle.reconnected()
    assert charger.read(trade_no=OTHER) == EVENT_CHARGING
    assert (charger.cycle.trade_no, charger.cycle.accepted_e4kwh) != (TRADE, 21 * STEP_E4KWH)
    assert charger.read(trade_no=TRADE) == EVENT_CHARGING | EVENT_STOPPED  # now it speaks of its own


def test_idle_readings_end_nothing_until_one_charges() -> None:
    charger = Charger()
    charger.read(20)
    charger.cycle.reconnected()
    assert charger.read(3, state=IDLE) == 0
    assert charger.cycle.life_name == "charging"
    assert charger.read() == 0
    assert charger.read(state=IDLE) == EVENT_STOPPED


def test_the_record_of_a_charge_that_ended_unseen_closes_it() -> None:
    charger = Charger()
    charger.read(20)
    charger.cycle.reconnected()
    charger.read(state=IDLE)
    assert charger.cycle.billed(TRADE, T0) == EVENT_BILLED
    assert charger.cycle.life_name == "billed"


def test_a_first_connection_has_nothing_to_prove() -> None:
    charger = Charger()
    charger.cycle.reconnected()
    assert charger.read() == EVENT_FIRST_SEEN | EVENT_CHARGING
    assert charger.read(state=IDLE) == EVENT_STOPPED


def test_a_session_s_number_need_not_be_hex_digits() -> None:
    charger = Charger()
    assert charger.cycle.started(TEXT, T0) != 0
    assert charger.cycle.started(TEXT, T0) == 0
    assert charger.cycle.billed(TEXT, T0) == EVENT_BILLED
