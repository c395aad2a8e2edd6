# A register that rests while energy flows: it is frozen, or a whole quantum has not yet come together.

from libc.stdint cimport int64_t, uint32_t

from core.meter.meter_limits cimport W_MS_PER_E4KWH, MeterLimits, reach
from core.meter.power_steps cimport PowerSteps

cdef enum:
    FROZEN_MS = 300000              # a register that rests longer is frozen, if energy flows
    MOST_OWED_RISES = 2             # after so many rises a register will not make up for what it missed


cdef struct RegisterRest:
    int64_t ms
    int64_t twice_w_ms
    int64_t edge_twice_w_ms         # of its steps at one end of which nothing flowed: all of it, or nothing
    int64_t from_ms
    int64_t before                  # by so much less than power says the register rose in the step before
    int64_t ahead                   # and by so much more, in what it rose last
    int64_t owed                    # by so much less the last rises, if the next ones do not make up for it
    int64_t owed_rises              # so many of them
    int64_t readings                # since the register rose, whether energy flowed or not
    int64_t below                   # and by so much all of these lie below it
    int64_t counter                 # the charger's own count when the rest began, -1 = it has none
    int64_t intervals               # closed since then
    uint32_t flags
    int64_t wider_low               # by so much its intervals were made wider
    int64_t wider_high


cdef struct Missed:
    int64_t best                    # what a second witness says was delivered beside the register
    int64_t high                    # and what it may have been at most; 0 = the register missed nothing
    int64_t owed                    # or may have: the next rises will show it


cdef inline void clear_rest(RegisterRest* rest) noexcept nogil:
    rest.ms = rest.twice_w_ms = rest.edge_twice_w_ms = rest.intervals = 0
    rest.before = rest.ahead = rest.owed = rest.owed_rises = rest.readings = rest.below = 0
    rest.wider_low = rest.wider_high = 0
    rest.flags = 0


cdef inline bint is_frozen(const RegisterRest* rest) noexcept nogil:
    return rest.ms > FROZEN_MS


cdef inline bint flows_beyond_play(const RegisterRest* rest, int64_t quantum) noexcept nogil:
    """More than two quanta flowed, so that a register which stands still may catch up in one step."""
    return rest.twice_w_ms > 4 * W_MS_PER_E4KWH * quantum


cdef inline void grow_rest(
    RegisterRest* rest, const PowerSteps* power, int64_t from_ms, int64_t counter_before, int64_t counter
) noexcept nogil:
    """The register did not rise. Where energy flowed it may be frozen and catch up later in one step."""
    if power.step_flows or (counter_before >= 0 and counter > counter_before):
        if not rest.intervals:
            rest.from_ms = from_ms
            rest.counter = counter_before
            rest.flags = 0
        rest.ms += power.step_ms
        rest.twice_w_ms += power.step_twice_w_ms
    elif rest.intervals and not power.step_is_silent:
        rest.edge_twice_w_ms += power.step_twice_w_ms
    if rest.ms:
        rest.intervals += 1


cdef inline bint stands_still(const RegisterRest* rest, int64_t quantum, int64_t counter) noexcept nogil:
    """Neither power nor the charger's own count says that the register should have risen by now."""
    if flows_beyond_play(rest, quantum):
        return False
    return not (rest.intervals > 0 and 0 <= rest.counter < counter - 2 * quantum)


cdef inline Missed missed_in_rest(
    const RegisterRest* rest,
    const MeterLimits* meter,
    int64_t risen,
    int64_t last_twice_w_ms,
    int64_t counter,
    int64_t last_ms,
) noexcept nogil:
    """The register rose by `risen` after resting until `last_ms`, or was left at rest: what did it miss?

    What the charger counted by itself is the estimate, else power, W being good to 5 % (metering.md, "frozen"). Resting
    is not enough: a register of whole kWh rests 17 minutes at 3.5 kW. From one rise to the next it can come short of
    what flowed by one quantum at most, and by what it had risen too far before. A rise that jitters comes short of
    more, but the next one makes up for it. After a rest of 5 minutes or less only the interval covers what is missed;
    the charger's count and its register are not read at one moment.
    """
    cdef Missed missed = Missed(0, 0, 0)
    cdef int64_t flowed = rest.owed + (rest.twice_w_ms + last_twice_w_ms) // (2 * W_MS_PER_E4KWH)
    cdef int64_t edge = rest.edge_twice_w_ms // (2 * W_MS_PER_E4KWH)
    cdef int64_t counted = counter - rest.counter
    cdef int64_t jitter = (2 if is_frozen(rest) else 4) * meter.quantum
    if flowed - risen <= meter.quantum + rest.ahead + flowed // 20:
        missed.owed = 0
    elif risen and flowed - risen <= jitter + flowed // 20 and rest.owed_rises < MOST_OWED_RISES:
        missed.owed = flowed - risen
    else:
        missed.best = flowed - risen + edge
        missed.high = missed.best + edge + flowed // 20 + 1
    if is_frozen(rest) and rest.counter >= 0 and 2 * meter.quantum < counted - risen:
        if counted <= reach(meter, last_ms - rest.from_ms):
            missed.best = counted - risen
            if missed.high < missed.best + meter.quantum:
                missed.high = missed.best + meter.quantum
    return missed
