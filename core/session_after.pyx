# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""What a YKC connector showed after each of its charges: the same answer as `session_after.sql`, from columns."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

cdef enum:
    STATE_CHARGING = 3
    STATE_FAULT = 1                 # and 0: offline
    MINUTE_MS = 60000
    TOLD_MS = 120000                # a begin that is told by less than this before it was heard is no other begin
    BEGIN_TOLD_MS = 600000          # so long after it was first heard a charge still tells when it began
    MOST_AGAIN = 500                # readings of that time; the SQL looks at 512

cdef extern from *:
    """
    #define NEVER_MS 9223372036854775807LL
    """
    const int64_t NEVER_MS

AFTER_COLUMNS = ("after_ms", "after_state", "next_start_ms", "unplugged_ms", "plugged_until_ms", "power_until_ms", "fault")


cdef struct Timeline:
    const int64_t* receive_ms
    const uint64_t* trade_hi
    const uint64_t* trade_lo
    const uint8_t* state
    const uint8_t* plugged
    const int32_t* power_w
    const uint16_t* minutes


cdef inline bint charges_again(const Timeline* rows, Py_ssize_t place) noexcept nogil:
    return rows.state[place] == STATE_CHARGING and (rows.trade_hi[place] != 0 or rows.trade_lo[place] != 0)


cdef bint look_after_one(
    const Timeline* rows, Py_ssize_t last, Py_ssize_t end, int64_t max_wait_ms, int64_t balancing_w, int64_t* found
) noexcept nogil:
    cdef int64_t from_ms = rows.receive_ms[last]
    cdef int64_t first_again = NEVER_MS, edge = NEVER_MS, not_charging = NEVER_MS, unplugged = NEVER_MS
    cdef int64_t at_ms, told_ms, stop
    cdef int state_then = STATE_CHARGING
    cdef int again = 0
    cdef Py_ssize_t place, behind = last + 1
    for place in range(last + 1, end):
        at_ms = rows.receive_ms[place]
        if at_ms > from_ms + max_wait_ms:
            break
        if at_ms <= from_ms:
            return False
        if charges_again(rows, place):
            if rows.trade_hi[place] == rows.trade_hi[last] and rows.trade_lo[place] == rows.trade_lo[last]:
                return False
            again += 1
            if again > MOST_AGAIN:
                return False
            if first_again == NEVER_MS:
                first_again = edge = at_ms
            if at_ms > first_again + BEGIN_TOLD_MS:
                break
            told_ms = at_ms - <int64_t>rows.minutes[place] * MINUTE_MS
            if from_ms < told_ms < first_again - TOLD_MS and told_ms < edge:
                edge = told_ms
        else:
            if at_ms < not_charging:
                not_charging = at_ms
                state_then = rows.state[place]
            elif at_ms == not_charging and rows.state[place] < state_then:
                state_then = rows.state[place]
            if at_ms < unplugged and rows.plugged[place] == 0:
                unplugged = at_ms
        behind = place + 1
    for place in range(7):
        found[place] = 0
    if edge == NEVER_MS and not_charging == NEVER_MS:
        return True
    found[0] = not_charging if not_charging < edge else edge
    found[1] = state_then if not_charging < edge else STATE_CHARGING
    found[2] = 0 if edge == NEVER_MS else edge
    found[3] = unplugged if unplugged < edge else 0
    stop = unplugged if unplugged < edge else edge
    for place in range(last + 1, behind):
        at_ms = rows.receive_ms[place]
        if at_ms >= stop:
            break
        if charges_again(rows, place):
            continue
        if rows.plugged[place] == 1:
            found[4] = at_ms
        if rows.power_w[place] > balancing_w:
            found[5] = at_ms
        if rows.state[place] <= STATE_FAULT:
            found[6] = 1
    return True


def look_after(
    const int64_t[::1] receive_ms,
    const uint64_t[::1] trade_hi,
    const uint64_t[::1] trade_lo,
    const uint8_t[::1] state,
    const uint8_t[::1] plugged,
    const int32_t[::1] power_w,
    const uint16_t[::1] minutes,
    const int64_t[::1] last,
    const int64_t[::1] end,
    int64_t max_wait_ms,
    int64_t balancing_w,
    int64_t[:, ::1] found_out,
    uint8_t[::1] known_out,
):
    """For each charge the seven `AFTER_COLUMNS`, and whether they are known.

    The rows of a connector stand in the order of their receipt, `last` is the place of the charge's last row and `end`
    the one behind the connector's last. Not known: rows of the charge itself follow, or rows out of that order.
    Raises ValueError for a place outside of the rows, or columns of different lengths.
    """
    cdef Py_ssize_t size = receive_ms.shape[0]
    cdef Py_ssize_t charges = last.shape[0]
    cdef Py_ssize_t one
    cdef Timeline rows
    for other in (trade_hi.shape[0], trade_lo.shape[0], state.shape[0], plugged.shape[0], power_w.shape[0], minutes.shape[0]):
        if other != size:
            raise ValueError(f"columns of one length are needed, got {size} and {other}")
    if end.shape[0] != charges or known_out.shape[0] != charges or found_out.shape[0] != charges or found_out.shape[1] != 7:
        raise ValueError(f"{charges} charges need as many ends, rows of seven and marks")
    for one in range(charges):
        if not 0 <= last[one] < end[one] <= size:
            raise ValueError(f"charge {one}: {last[one]} and {end[one]} are no places of {size} rows")
    if not charges:
        return
    rows.receive_ms = &receive_ms[0]
    rows.trade_hi = &trade_hi[0]
    rows.trade_lo = &trade_lo[0]
    rows.state = &state[0]
    rows.plugged = &plugged[0]
    rows.power_w = &power_w[0]
    rows.minutes = &minutes[0]
    with nogil:
        for one in range(charges):
            known_out[one] = look_after_one(&rows, last[one], end[one], max_wait_ms, balancing_w, &found_out[one, 0])
