"""What an AAF5 charger knows of one charge: its registers, its times by its own clock, its number."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet import records
from benchmarks.fleet.accounts import decimal_card
from benchmarks.fleet.charge import NOT_ASKED, START_BY_APP, Charge
from benchmarks.fleet.faults import Fault, apply_glitches
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.traits import Aaf5Traits
from core.aaf5.bcd_time import ms_to_bcd8
from core.aaf5.session_no import session_number

E4_PER_E2: Final = 100
LOCAL_CARD: Final = 0
BACKEND: Final = 1
LOCAL_ADMINISTRATOR: Final = 2
ADMINISTRATOR_EVERY: Final = 25
USER_IDS: Final = 50_000
SERIAL_CHARACTERS: Final = 32


class Aaf5Session(msgspec.Struct, frozen=True):
    """One charge as its charger shows it. `clock_error_ms`: how far its clock was ahead when the charge began.

    `serial` is empty where the firmware sends none. `user_id` is the first number of the order that started it.
    """

    charge: Charge
    traits: Aaf5Traits
    clock_error_ms: int = 0
    serial: str = ""
    user_id: int = 0
    card: str = ""

    @property
    def start_ms(self) -> int:
        """The start by its own clock."""
        charge = self.charge
        error_ms = self.clock_error_ms
        if charge.fault is Fault.CLOCK_OFF:
            error_ms += records.CLOCK_ERROR_MS if charge.salt % 2 else -records.CLOCK_ERROR_MS
        return charge.start_ms + error_ms

    @property
    def end_ms(self) -> int:
        """The end by its own clock, or before the start for `RECORD_END_BEFORE_START`."""
        if self.charge.fault is Fault.RECORD_END_BEFORE_START:
            return self.start_ms - 5 * 60_000
        return self.start_ms + self.charge.end_ms - self.charge.start_ms

    @property
    def start_time(self) -> bytes:
        """The start as BCD8."""
        return ms_to_bcd8(self.start_ms, self.charge.pile.zone)

    @property
    def number(self) -> str:
        """The session's number as the platform knows it."""
        charge = self.charge
        gun_no = charge.pile.plain_gun_no(charge.connector)
        return session_number(charge.pile.code, gun_no, self.serial, self.start_time)

    @property
    def start_mode(self) -> int:
        """0 card, 1 platform, 2 administrator: no more are known (aaf5.md section 4)."""
        charge = self.charge
        if charge.start_mode == START_BY_APP:
            return BACKEND
        by_hand = charge.asks_by == NOT_ASKED and charge.salt % ADMINISTRATOR_EVERY == 0
        return LOCAL_ADMINISTRATOR if by_hand else LOCAL_CARD

    @property
    def meter_before_e2kwh(self) -> int:
        """The register at the start, as told; 0 when the meter was not heard yet."""
        if self.charge.fault is Fault.METER_ZERO_BEFORE_START:
            return 0
        return self.charge.meter_start_e4kwh // E4_PER_E2

    def register_e2kwh(self, times_ms: IntArray) -> IntArray:
        """The absolute register at each moment of the charge, with its lies."""
        charge = self.charge
        register = charge.meter_start_e4kwh + charge.energy_at(times_ms)
        if charge.glitches:
            starts = np.array([glitch.from_ms for glitch in charge.glitches], dtype=np.int64)
            at_start = charge.meter_start_e4kwh + charge.energy_at(starts)
            register = apply_glitches(charge.glitches, times_ms, register, at_start)
        return register // E4_PER_E2


def session_of(
    charge: Charge, traits: Aaf5Traits, *, clock_error_ms: int = 0, serial: str = "", user_id: int = 0, card: str = ""
) -> Aaf5Session:
    """The session of a charge as planned, or as an order gave it a serial, a user and a card."""
    by_app = charge.start_mode == START_BY_APP
    if traits.serial and not serial:
        serial = charge.trade_no[:SERIAL_CHARACTERS]
    if by_app and not user_id:
        user_id = 1 + charge.salt % USER_IDS
    if not card:
        card = str(user_id) if by_app else decimal_card(charge.physical_card)
    return Aaf5Session(charge, traits, clock_error_ms, serial if traits.serial else "", user_id, card)
