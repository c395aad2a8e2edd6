"""What the days of a connector say of its meter: the rules of learning, without a database.

The days are rows of `meter_days`. What is learned at the end of a day follows from the days until then alone, so that
neither the order in which days became known nor a second look changes it (anomaly-codes.md, "Common definitions").
"""

import re
from collections import Counter, deque
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from analytics.meter_profiles import PMAX_PERCENT
from core.meter.profile import ENOUGH_DIFFERENCES, QUANTA_E4KWH

WINDOW_DAYS = 90
NEARLY_ALL_PERCENT = 95
"""A meter that cannot be read answers garbage now and then, and that divides by nothing."""
MOST_PERCENT = 50
DIFFERENCES_WANTED = 200
"""Days are looked at backwards until there are so many, so that a meter that was replaced is known after a day."""
ENOUGH_POWER_DAYS = 7
ENOUGH_POWER_READINGS = 1_000
ENOUGH_PAIRS = 10
RESTARTS_OF_BOOT = 2
"""One restart among sessions that go on is a meter that was replaced."""
FINEST_E4KWH = 1
E4_PER_KWH = 10_000
E4_DIGITS = 4
W_PER_KW = 1_000


_REASONS: Final = {
    "digits": re.compile(r"digits (?P<digits>\d+): it rolled over on (?P<day>\S+)"),
    "power": re.compile(
        r"power (?P<kilowatts>\d+) kW: 99\.9 % of (?P<readings>\d+) readings of (?P<days>\d+) days did not exceed it"
    ),
    "register": re.compile(
        r"register (?P<kind>\w+): of (?P<sessions>\d+) sessions it began anew with (?P<anew>\d+), "
        r"went on with (?P<went_on>\d+)"
    ),
    "quantum": re.compile(
        r"quantum (?P<step>\S+) kWh: divides (?P<divided>\d+) of (?P<differences>\d+) differences "
        r"of the last (?:(?P<days>\d+) days|day)"
    ),
}
"""Reasons are stored as a sentence each; pages say them in their own language."""


class MeterDay(msgspec.Struct, frozen=True):
    """One row of `meter_days`: `divisible` goes by `QUANTA_E4KWH`, `power_readings` by `power_kw`."""

    day: date
    sessions: int = 0
    differences: int = 0
    divisible: Sequence[int] = (0, 0, 0, 0)
    power_kw: Sequence[int] = ()
    power_readings: Sequence[int] = ()
    restarted: int = 0
    continued: int = 0
    rollover_digits: int = 0
    highest_e4kwh: int = 0


class Learned(msgspec.Struct, frozen=True):
    """What is known of a meter at the end of a day; 0 and "" = not enough was seen. `reasons`: one for each value."""

    register_kind: str = ""
    quantum_e4kwh: int = 0
    pmax_w: int = 0
    register_digits: int = 0
    from_day: date = date.min
    to_day: date = date.min
    sessions: int = 0
    differences: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[str, int, int, int]:
        """The values alone."""
        return self.register_kind, self.quantum_e4kwh, self.pmax_w, self.register_digits


class MeterCourse:
    """The days of one connector, one after the other: what is known at the end of each.

    `learns`: which values are asked for (`core.directory.Pile.learns`).
    """

    def __init__(self, learns: Collection[str]) -> None:
        self._learns = learns
        self._window: deque[MeterDay] = deque()
        self._sessions = self._differences = 0
        self._restarted = self._continued = 0
        self._days_with_power = 0
        self._powers: Counter[int] = Counter()
        self._digits = 0
        self._rolled_over_on = date.min

    def add(self, day: MeterDay) -> None:
        """The next day; those before it and not in its 90 days are forgotten, but for a rollover.

        A rollover comes once in years. It holds until the register stands higher than it allows.
        """
        self._window.append(day)
        self._count(day, 1)
        if day.rollover_digits:
            self._digits, self._rolled_over_on = day.rollover_digits, day.day
        elif self._digits and day.highest_e4kwh >= 10 ** (self._digits + E4_DIGITS):
            self._digits = 0
        self.forget_before(day.day - timedelta(days=WINDOW_DAYS - 1))

    def forget_before(self, first: date) -> None:
        """Let go of the days before `first`."""
        while self._window and self._window[0].day < first:
            self._count(self._window.popleft(), -1)

    def known(self, end: date) -> Learned:
        """What the days added so far say at the end of day `end`, which is none before the last of them."""
        self.forget_before(end - timedelta(days=WINDOW_DAYS - 1))
        quantum, of_quantum = self._quantum() if "quantum" in self._learns else (0, "")
        pmax_w, of_power = self._pmax() if "rated_power" in self._learns else (0, "")
        kind, of_kind = self._register_kind() if "register" in self._learns else ("", "")
        digits = self._digits if "digits" in self._learns else 0
        of_digits = f"digits {digits}: it rolled over on {self._rolled_over_on.isoformat()}" if digits else ""
        return Learned(
            register_kind=kind,
            quantum_e4kwh=quantum,
            pmax_w=pmax_w,
            register_digits=digits,
            from_day=self._window[0].day if self._window else end,
            to_day=end,
            sessions=self._sessions,
            differences=self._differences,
            reasons=tuple(reason for reason in (of_kind, of_quantum, of_power, of_digits) if reason),
        )

    def _count(self, day: MeterDay, times: int) -> None:
        self._sessions += times * day.sessions
        self._differences += times * day.differences
        self._restarted += times * day.restarted
        self._continued += times * day.continued
        self._days_with_power += times * bool(day.power_kw)
        for kilowatts, readings in zip(day.power_kw, day.power_readings, strict=True):
            self._powers[kilowatts] += times * readings
            if not self._powers[kilowatts]:
                del self._powers[kilowatts]

    def _quantum(self) -> tuple[int, str]:
        """The largest decimal step of a kWh that divides nearly all differences.

        The finest that can be told divides garbage as well, so it needs more: that no larger one divides most of them.
        Too small a quantum makes an interval narrow that must be wide.
        """
        differences = days = 0
        divisible = [0] * len(QUANTA_E4KWH)
        for day in reversed(self._window):
            differences += day.differences
            divisible = [sum(pair) for pair in zip(divisible, day.divisible, strict=True)]
            days += 1
            if differences >= DIFFERENCES_WANTED:
                break
        if differences < ENOUGH_DIFFERENCES:
            return 0, ""
        for quantum, count in zip(QUANTA_E4KWH, divisible, strict=True):
            if count * 100 >= differences * NEARLY_ALL_PERCENT:
                return quantum, _divides(quantum, count, differences, days)
        if max(divisible) * 100 > differences * MOST_PERCENT:
            return 0, ""
        return FINEST_E4KWH, _divides(FINEST_E4KWH, differences, differences, days)

    def _pmax(self) -> tuple[int, str]:
        """The power that 99.9 % of the readings did not exceed, x 1.10; only where register and power agreed."""
        total = self._powers.total()
        if self._days_with_power < ENOUGH_POWER_DAYS or total < ENOUGH_POWER_READINGS:
            return 0, ""
        above = rated_kw = 0
        for kilowatts in sorted(self._powers, reverse=True):
            above += self._powers[kilowatts]
            rated_kw = kilowatts
            if above * 1_000 > total:
                break
        words = f"power {rated_kw} kW: 99.9 % of {total} readings of {self._days_with_power} days did not exceed it"
        return rated_kw * W_PER_KW * PMAX_PERCENT // 100, words

    def _register_kind(self) -> tuple[str, str]:
        """Whether the register restarts with nearly each session, never, or now and then as after a boot."""
        seen = self._restarted + self._continued
        if seen < ENOUGH_PAIRS:
            return "", ""
        if self._restarted * 100 >= seen * NEARLY_ALL_PERCENT:
            kind = "session"
        elif self._continued * 100 <= seen * MOST_PERCENT:
            return "", ""
        else:
            kind = "boot" if self._restarted >= RESTARTS_OF_BOOT else "lifetime"
        words = (
            f"register {kind}: of {seen} sessions it began anew with {self._restarted}, went on with {self._continued}"
        )
        return kind, words


def _divides(quantum_e4kwh: int, count: int, differences: int, days: int) -> str:
    step = Decimal(quantum_e4kwh) / E4_PER_KWH
    of_days = "of the last day" if days == 1 else f"of the last {days} days"
    return f"quantum {step} kWh: divides {count} of {differences} differences {of_days}"


def reason_parts(reason: str) -> tuple[str, dict[str, str]] | None:
    """What a stored reason is about and its values, None for one that another version wrote.

    The first is digits, power, register or quantum; of the last, `days` is 1 where it names one day.
    """
    for name, pattern in _REASONS.items():
        if found := pattern.fullmatch(reason):
            return name, found.groupdict(default="1")
    return None
