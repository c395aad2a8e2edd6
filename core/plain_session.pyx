# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The ordinary charge in one pass over its columns: what `evaluate_session` says where nothing is amiss.

Most charges have steady readings of a session counter, one tariff in each half-hour and a record that fits. Then all of
`core.meter.measurement` and `core.meter.final_figure` comes down to a few sums, with the same calculator deciding about
each reading. Whatever raises a flag, or comes near to where one of these rules looks closer, is *not taken*: it is left
to `evaluate_session`. Taking too little costs time; taking what is not ordinary would cost money, so each condition
here is the rule's own or a stricter one.

Energies are 1e-4 kWh, times epoch ms.
"""

import numpy as np

from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport llabs

from core.meter.calculator cimport MeterCalculator
from core.meter.meter_limits cimport W_MS_PER_E4KWH, energy_at_pmax
from core.plain_readings cimport (
    HIGHEST_TAKEN,
    Rows,
    Sums,
    came_at_their_pace,
    has_a_frame_twice,
    may_be_in_another_unit,
    may_count_the_charge_before,
    may_have_a_lasting_step,
    sum_up,
)
from core.plain_slots cimport ALL_CLASSES, CLASSES, MOST_SLOTS, SLOTS_A_DAY, Shared, Tariffs, class_mask, share_out

cdef enum:
    MINUTE_MS = 60000
    STARTING_AND_STOPPING_MS = 60000
    LONGEST_MASKED_MS = 82800000    # analytics.class_mask
    POWER_SHARE = 10                # core.meter.seen_power
    POWER_E4KWH = 1000
    PLAY_MS = 15000
    COARSE_SHARE = 20
    LEAST_PLAY_E4KWH = 1000         # core.meter.final_figure
    POWER_SHARED = 2

cdef extern from *:
    """
    #define LAST_MASKED_MS 4398046511104LL          /* 2**42, analytics.class_mask */
    #define ALL_HALF_HOURS 281474976710655LL
    """
    const int64_t LAST_MASKED_MS
    const int64_t ALL_HALF_HOURS

GIVEN = (
    "row_from", "row_to", "meter", "timeline", "after_ms", "bill_receive_ms", "bill_start_ms", "bill_end_ms",
    "bill_net_e4kwh", "class_energy_0", "class_energy_1", "class_energy_2", "class_energy_3", "class_price_0",
    "class_price_1", "class_price_2", "class_price_3", "tolerance_e4kwh", "tolerance_share_e4", "part_margin_ms",
)
"""What must be known of a charge, a column each. `row_from`, `row_to`: its rows; `meter`: place in `calculators`;
`timeline`: row of `slot_version`; `bill_net_e4kwh` is `PileBill.net_energy_e4kwh`."""

FOUND = (
    "start_ms", "end_ms", "end_high_ms", "began_ms", "naive_energy_e4kwh", "best_e4kwh", "low_e4kwh", "high_e4kwh",
    "power_energy_e4kwh", "power_over_1kw_ms", "longest_gap_ms", "begin_missed_e4kwh", "life", "bill_class_mask",
    "bill_half_hour_mask", "slot_method", "slots",
)
"""What comes out. `life`: 0 ended, 1 ended_offline; `slot_method`: a place in `SLOT_METHODS`; `slots`: their number."""
SLOT_METHODS = ("bill_classes", "measured", "linear")
SLOTS_AT_MOST = MOST_SLOTS

cdef enum:
    ROW_FROM, ROW_TO, METER, TIMELINE, AFTER, BILL_RECEIVE, BILL_START, BILL_END, BILL_NET, CLASS_ENERGY
    CLASS_PRICE = 13
    TOLERANCE = 17
    TOLERANCE_SHARE = 18
    PART_MARGIN = 19

cdef enum:
    START, END, END_HIGH, BEGAN, NAIVE, BEST, LOW, HIGH, POWER, STRONG_MS, LONGEST_GAP, BEGIN_MISSED, LIFE, CLASS_MASK
    HALF_HOUR_MASK, METHOD, SLOTS


cdef bint decide(
    MeterCalculator line, const Rows* rows, const Tariffs* tariffs, const int64_t* given, int64_t* found, int64_t* slots_out
) noexcept nogil:
    cdef int64_t first_ms, last_ms, began_ms, over_ms, end_high_ms, tail_ms, quantum, best, low, high, width, narrow
    cdef int64_t power, play, unseen_ms, most, bill, limit, tolerance, seen, shown_play, start_ms, end_ms
    cdef Sums sums
    cdef Shared shared
    cdef Py_ssize_t place
    if rows.size < 2:
        return False                # one word is checked by no other
    if not came_at_their_pace(rows) or rows.minutes[0] > 1 or has_a_frame_twice(rows):
        return False
    first_ms, last_ms = rows.at_ms[0], rows.at_ms[rows.size - 1]
    began_ms = first_ms - (<int64_t>rows.minutes[0] + 1) * MINUTE_MS
    bill = given[BILL_NET]
    if bill <= 0 or bill >= HIGHEST_TAKEN or began_ms <= 0:
        return False
    quantum = line.quantum
    sums = sum_up(rows, line.gap_ms)
    if may_be_in_another_unit(rows, sums.peak_w):
        return False
    if may_count_the_charge_before(rows, began_ms, quantum, sums.peak_w):
        return False

    line.restart(began_ms)
    for place in range(rows.size):
        line.take(rows.at_ms[place], rows.value[place], rows.power_w[place], -1)
        if line.flags:
            return False
    line.close()
    if line.flags or line.segments != 1 or line.forgiven or line.overcounted_e4kwh or line.has_doubt:
        return False
    if line.unsure_low_e4kwh or line.unsure_high_e4kwh or line.rested_e4kwh or line.unexplained_e4kwh:
        return False
    if line.frozen_e4kwh or line.frozen_high_e4kwh or line.reference_ms != last_ms:
        return False
    best = line.accepted_e4kwh
    if best != rows.value[rows.size - 1] or line.reference_value != best:
        return False

    # the end: analytics.session_measurement._over_by_ms
    over_ms = given[BILL_RECEIVE] if given[BILL_RECEIVE] > last_ms else 0
    if given[AFTER] > last_ms and (not over_ms or given[AFTER] < over_ms):
        over_ms = given[AFTER]
    if over_ms and over_ms - last_ms > line.gap_ms and given[BILL_END] + MINUTE_MS > last_ms:
        if given[BILL_END] + MINUTE_MS < over_ms and given[BILL_END]:
            over_ms = given[BILL_END] + MINUTE_MS
    end_high_ms = over_ms if over_ms > last_ms else last_ms
    tail_ms = end_high_ms - last_ms
    if tail_ms > line.gap_ms:
        return False

    # core.meter.measured_figure
    if best > energy_at_pmax(&line.meter, last_ms - began_ms + line.meter.tolerance_ms) + 2 * quantum:
        return False
    low = best - quantum if best > quantum else 0
    high = best + quantum + energy_at_pmax(&line.meter, tail_ms)
    power = line.power.twice_w_ms // (2 * W_MS_PER_E4KWH)
    unseen_ms = first_ms - began_ms + tail_ms
    if power:
        play = power // POWER_SHARE + line.power.play_twice_w_ms // (2 * W_MS_PER_E4KWH) + POWER_E4KWH
        most = power + play + energy_at_pmax(&line.meter, unseen_ms)
        if power - play > high or most < low or power - power // 20 - POWER_E4KWH > best:
            return False
        seen = sums.twice_w_ms // (2 * W_MS_PER_E4KWH)
        shown_play = seen // POWER_SHARE + POWER_E4KWH + sums.changed_twice_w_ms // (2 * W_MS_PER_E4KWH)
        shown_play += sums.peak_w * PLAY_MS // W_MS_PER_E4KWH
        if llabs(seen - (best - rows.value[0])) > quantum + shown_play:
            return False
        if quantum >= power // COARSE_SHARE and power - power // COARSE_SHARE - POWER_E4KWH > best:
            return False            # may lack what its last step does not explain (seen_power.lacking)
    if may_have_a_lasting_step(rows, quantum, best, sums.peak_w):
        return False

    # core.meter.final_figure: the record, confirmed
    tolerance = bill * given[TOLERANCE_SHARE] // 10000
    tolerance = tolerance if tolerance > given[TOLERANCE] else given[TOLERANCE]
    limit = energy_at_pmax(&line.meter, end_high_ms - began_ms + STARTING_AND_STOPPING_MS) + quantum
    if not low - tolerance <= bill <= high + tolerance or bill > limit:
        return False
    width = high - low
    narrow = best // 100 if best // 100 > 2 * quantum else 2 * quantum
    if width > narrow and (power or line.power.last_w):
        play = power // 20 + (quantum if quantum > LEAST_PLAY_E4KWH else LEAST_PLAY_E4KWH)
        if not power - play <= bill <= power + play + energy_at_pmax(&line.meter, unseen_ms):
            return False
        if bill > best + quantum + POWER_SHARED * line.power.last_w * tail_ms // W_MS_PER_E4KWH + tolerance:
            return False            # what it claims of the end is more than the last power makes likely

    # analytics.class_mask
    start_ms, end_ms = given[BILL_START], given[BILL_END]
    if not 0 < start_ms <= end_ms or end_ms > start_ms + LONGEST_MASKED_MS or end_ms > LAST_MASKED_MS:
        found[CLASS_MASK] = ALL_CLASSES
        found[HALF_HOUR_MASK] = ALL_HALF_HOURS
    else:
        found[CLASS_MASK] = class_mask(
            tariffs,
            start_ms - given[PART_MARGIN],
            end_ms + given[PART_MARGIN],
            &given[CLASS_PRICE],
            &found[HALF_HOUR_MASK],
        )
        if found[CLASS_MASK] < 0:
            return False
    if not share_out(rows, tariffs, bill, &given[CLASS_ENERGY], began_ms, &shared, slots_out):
        return False
    found[METHOD] = shared.method
    found[SLOTS] = shared.filled

    found[START] = first_ms
    found[END] = last_ms
    found[END_HIGH] = end_high_ms
    found[BEGAN] = began_ms
    found[NAIVE] = rows.value[rows.size - 1] - rows.value[0]
    found[BEST] = best
    found[LOW] = low
    found[HIGH] = high
    found[POWER] = power
    found[STRONG_MS] = sums.strong_ms
    found[LONGEST_GAP] = line.power.longest_step_ms
    found[BEGIN_MISSED] = rows.value[0]
    # analytics.session_life.life_of
    over_ms = given[BILL_RECEIVE] if given[BILL_RECEIVE] > last_ms else last_ms + 1
    if given[AFTER] > last_ms and given[AFTER] < over_ms:
        over_ms = given[AFTER]
    found[LIFE] = over_ms - last_ms > line.gap_ms
    return True


def decide_plain(
    calculators,
    const int64_t[::1] at_ms,
    const int64_t[::1] value_e4kwh,
    const uint8_t[::1] state,
    const int32_t[::1] power_w,
    const uint16_t[::1] minutes,
    const uint16_t[::1] seq,
    const int64_t[:, ::1] given,
    int64_t first_slot,
    const int16_t[:, ::1] slot_version,
    const uint8_t[:, ::1] slot_acknowledged,
    const uint8_t[:, ::1] slot_stale,
    const uint8_t[:, ::1] slot_of_day,
    const uint8_t[:, ::1] version_classes,
    const int64_t[:, ::1] version_prices,
):
    """Decide what is plain: (taken, found, slots), a row a charge.

    `calculators`: `MeterCalculator`s, one for each meter; they are used over. The columns hold the readings, those of a
    charge one behind the other. `given`: `GIVEN` of each charge. `slot_version`: for each timeline and half-hour, from
    `first_slot` (counted since the epoch) on, the row of `version_classes` (48) and `version_prices` (4, electricity
    and service) that prices it, -1 = none; `slot_acknowledged`, `slot_stale`, `slot_of_day` likewise.

    `taken` is 1 where `found` (`FOUND`) and `slots` (half-hour, its place in the day, energy) stand for what
    `evaluate_session` says, every flag and unit of it; 0 where that has to be asked. Raises ValueError where shapes or
    places do not fit.
    """
    cdef Py_ssize_t charges = given.shape[0]
    cdef Py_ssize_t size = at_ms.shape[0]
    cdef Py_ssize_t one
    cdef Rows rows
    cdef Tariffs tariffs
    cdef MeterCalculator line
    _check(size, (value_e4kwh.shape[0], state.shape[0], power_w.shape[0], minutes.shape[0], seq.shape[0]))
    if given.shape[1] != len(GIVEN):
        raise ValueError(f"{len(GIVEN)} columns must be given, got {given.shape[1]}")
    shapes = {
        (slot_version.shape[0], slot_version.shape[1]),
        (slot_acknowledged.shape[0], slot_acknowledged.shape[1]),
        (slot_stale.shape[0], slot_stale.shape[1]),
        (slot_of_day.shape[0], slot_of_day.shape[1]),
    }
    if len(shapes) != 1 or version_classes.shape[1] != SLOTS_A_DAY or version_prices.shape[1] != CLASSES:
        raise ValueError(f"tables of half-hours differ: {shapes}")
    if version_prices.shape[0] != version_classes.shape[0]:
        raise ValueError("each version needs classes and prices")
    taken = np.zeros(charges, np.uint8)
    found = np.zeros((charges, len(FOUND)), np.int64)
    slots = np.zeros((charges, MOST_SLOTS, 3), np.int64)
    cdef uint8_t[::1] taken_out = taken
    cdef int64_t[:, ::1] found_out = found
    cdef int64_t[:, :, ::1] slots_out = slots
    if not charges or not size or not slot_version.shape[0] or not slot_version.shape[1] or not version_prices.shape[0]:
        return taken, found, slots
    tariffs.first_slot = first_slot
    tariffs.slots = slot_version.shape[1]
    tariffs.classes = &version_classes[0, 0]
    tariffs.prices = &version_prices[0, 0]
    for one in range(charges):
        if not 0 <= given[one, ROW_FROM] < given[one, ROW_TO] <= size:
            raise ValueError(f"charge {one}: no rows {given[one, ROW_FROM]} to {given[one, ROW_TO]}")
        if not 0 <= given[one, TIMELINE] < slot_version.shape[0]:
            raise ValueError(f"charge {one}: no timeline {given[one, TIMELINE]}")
        line = calculators[given[one, METER]]
        if not line.is_session_counter:
            continue
        rows.at_ms = &at_ms[given[one, ROW_FROM]]
        rows.value = &value_e4kwh[given[one, ROW_FROM]]
        rows.state = &state[given[one, ROW_FROM]]
        rows.power_w = &power_w[given[one, ROW_FROM]]
        rows.minutes = &minutes[given[one, ROW_FROM]]
        rows.seq = &seq[given[one, ROW_FROM]]
        rows.size = given[one, ROW_TO] - given[one, ROW_FROM]
        tariffs.version = &slot_version[given[one, TIMELINE], 0]
        tariffs.acknowledged = &slot_acknowledged[given[one, TIMELINE], 0]
        tariffs.stale = &slot_stale[given[one, TIMELINE], 0]
        tariffs.slot_of_day = &slot_of_day[given[one, TIMELINE], 0]
        with nogil:
            taken_out[one] = decide(line, &rows, &tariffs, &given[one, 0], &found_out[one, 0], &slots_out[one, 0, 0])
    return taken, found, slots


def _check(size, others):
    for other in others:
        if other != size:
            raise ValueError(f"columns of one length are needed, got {size} and {other}")
