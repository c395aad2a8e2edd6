# The intervals that one reading closes, and by how much the next one is wider. Energies are 1e-4 kWh.

from libc.stdint cimport int64_t, uint32_t

cdef enum:
    MOST_CLOSED = 4                 # intervals that one reading can close
    INTERVAL_COLUMNS = 7


cdef struct Interval:
    int64_t from_ms
    int64_t to_ms
    int64_t accepted                # proven by the register
    int64_t low
    int64_t high
    int64_t estimated               # delivered beside it, by a second witness
    uint32_t flags                  # of the rules that fired between its ends


cdef struct IntervalLog:
    Interval closed[MOST_CLOSED]    # by this reading
    int closed_count
    int64_t reopened                # so many intervals that were closed before, the first of these now replaces
    Interval last
    bint has_last
    int64_t wider_low               # by so much the next interval to be closed is wider
    int64_t wider_high


cdef inline void clear_log(IntervalLog* log) noexcept nogil:
    log.closed_count = 0
    log.reopened = log.wider_low = log.wider_high = 0
    log.has_last = False


cdef inline void begin_closing(IntervalLog* log) noexcept nogil:
    """A new reading: what the one before closed is told of."""
    log.closed_count = 0
    log.reopened = 0


cdef inline void close_interval(IntervalLog* log, Interval interval) noexcept nogil:
    interval.low -= log.wider_low
    interval.high += log.wider_high
    log.wider_low = log.wider_high = 0
    log.closed[log.closed_count] = interval
    log.closed_count += 1
    log.last = interval
    log.has_last = True


cdef inline void reopen(IntervalLog* log, int64_t number) noexcept nogil:
    """Take back the last intervals: what is closed next stands in their place."""
    if number <= log.closed_count:
        log.closed_count -= <int>number
    else:
        log.reopened += number - log.closed_count
        log.closed_count = 0


cdef inline int64_t write_closed(const IntervalLog* log, int64_t* rows, int64_t filled) noexcept nogil:
    """Put what this reading closed behind the `filled` rows, less those that it replaces; gives how many there are."""
    cdef int i
    cdef int64_t* row
    filled -= log.reopened
    for i in range(log.closed_count):
        row = rows + filled * INTERVAL_COLUMNS
        row[0] = log.closed[i].from_ms
        row[1] = log.closed[i].to_ms
        row[2] = log.closed[i].accepted
        row[3] = log.closed[i].low
        row[4] = log.closed[i].high
        row[5] = log.closed[i].estimated
        row[6] = log.closed[i].flags
        filled += 1
    return filled
