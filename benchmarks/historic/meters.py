"""What a charger shows and records of its meter: the true value, and what its causes make of it."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.historic.charges import E4_PER_E2, Charges, Ints
from benchmarks.historic.fleet import ZONE_OFFSET_MS
from benchmarks.historic.moments import Moments, readings_of

HALF_HOUR_MS: Final = 1_800_000
HALF_HOURS: Final = 48


class Shown(msgspec.Struct):
    """Of each moment, in 0.01 kWh: the absolute register, and the energy of the charge as the charger counts it."""

    register_e2kwh: Ints
    counter_e2kwh: Ints


class Recorded(msgspec.Struct):
    """Of each charge, in 0.01 kWh: registers, energy, and its parts by the half-hours of the charger's day.

    A charge is over within an hour, so that it touches two half-hours at most: `first_slot` and the one after.
    """

    before_e2kwh: Ints
    after_e2kwh: Ints
    energy_e2kwh: Ints
    first_slot: Ints
    first_part_e2kwh: Ints
    second_part_e2kwh: Ints


def shown_at(charges: Charges, moments: Moments, quantum_e2kwh: int) -> Shown:
    """What the readings of the meter give at these moments, all of them readings of a charge."""
    of, number = moments.of, moments.number
    read_ms = np.minimum(moments.time_ms, charges.stop_ms[of] - charges.frozen_ms[of])
    register = _whole(charges.register_e4kwh(of, read_ms), quantum_e2kwh)
    counter = register - _whole(charges.base_e4kwh[of], quantum_e2kwh)
    counted = _whole(charges.base_e4kwh[of] + charges.energy_e4kwh(of, read_ms), quantum_e2kwh)
    counter = np.where(charges.shift_ms[of] > 0, counted - _whole(charges.base_e4kwh[of], quantum_e2kwh), counter)
    last = readings_of(charges)[of] - 1
    unread = (number < charges.zeros_first[of]) | (number > last - charges.zeros_last[of])
    spiked = np.where(number == 0, charges.spike_first_e2kwh[of], 0) + np.where(
        number == last, charges.spike_last_e2kwh[of], 0
    )
    return Shown(np.where(unread, 0, register + spiked), np.where(unread, 0, counter + spiked))


def shown_after(charges: Charges, of: Ints, quantum_e2kwh: int) -> Shown:
    """What is shown once the charge is over: the meter is read in peace then."""
    recorded = recorded_of(charges, quantum_e2kwh)
    register = _whole(charges.register_e4kwh(of, charges.stop_ms[of]), quantum_e2kwh)
    return Shown(register, recorded.energy_e2kwh[of])


def before_e2kwh(charges: Charges, quantum_e2kwh: int) -> Ints:
    """Where the register stood when each charge began."""
    return _whole(charges.base_e4kwh, quantum_e2kwh)


def recorded_of(charges: Charges, quantum_e2kwh: int) -> Recorded:
    """What the record says; the billing board counts to 0.01 kWh also where the meter shows whole kWh."""
    every = np.arange(len(charges))
    true_before = charges.base_e4kwh // E4_PER_E2
    counted = charges.base_e4kwh + charges.energy_e4kwh(every, charges.stop_ms)
    true_energy = counted // E4_PER_E2 - true_before
    before = np.where(charges.whole_register, 0, before_e2kwh(charges, quantum_e2kwh))
    after = _whole(charges.register_e4kwh(every, charges.stop_ms), quantum_e2kwh)
    told = true_energy + charges.added_e2kwh
    total = np.where(charges.whole_register, after, told)
    total = np.where(charges.parts_off, told * 11 // 10, total)
    begin_ms = charges.first_ms + charges.clock_ms + ZONE_OFFSET_MS
    border_ms = (begin_ms // HALF_HOUR_MS + 1) * HALF_HOUR_MS - charges.clock_ms - ZONE_OFFSET_MS
    until_border = charges.base_e4kwh + charges.energy_e4kwh(every, np.minimum(border_ms, charges.stop_ms))
    first_part = until_border // E4_PER_E2 - true_before
    first_part = first_part * told // np.maximum(true_energy, 1)
    there = ~charges.zero_record
    return Recorded(
        before,
        after * there,
        total * there,
        begin_ms // HALF_HOUR_MS % HALF_HOURS,
        first_part * there,
        (told - first_part) * there,
    )


def _whole(register_e4kwh: Ints, quantum_e2kwh: int) -> Ints:
    """As the meter's last digit allows, in 0.01 kWh."""
    register: Ints = register_e4kwh // (E4_PER_E2 * quantum_e2kwh) * quantum_e2kwh
    return register
