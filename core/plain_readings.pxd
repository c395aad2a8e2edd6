# What of a charge's readings must hold for it to be plain: each condition is the rule's own, or a stricter one.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.stdlib cimport llabs, qsort

from core.meter.meter_limits cimport HIGHEST_POWER_W, W_MS_PER_E4KWH

cdef enum:
    MOST_READINGS = 4096
    LONGEST_REST = 64               # readings at one value that are looked at for a frame that came twice
    BACK_TO_BACK_MS = 5000          # core.meter.reading_times: no pace, or a frame that came twice
    PACED_TO_MS = 60000
    LONGEST_CHARGE_MINUTES = 2160
    STRONG_POWER_W = 1000
    FEWEST_FOR_SCALE = 9            # core.meter.scale
    FEWEST_FOR_A_LINE = 4           # core.meter.lasting_steps
    LEAST_STEP_E4KWH = 1000
    PRECISE = 200

cdef extern from *:
    """
    #define HIGHEST_TAKEN 1000000000LL              /* 100 MWh: products of two such fit 64 bits */
    """
    const int64_t HIGHEST_TAKEN


cdef struct Rows:
    const int64_t* at_ms
    const int64_t* value
    const uint8_t* state
    const int32_t* power_w
    const uint16_t* minutes
    const uint16_t* seq
    Py_ssize_t size


cdef struct Sums:
    int64_t twice_w_ms
    int64_t changed_twice_w_ms
    int64_t peak_w
    int64_t strong_ms


cdef inline int compare_ms(const void* one, const void* other) noexcept nogil:
    cdef int64_t first = (<const int64_t*>one)[0]
    cdef int64_t second = (<const int64_t*>other)[0]
    return (first > second) - (first < second)


cdef inline bint came_at_their_pace(const Rows* rows) noexcept nogil:
    """In order, none back to back, the last after no silence (`at_times_taken`), the register never falling."""
    cdef Py_ssize_t place
    if rows.size < 2 or rows.size > MOST_READINGS:
        return False
    for place in range(rows.size):
        if rows.state[place] != 3 or rows.minutes[place] > LONGEST_CHARGE_MINUTES:
            return False
        if not 0 <= rows.value[place] < HIGHEST_TAKEN or not 0 <= rows.power_w[place] <= HIGHEST_POWER_W:
            return False
        if place and rows.at_ms[place] - rows.at_ms[place - 1] <= BACK_TO_BACK_MS:
            return False
        if place and rows.value[place] < rows.value[place - 1]:
            return False
    return rows.at_ms[rows.size - 1] - rows.at_ms[rows.size - 2] <= PACED_TO_MS


cdef inline bint has_a_frame_twice(const Rows* rows) noexcept nogil:
    """A frame that says what one said before, while the register rested (`readings._drop_late_repeats`)."""
    cdef Py_ssize_t place, before, first = 0
    for place in range(1, rows.size):
        if rows.value[place] != rows.value[place - 1]:
            first = place
            continue
        if place - first > LONGEST_REST:
            return True
        for before in range(first, place):
            if (
                rows.seq[before] == rows.seq[place]
                and rows.power_w[before] == rows.power_w[place]
                and rows.minutes[before] == rows.minutes[place]
            ):
                return True
    return False


cdef inline Sums sum_up(const Rows* rows, int64_t gap_ms) noexcept nogil:
    cdef Sums sums
    cdef Py_ssize_t place
    cdef int64_t step_ms, before_w, power_w
    sums.twice_w_ms = sums.changed_twice_w_ms = sums.strong_ms = 0
    sums.peak_w = rows.power_w[0]
    for place in range(1, rows.size):
        step_ms = rows.at_ms[place] - rows.at_ms[place - 1]
        before_w, power_w = rows.power_w[place - 1], rows.power_w[place]
        sums.twice_w_ms += (before_w + power_w) * step_ms
        sums.changed_twice_w_ms += llabs(power_w - before_w) * step_ms
        if power_w > sums.peak_w:
            sums.peak_w = power_w
        if before_w > STRONG_POWER_W and power_w > STRONG_POWER_W and step_ms <= gap_ms:
            sums.strong_ms += step_ms
    return sums


cdef inline bint may_count_the_charge_before(
    const Rows* rows, int64_t began_ms, int64_t quantum, int64_t peak_w
) noexcept nogil:
    """The counter first shows more than power says by then: `measured_figure._ask_whether_reset` looks closer."""
    cdef int64_t w_ms = <int64_t>rows.power_w[0] * (rows.at_ms[0] - began_ms)
    cdef Py_ssize_t place = 0
    while place + 1 < rows.size and rows.value[place] == 0:
        place += 1
        w_ms += (<int64_t>rows.power_w[place] + rows.power_w[place - 1]) * (
            rows.at_ms[place] - rows.at_ms[place - 1]
        ) // 2
    return peak_w > 0 and rows.value[place] > w_ms // W_MS_PER_E4KWH + 2 * quantum


cdef inline bint may_be_in_another_unit(const Rows* rows, int64_t peak_w) noexcept nogil:
    """`core.meter.scale._by_power` looks closer."""
    cdef Py_ssize_t place, first = 0
    cdef int64_t shown, power_w = 0, rough, by_power
    while first < rows.size and rows.value[first] == 0:
        first += 1
    shown = rows.size - first
    if rows.size < FEWEST_FOR_SCALE or not peak_w or shown < FEWEST_FOR_SCALE:
        return False
    for place in range(first, rows.size):
        power_w += rows.power_w[place]
    rough = rows.value[rows.size - 1] - rows.value[first]
    by_power = power_w * (rows.at_ms[rows.size - 1] - rows.at_ms[first]) // (shown * W_MS_PER_E4KWH)
    return not by_power // 4 < rough < by_power * 4


cdef inline bint has_a_hurried_step(const Rows* rows) noexcept nogil:
    """A step of less than half of the median one: `lasting_steps._at_their_pace` leaves its ends out."""
    cdef int64_t steps[MOST_READINGS]
    cdef int64_t least, most
    cdef Py_ssize_t place, size = rows.size - 1
    cdef Py_ssize_t middle = size // 2
    for place in range(size):
        steps[place] = rows.at_ms[place + 1] - rows.at_ms[place]
    least = most = steps[0]
    for place in range(1, size):
        least = steps[place] if steps[place] < least else least
        most = steps[place] if steps[place] > most else most
    if 2 * least >= most:
        return False
    qsort(steps, size, sizeof(int64_t), compare_ms)
    return 4 * least < (2 * steps[middle] if size % 2 else steps[middle - 1] + steps[middle])


cdef inline bint may_have_a_lasting_step(const Rows* rows, int64_t quantum, int64_t best, int64_t peak_w) noexcept nogil:
    """The register is further off the line of power, from one reading to the next, than `lasting_steps` passes over."""
    cdef int64_t flowed[MOST_READINGS]
    cdef int64_t least, off, twice_w_ms = 0, last_off = 0
    cdef Py_ssize_t place, first, last, each
    cdef bint has_last = False
    if rows.size < FEWEST_FOR_A_LINE or not peak_w:
        return False
    if has_a_hurried_step(rows):
        return True
    least = LEAST_STEP_E4KWH
    if quantum > least:
        least = quantum
    if best // PRECISE > least:
        least = best // PRECISE
    flowed[0] = 0
    for place in range(1, rows.size):
        twice_w_ms += (<int64_t>rows.power_w[place] + rows.power_w[place - 1]) * (
            rows.at_ms[place] - rows.at_ms[place - 1]
        )
        flowed[place] = twice_w_ms // (2 * W_MS_PER_E4KWH)
    first = 0
    while first < rows.size and rows.value[first] == 0:
        first += 1
    while first < rows.size:
        last = first
        while last + 1 < rows.size and rows.value[last + 1] == rows.value[first]:
            last += 1
        # of a register that stands still for longer than two quanta take, only the first reading counts
        for each in range(first, (first if flowed[last] - flowed[first] > 2 * quantum else last) + 1):
            off = rows.value[each] - flowed[each]
            if has_last and 2 * llabs(off - last_off) > least:
                return True
            last_off = off
            has_last = True
        first = last + 1
    return False
