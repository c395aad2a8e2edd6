"""What a charger says of a charge beside its register: when it began, where the register stood, what it counted."""

from typing import NamedTuple

import numpy as np

from core.meter.measured_figure import RegisterFacts
from core.meter.profile import MeterProfile
from core.meter.reading_times import LONGEST_CHARGE_MINUTES, MINUTE_MS, counted_begin_ms
from core.meter.readings import Bools, Int64s, ReadingArrays
from core.meter.seen_power import energy_by_power, flowed_before

SAME_COUNT_E4KWH = 500  # max(0.05 kWh, one quantum): aaf5.md section 4


class UnreadEnd(NamedTuple):
    """What a charger told of power while its meter was mute at the end of the charge.

    `flowed_e4kwh`: so much until `heard_until_ms`, when power was told for the last time: `power_w`.
    """

    flowed_e4kwh: int
    heard_until_ms: int
    power_w: int


def unread_end(charged: ReadingArrays, trusted_until_ms: int, trusted_e4kwh: int) -> UnreadEnd:
    """`charged`: the charging readings in the order of time, at least one; the register was last trusted at that value.

    A reading in which power is 0 as the register is told neither: the meter did not answer, and energy may flow on.
    A word above that value is false as a zero is. One below it is no word of a mute meter: it may have come late, and
    stand for an earlier moment.
    """
    tells = (charged.power_w > 0) | (charged.counter_e4kwh > 0)
    heard = np.flatnonzero(tells | (charged.event_ms <= trusted_until_ms))
    last = int(heard[-1]) if len(heard) else 0
    too_high = (charged.counter_e4kwh > trusted_e4kwh) & (charged.event_ms > trusted_until_ms)
    shown = charged.event_ms[(charged.counter_e4kwh > 0) & ~too_high]
    # A zero that was taken for the register's own (over its last digit) may be the mute meter's.
    zero_is_trusted = trusted_e4kwh == 0
    shown_ms = int(shown[-1]) if len(shown) else 0
    mute_from_ms = shown_ms if shown_ms and zero_is_trusted else max(trusted_until_ms, shown_ms)
    since = heard[charged.event_ms[heard] >= mute_from_ms]
    flowed = energy_by_power(charged.event_ms[since], np.maximum(charged.power_w[since], 0))
    return UnreadEnd(flowed, int(charged.event_ms[last]), max(0, int(charged.power_w[last])))


def chargebegan_ms(event_ms: int, charge_minutes: int) -> int:
    """The earliest begin of a charge of which a reading says that it has lasted so many whole minutes."""
    return event_ms - (min(max(0, charge_minutes), LONGEST_CHARGE_MINUTES) + 1) * MINUTE_MS


def begin_ms(readings: ReadingArrays, first: int, profile: MeterProfile) -> int:
    """When the charge began, as its first reading tells; an absolute register without a time of its own does not."""
    event_ms = int(readings.event_ms[first])
    if readings.device_timed[first]:
        return event_ms - int(readings.duration_s[first]) * 1_000
    minutes = int(readings.charge_minutes[first])
    if profile.register_kind == "session":
        return chargebegan_ms(event_ms, minutes)
    return chargebegan_ms(event_ms, minutes) if minutes > 0 else counted_begin_ms(readings, event_ms)


def start_told(kept: ReadingArrays, charging: Bools) -> int:
    """What most charging readings say of the register at the begin of the charge, 0 = they say nothing."""
    told = kept.before_e4kwh[charging & (kept.before_e4kwh > 0)]
    if not len(told):
        return 0
    if (told == told[0]).all():
        return int(told[0])
    values, times = np.unique(told, return_counts=True)
    return int(values[np.argmax(times)])


def stands_above_zero(
    charged: ReadingArrays, began_ms: int, facts: RegisterFacts, told_start: int, profile: MeterProfile
) -> bool:
    """Whether a zero is never the register's first true value; one that restarts with the charger may show it.

    So may one that has fallen since it was last known, and shows no more than flowed by the power beside it: that it
    may have flowed proves nothing, since a register that was replaced also begins low.
    """
    before = 0 if profile.register_kind == "boot" else facts.previous_end_e4kwh
    if before and _counts_from_zero(charged, began_ms, before, 2 * profile.quantum_e4kwh):
        before = 0
    return max(before, told_start) > 2 * profile.quantum_e4kwh


def _counts_from_zero(charged: ReadingArrays, began_ms: int, previous_end_e4kwh: int, play_e4kwh: int) -> bool:
    above = np.flatnonzero(charged.counter_e4kwh > 0)
    if not len(above):
        return False
    first, at_ms = int(charged.counter_e4kwh[above[0]]), int(charged.event_ms[above[0]])
    flowed = flowed_before(charged, began_ms, at_ms)
    if flowed is None or first >= previous_end_e4kwh - play_e4kwh:
        return False
    return first <= flowed.allowed_e4kwh + flowed.play_e4kwh + play_e4kwh


def own_count(kept: ReadingArrays, charging: Bools, profile: MeterProfile) -> Int64s | None:
    """The charger's own count of the charge beside its absolute register, None where there is none.

    It is a second witness only where it counts by itself: an energy that always equals meter_now - meter_before is the
    register once more (metering.md, "The final figure"). Nor is one that equals a register which began at 0.
    """
    if profile.register_kind == "session" or not kept.session_e4kwh.any():
        return None
    shown = charging & (kept.counter_e4kwh > 0)
    differs = np.abs(kept.session_e4kwh - (kept.counter_e4kwh - kept.before_e4kwh)) > max(
        SAME_COUNT_E4KWH, profile.quantum_e4kwh
    )
    return np.where(charging, kept.session_e4kwh, -1) if bool((shown & differs).any()) else None


def counted_at(kept: ReadingArrays, count: Int64s | None, at_ms: int) -> int:
    """What the charger's own count said when its register was first read, -1 = nothing that can be used."""
    if count is None:
        return -1
    at = np.flatnonzero((kept.event_ms == at_ms) & kept.charging)
    return int(count[at[0]]) if len(at) else -1


def took_whole_register(charged: ReadingArrays, profile: MeterProfile) -> bool:
    """The charger says that it began at 0 and delivered all that its register shows."""
    if profile.register_kind == "session" or charged.before_e4kwh.any():
        return False
    last = len(charged) - 1
    energy, register = int(charged.session_e4kwh[last]), int(charged.counter_e4kwh[last])
    return energy > 0 and abs(energy - register) <= 2 * profile.quantum_e4kwh
