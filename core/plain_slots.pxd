# A charge over the half-hours of local time, each with its tariff, and those that a record touches.

from libc.stdint cimport int16_t, int64_t, uint8_t
from libc.stdlib cimport llabs

from core.plain_readings cimport Rows

cdef enum:
    MOST_SLOTS = 96
    CLASSES = 4
    SLOTS_A_DAY = 48
    SLOT_MS = 1800000
    PARTS_E4KWH = 100               # core.session_slots
    PARTS_SHARE = 2000
    ALL_CLASSES = 15                # analytics.class_mask

cdef enum SlotMethod:
    BY_CLASSES
    BY_METER
    BY_TIME


cdef struct Tariffs:
    int64_t first_slot                  # of all half-hours, since the epoch
    Py_ssize_t slots
    const int16_t* version              # of each half-hour, -1 = none
    const uint8_t* acknowledged         # the charger had said before that it holds this version
    const uint8_t* stale
    const uint8_t* slot_of_day
    const uint8_t* classes              # 48 a version
    const int64_t* prices               # four a version: electricity and service together


cdef struct Shared:
    int method
    int filled


cdef inline bint largest_remainder(int64_t total, const int64_t* weights, int size, int64_t* parts) noexcept nogil:
    """`core.slots.largest_remainder`; False where all weights are 0 while `total` is not."""
    cdef int64_t whole = 0, left = total, most
    cdef int64_t remainders[MOST_SLOTS]
    cdef int place, best
    for place in range(size):
        whole += weights[place]
        parts[place] = 0
    if whole == 0:
        return total == 0
    for place in range(size):
        parts[place] = total * weights[place] // whole
        remainders[place] = total * weights[place] % whole
        left -= parts[place]
    while left > 0:
        best, most = 0, -1
        for place in range(size):
            if remainders[place] > most:
                best, most = place, remainders[place]
        parts[best] += 1
        remainders[best] = -1
        left -= 1
    return True


cdef inline int64_t class_mask(
    const Tariffs* tariffs, int64_t start_ms, int64_t end_ms, const int64_t* shown, int64_t* half_hours
) noexcept nogil:
    """`analytics.class_mask` for a record's span, margin included; -1 where the half-hours reach beyond the tables."""
    cdef int64_t slot = start_ms // SLOT_MS - tariffs.first_slot
    cdef int64_t mask = 0
    cdef bint is_known = True
    cdef bint any_shown = shown[0] or shown[1] or shown[2] or shown[3]
    cdef bint is_equal, is_flat
    cdef int version
    cdef const int64_t* own
    half_hours[0] = 0
    while True:
        if not 0 <= slot < tariffs.slots:
            return -1
        half_hours[0] |= <int64_t>1 << tariffs.slot_of_day[slot]
        version = tariffs.version[slot]
        if version < 0:
            is_known = False
        elif is_known:
            own = tariffs.prices + version * CLASSES
            is_equal = shown[0] == own[0] and shown[1] == own[1] and shown[2] == own[2] and shown[3] == own[3]
            is_flat = own[0] == own[1] == own[2] == own[3]
            if any_shown and not is_equal:
                is_known = False
            elif not tariffs.acknowledged[slot] and (not is_equal or is_flat):
                is_known = False
            mask |= 1 << tariffs.classes[version * SLOTS_A_DAY + tariffs.slot_of_day[slot]]
        slot += 1
        if (slot + tariffs.first_slot) * SLOT_MS >= end_ms:
            return mask if is_known else ALL_CLASSES


cdef inline bint share_out(
    const Rows* rows,
    const Tariffs* tariffs,
    int64_t final,
    const int64_t* class_energy,
    int64_t began_ms,
    Shared* shared,
    int64_t* slots_out,
) noexcept nogil:
    """`core.session_slots.share_out` for a record that decides, by its classes; False where a tariff is not plain."""
    cdef int64_t by_meter[MOST_SLOTS]
    cdef int64_t by_time[MOST_SLOTS]
    cdef int64_t weights[MOST_SLOTS]
    cdef int64_t class_parts[CLASSES]
    cdef int64_t parts[MOST_SLOTS]
    cdef int64_t scaled[MOST_SLOTS]
    cdef int classes[MOST_SLOTS]
    cdef int64_t end_ms = rows.at_ms[rows.size - 1]
    cdef int64_t first = began_ms // SLOT_MS - tariffs.first_slot
    cdef int64_t slot, border_ms, before, total, from_ms, from_total, told = 0, play
    cdef int size = 0, place, rate_class, members, filled = 0
    cdef Py_ssize_t row = 0
    cdef bint any_time = False, any_metered = False, fits
    cdef uint8_t seen[CLASSES]
    slot = first
    while True:
        if not 0 <= slot < tariffs.slots or size == MOST_SLOTS:
            return False
        if tariffs.version[slot] < 0 or tariffs.stale[slot]:
            return False
        classes[size] = tariffs.classes[tariffs.version[slot] * SLOTS_A_DAY + tariffs.slot_of_day[slot]]
        size += 1
        slot += 1
        if (slot + tariffs.first_slot) * SLOT_MS >= end_ms:
            break
    before = 0
    for place in range(size):
        border_ms = (first + place + tariffs.first_slot) * SLOT_MS
        by_time[place] = (end_ms if end_ms < border_ms + SLOT_MS else border_ms + SLOT_MS) - (
            began_ms if began_ms > border_ms else border_ms
        )
        if by_time[place] < 0:
            by_time[place] = 0
        any_time = any_time or by_time[place] > 0
        border_ms += SLOT_MS
        if place == size - 1:
            total = rows.value[rows.size - 1]
        else:
            while row < rows.size and rows.at_ms[row] < border_ms:
                row += 1
            if row == rows.size:
                total = rows.value[rows.size - 1]
            elif began_ms >= border_ms:
                total = 0
            else:
                from_ms = rows.at_ms[row - 1] if row else began_ms
                from_total = rows.value[row - 1] if row else 0
                total = from_total + (rows.value[row] - from_total) * (border_ms - from_ms) // (
                    rows.at_ms[row] - from_ms
                )
        by_meter[place] = total - before
        any_metered = any_metered or by_meter[place] > 0
        before = total
    if not any_time:
        by_time[0] = 1
    for rate_class in range(CLASSES):
        told += class_energy[rate_class]
        seen[rate_class] = 0
    play = final // PARTS_SHARE
    play = play if play > PARTS_E4KWH else PARTS_E4KWH
    fits = told != 0 and llabs(told - final) <= play and largest_remainder(
        final, class_energy, CLASSES, class_parts
    )
    if fits:
        for place in range(size):
            if by_meter[place]:
                seen[classes[place]] = 1
        for rate_class in range(CLASSES):
            members = 0
            for place in range(size):
                if classes[place] == rate_class:
                    weights[members] = by_meter[place] if seen[rate_class] else by_time[place]
                    members += 1
            if not largest_remainder(class_parts[rate_class], weights, members, parts):
                fits = False
                break
            members = 0
            for place in range(size):
                if classes[place] == rate_class:
                    scaled[place] = parts[members]
                    members += 1
    if fits:
        shared.method = BY_CLASSES
    elif any_metered:
        shared.method = BY_METER
        largest_remainder(final, by_meter, size, scaled)
    else:
        shared.method = BY_TIME
        largest_remainder(final, by_time, size, scaled)
    for place in range(size):
        if scaled[place]:
            slots_out[3 * filled] = first + place
            slots_out[3 * filled + 1] = tariffs.slot_of_day[first + place]
            slots_out[3 * filled + 2] = scaled[place]
            filled += 1
    shared.filled = filled
    return True
