# A register that rests while energy flows: it is frozen, or a whole quantum has not yet come together.

from libc.stdint cimport int64_t, uint32_t

from core.meter.meter_limits cimport W_MS_PER_E4KWH, MeterLimits, reach
from core.meter.power_steps cimport PowerSteps

cdef enum:
    FROZEN_MS = 300000              # a register that rests longer is frozen, if energy flows


cdef struct RegisterRest:
    int64_t ms
    int64_t twice_w_ms
    int64_t from_ms
    int64_t before                  # by so much less than power says the register rose in the step before
    int64_t counter                 # the charger's own count when the rest began, -1 = it has none
    int64_t intervals               # closed since then
    uint32_t flags
    int64_t wider_low               # by so much its intervals were made wider
    int64_t wider_high


cdef struct Missed:
    int64_t best                    # what a second witness says was delivered beside the register
    int64_t high                    # and what it may have been at most; 0 = the register missed nothing


cdef inline void clear_rest(RegisterRest* rest) noexcept nogil:
    rest.ms = rest.twice_w_ms = rest.intervals = rest.before = 0
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
    longer than 5 minutes is not enough: a register of whole kWh rests 17 minutes at 3.5 kW, so more than two quanta
    must have flowed as well. After a shorter rest only the interval covers what power says is missed, beyond what two quanta
    of jitter explain; the charger's count and its register are not read at one moment.
    """
    cdef Missed missed = Missed(0, 0)
    cdef int64_t flowed = (rest.twice_w_ms + last_twice_w_ms) // (2 * W_MS_PER_E4KWH)
    cdef int64_t counted = counter - rest.counter
    if flowed - risen > (2 if is_frozen(rest) else 4) * meter.quantum + flowed // 20:
        missed.best = flowed - risen
        missed.high = missed.best + flowed // 20 + 1
    if is_frozen(rest) and rest.counter >= 0 and 2 * meter.quantum < counted - risen:
        if counted <= reach(meter, last_ms - rest.from_ms):
            missed.best = counted - risen
            if missed.high < missed.best + meter.quantum:
                missed.high = missed.best + meter.quantum
    return missed
