# The bits of core.meter.flags.Flag that compiled modules raise; tests hold both lists equal.

cdef enum:
    FLAG_DUP = 1 << 0
    FLAG_CONFLICT = 1 << 1
    FLAG_OUT_OF_ORDER = 1 << 2
    FLAG_ZERO_READ = 1 << 3
    FLAG_ZERO_BASELINE = 1 << 4
    FLAG_SPIKE = 1 << 8
    FLAG_JUMP = 1 << 9
    FLAG_JITTER = 1 << 10
    FLAG_ROLLBACK = 1 << 11
    FLAG_RESET = 1 << 12
    FLAG_ROLLOVER = 1 << 13
    FLAG_FROZEN = 1 << 14
    FLAG_GAP = 1 << 15
    FLAG_STORED = 1 << 19
    FLAG_AMBIGUOUS = 1 << 22
    FLAG_STANDSTILL = 1 << 25
