"""What a measurement says about itself: flags for each thing that happened, and one quality."""

from enum import IntEnum, IntFlag


class Flag(IntFlag):
    """What the calculator met in a session's readings (metering.md, table of cases).

    The bits are stored: never renumber. `core/meter/flag_bits.pxd` holds the same bits for the compiled modules.
    """

    DUP = 1 << 0  # the same reading again
    CONFLICT = 1 << 1  # two values for one moment; the later sequence was kept
    OUT_OF_ORDER = 1 << 2  # arrived after a reading that is later by event time
    ZERO_READ = 1 << 3  # a zero that cannot be true, taken as missing
    ZERO_BASELINE = 1 << 4  # such a zero before the first true reading of an absolute register
    BASELINE_PREV_END = 1 << 5  # start register taken from the end of the previous session
    BASELINE_BILL_START = 1 << 6  # start register taken from the bill
    LATE_BASELINE = 1 << 7  # the first valid reading came more than 60 s after the start
    SPIKE = 1 << 8  # one reading away from the line that the next ones returned to
    JUMP = 1 << 9  # the register rose faster than the connector can charge, and stayed there
    JITTER = 1 << 10  # fell by two quanta at most; the highest reading stays the reference
    ROLLBACK = 1 << 11  # fell back by more, to a value that is no restart
    RESET = 1 << 12  # restarted from zero
    ROLLOVER = 1 << 13  # ran over its last digit
    FROZEN = 1 << 14  # rested although power flowed
    GAP = 1 << 15  # silence longer than max(60 s, 3 periods) between two readings
    TAIL_GAP = 1 << 16  # such a silence before the end of the charge
    SCALE = 1 << 17  # all values are off by a power of ten
    MISSING_DATA = 1 << 18  # no valid reading at all
    STORED = 1 << 19  # a reading kept by the charger while it was away; its time is good to 60 s only
    TARIFF_STALE = 1 << 20  # the charger held another tariff version than the date asks for
    POWER_RATING_DOUBTFUL = 1 << 21  # more energy than the rated power allows over the whole session
    AMBIGUOUS = 1 << 22  # a dropped reading may also have been a restart; the interval covers both
    REGISTER_REPLACED = 1 << 23  # the register does not go on from the previous session; information only
    BASELINE_BACKCAST = 1 << 24  # start register found from the charger's own count of the charge
    STANDSTILL = 1 << 25  # rested for five minutes at most although power flowed; the interval covers what it missed
    POWER_CONTRADICTS = 1 << 26  # what flowed by voltage and current cannot be what the register counted


def flag_names(flags: int) -> list[str]:
    """The names of the set bits, lowest bit first, as table `session_revisions` stores them."""
    return [name for bit, name in _NAMES if flags & bit]


_NAMES = tuple((int(flag), flag.name or "") for flag in Flag)


class Quality(IntEnum):
    """How far a figure can be trusted; larger is better (metering.md, "Quality order")."""

    MISSING = 1
    QUESTIONABLE = 2
    ESTIMATED = 3
    DERIVED = 4
    VALID = 5
    MANUAL = 6
    VERIFIED = 7
