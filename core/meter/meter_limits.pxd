# What a register can do in a time, in 1e-4 kWh. Inlined into every module that judges readings.

from libc.stdint cimport int64_t

cdef enum:
    W_MS_PER_E4KWH = 360000         # 1e-4 kWh = 0.1 Wh = 360 W s
    HIGHEST_POWER_W = 10000000

cdef extern from *:
    """
    #define LONGEST_STEP_MS 34560000000LL       /* 400 days: longer than any charge, and Pmax times it fits 64 bits */
    #define HIGHEST_VALUE 1000000000000000LL    /* 1e11 kWh: no field of either protocol holds as much */
    #define FIRST_MODULUS 100000000LL           /* a register has four digits before the decimal at least */
    #define FIELD_MODULUS 429496729600LL        /* AAF5: 32 bits of 0.01 kWh (aaf5.md, "wraps at 42 949 672.95 kWh") */
    """
    const int64_t LONGEST_STEP_MS
    const int64_t HIGHEST_VALUE
    const int64_t FIRST_MODULUS
    const int64_t FIELD_MODULUS


cdef struct MeterLimits:
    int64_t quantum                 # the smallest step of the register
    int64_t pmax_w
    int64_t modulus                 # 0 = not known, or it never rolls over
    bint seeks_modulus              # it may roll over at any power of ten
    int64_t tolerance_ms            # by how much the time between two readings may look shorter than it was


cdef inline int64_t clip(int64_t value, int64_t lowest, int64_t highest) noexcept nogil:
    return lowest if value < lowest else highest if value > highest else value


cdef inline int64_t energy_at_pmax(const MeterLimits* meter, int64_t elapsed_ms) noexcept nogil:
    """Pmax x time, rounded up; 0 for a negative time."""
    return (meter.pmax_w * clip(elapsed_ms, 0, LONGEST_STEP_MS) + W_MS_PER_E4KWH - 1) // W_MS_PER_E4KWH


cdef inline int64_t reach(const MeterLimits* meter, int64_t elapsed_ms) noexcept nogil:
    """How far the register can rise between two readings that arrived `elapsed_ms` apart."""
    return energy_at_pmax(meter, elapsed_ms + meter.tolerance_ms) + 2 * meter.quantum


cdef inline int64_t over_last_digit(int64_t from_value, int64_t to_value, int64_t modulus) noexcept nogil:
    """The way over the last digit where the register stood shortly before it, else 0 (metering.md, "rollover")."""
    if modulus // 10 * 9 < from_value < modulus and to_value < modulus // 10:
        return to_value - from_value + modulus
    return 0


cdef inline int64_t rise(const MeterLimits* meter, int64_t from_value, int64_t to_value) noexcept nogil:
    """The difference of two register values, over the last digit where the register stood shortly before it.

    A register that stands above its known last digit has more digits than was thought.
    """
    cdef int64_t difference = to_value - from_value
    cdef int64_t modulus = FIRST_MODULUS
    cdef int64_t over
    if difference >= 0 or not (meter.modulus or meter.seeks_modulus):
        return difference
    if meter.modulus and from_value < meter.modulus:
        over = over_last_digit(from_value, to_value, meter.modulus)
        return over if over else difference
    while modulus <= from_value:
        modulus *= 10
    over = over_last_digit(from_value, to_value, modulus)
    if not over:
        over = over_last_digit(from_value, to_value, FIELD_MODULUS)
    return over if over else difference


cdef inline bint follows(
    const MeterLimits* meter, int64_t from_ms, int64_t from_value, int64_t to_ms, int64_t to_value
) noexcept nogil:
    """Can a register that stood at `from_value` have come to `to_value`? Falling by two quanta is jitter."""
    return -2 * meter.quantum <= rise(meter, from_value, to_value) <= reach(meter, to_ms - from_ms)
