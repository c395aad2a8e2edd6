# What power says beside the register: its integral from reading to reading, since the reference, and over the session.

from libc.stdint cimport int64_t
from libc.stdlib cimport llabs

from core.meter.meter_limits cimport HIGHEST_POWER_W, HIGHEST_VALUE, LONGEST_STEP_MS, W_MS_PER_E4KWH, MeterLimits, clip

cdef enum:
    FLOWING_W = 500                 # above this power at both ends of a step a resting register is suspect
    PLAY_MS = 15000                 # the register is not read at the moment of the power beside it


cdef struct PowerSteps:
    # The step from the last reading to this one
    bint has_last
    int64_t last_ms
    int64_t last_w
    int64_t before_w                # of the reading before it
    int64_t step_ms
    int64_t step_twice_w_ms         # trapezoid; likewise all that follow
    int64_t step_lower_w            # of both its ends
    bint step_is_silent
    bint step_flows

    # Since the reference
    int64_t since_twice_w_ms
    int64_t since_seen_ms           # how long power was told
    int64_t since_peak_w

    # All readings
    int64_t twice_w_ms
    int64_t silent_twice_w_ms       # of that: over silences, where it is a guess
    int64_t play_twice_w_ms         # by so much power may have been another between two readings
    int64_t silent_ms
    int64_t longest_step_ms


cdef inline void clear_power(PowerSteps* power) noexcept nogil:
    power.has_last = power.step_is_silent = power.step_flows = False
    power.last_ms = power.last_w = power.before_w = power.step_ms = power.step_twice_w_ms = power.step_lower_w = 0
    power.since_twice_w_ms = power.since_seen_ms = power.since_peak_w = 0
    power.twice_w_ms = power.silent_twice_w_ms = power.play_twice_w_ms = 0
    power.silent_ms = power.longest_step_ms = 0


cdef inline void note_power(PowerSteps* power, int64_t event_ms, int64_t power_w, int64_t gap_ms) noexcept nogil:
    power_w = clip(power_w, 0, HIGHEST_POWER_W)
    power.step_ms = clip(event_ms - power.last_ms, 0, LONGEST_STEP_MS) if power.has_last else 0
    power.step_twice_w_ms = (power.last_w + power_w) * power.step_ms
    power.step_lower_w = power.last_w if power.last_w < power_w else power_w
    power.step_is_silent = power.step_ms > gap_ms
    power.step_flows = not power.step_is_silent and power.last_w > FLOWING_W and power_w > FLOWING_W
    power.twice_w_ms += power.step_twice_w_ms
    power.since_twice_w_ms += power.step_twice_w_ms
    power.since_seen_ms += power.step_ms
    if power.since_peak_w < power.last_w:
        power.since_peak_w = power.last_w
    if power.since_peak_w < power_w:
        power.since_peak_w = power_w
    if power.longest_step_ms < power.step_ms:
        power.longest_step_ms = power.step_ms
    if power.step_is_silent:
        power.silent_ms += power.step_ms
        power.silent_twice_w_ms += power.step_twice_w_ms
    else:
        power.play_twice_w_ms += llabs(power_w - power.last_w) * power.step_ms
    power.has_last = True
    power.last_ms = event_ms
    power.before_w = power.last_w
    power.last_w = power_w


cdef inline void forget_step(PowerSteps* power) noexcept nogil:
    """This reading tells nothing of power: what flowed was told of before."""
    power.step_ms = power.step_twice_w_ms = 0
    power.step_is_silent = power.step_flows = False


cdef inline void begin_since(PowerSteps* power) noexcept nogil:
    """The reading is the reference now."""
    power.since_twice_w_ms = power.since_seen_ms = power.since_peak_w = 0


cdef inline int64_t beyond_power(
    const MeterLimits* meter, int64_t risen, int64_t flowed, int64_t most, int64_t peak_w
) noexcept nogil:
    """By how much a rise exceeds what `flowed`; 0 where `most`, and the play of its times at `peak_w`, may be it."""
    cdef int64_t play_ms = PLAY_MS if meter.tolerance_ms < PLAY_MS else meter.tolerance_ms
    cdef int64_t late = peak_w * play_ms // W_MS_PER_E4KWH
    return risen - flowed * 9 // 10 if risen > (most + late) * 11 // 10 + 2 * meter.quantum else 0


cdef inline int64_t unexplained_rise(
    const PowerSteps* power, const MeterLimits* meter, int64_t elapsed_ms, int64_t risen, int64_t flowed, int64_t most
) noexcept nogil:
    """By how much a rise exceeds what `flowed` while the register came to it; 0 where power may have brought it.

    `most` is what may have flowed in a silence, else the same.
    """
    if not power.since_peak_w or power.since_seen_ms < elapsed_ms:
        return 0
    return beyond_power(meter, risen, flowed, most, power.since_peak_w)


cdef inline int64_t unexplained_at_end(
    const PowerSteps* power,
    const MeterLimits* meter,
    int64_t event_ms,
    int64_t gap_ms,
    int64_t risen,
    int64_t rested_twice_w_ms,
) noexcept nogil:
    """The same of a word after the charge: the last power may have gone on until then, twice as much in a silence."""
    cdef int64_t elapsed_ms = clip(event_ms - power.last_ms, 0, LONGEST_STEP_MS)
    cdef int64_t tail_w_ms = power.last_w * (2 * elapsed_ms if elapsed_ms > gap_ms else elapsed_ms)
    cdef int64_t flowed = ((rested_twice_w_ms + power.since_twice_w_ms) // 2 + tail_w_ms) // W_MS_PER_E4KWH
    if not power.twice_w_ms:
        return 0
    return beyond_power(meter, risen, flowed, flowed, power.last_w if power.last_w > power.before_w else power.before_w)


cdef inline int64_t most_in_silence(const PowerSteps* power, int64_t elapsed_ms) noexcept nogil:
    """What may have flowed in a silence: twice the higher power of its ends; anything where these are not alike.

    Two guns share the power of their charger: where one ends meanwhile, the other gets twice as much. Ends that differ
    by more tell of a pause or a begin, and nothing of the power between.
    """
    if power.step_lower_w <= FLOWING_W or power.since_peak_w > 2 * power.step_lower_w:
        return HIGHEST_VALUE
    return 2 * power.since_peak_w * clip(elapsed_ms, 0, LONGEST_STEP_MS) // W_MS_PER_E4KWH


cdef inline int64_t missed_in_silence(
    const PowerSteps* power, const MeterLimits* meter, int64_t elapsed_ms, int64_t risen
) noexcept nogil:
    """What flowed in a silence since the reference by the power at both its ends, where less than half of it rose."""
    cdef int64_t half = power.step_lower_w * power.step_ms // W_MS_PER_E4KWH // 2
    if not power.step_is_silent or power.step_ms != elapsed_ms or power.step_lower_w <= FLOWING_W:
        return 0
    if risen + 2 * meter.quantum >= half:
        return 0
    return power.step_twice_w_ms // (2 * W_MS_PER_E4KWH) - (risen if risen > 0 else 0)
