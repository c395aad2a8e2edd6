"""What is known of the course of one session, or of one login, as the checker takes it in."""

from collections.abc import Iterable, Sequence
from typing import Final, Literal

import msgspec

Party = Literal["charger", "platform"]
FrameKey = tuple[int, int]
"""Segment and offset of a stored frame."""

NO_FRAME: Final[FrameKey] = (0, 0)

Span = tuple[int, int]
"""From when to when, both in epoch milliseconds."""

NOT_SAID: Final = -1
STILL_OPEN_MS: Final = 2**62
"""The end of an absence that is not over."""

CHARGING: Final = "charging"
STOPPED: Final = "stopped"


class StepSeen(msgspec.Struct, frozen=True, order=True):
    """One step that was seen: a frame by the name of its message, or a reading by the state that it shows.

    A reading is `charging` or, once the charge is over, `stopped`. `stored`: the charger had kept it while it was away,
    so that neither its time is exact nor its arrival late. `taken`: the frame was used; one that came before the login
    is evidence only. The rest is what the frame says, `NOT_SAID` where it says nothing of the kind: `result` and
    `reason` of an answer in the numbers of the protocol, `mode` of a start, the `energy_e4kwh` of a record.

    What comes again and again may stand for a whole run of its kind, none further from the next than a period's limit
    (`rules.GAP_MS`): up to `until_ms` and the frame `last_key`.
    """

    event_ms: int
    key: FrameKey
    name: str
    receive_ms: int
    direction: Literal["up", "down"] = "up"
    connection_id: int = 0
    stored: bool = False
    taken: bool = True
    result: int = NOT_SAID
    reason: int = NOT_SAID
    mode: int = NOT_SAID
    energy_e4kwh: int = NOT_SAID
    until_ms: int = 0
    last_key: FrameKey = NO_FRAME

    @property
    def end_ms(self) -> int:
        """When it was seen last: its own moment, but for a run."""
        return self.until_ms or self.event_ms

    @property
    def end_key(self) -> FrameKey:
        """The frame that was seen last."""
        return self.key if self.last_key == NO_FRAME else self.last_key


class Course(msgspec.Struct, frozen=True):
    """Everything that bears on the order of steps. `steps` may come in any order and repeat itself.

    `away`: when the charger could not be heard, its own absences and those of the platform; `STILL_OPEN_MS` ends one
    that is not over. `ended_ms`: the first moment at which the charge was known to be over, 0 when nothing says so.
    """

    protocol: str
    steps: tuple[StepSeen, ...]
    current_kind: str = "dc"
    away: tuple[Span, ...] = ()
    ended_ms: int = 0


class Deviation(msgspec.Struct, frozen=True, order=True):
    """One departure from the order of steps.

    `event_ms`: when it was seen, or was due. `observed_ms` is how long it took (0: it never came), `allowed_ms` how
    long it may take (0: no limit in time), `times` how often the step was seen, or was late.
    """

    event_ms: int
    step: str
    kind: Literal["missing", "repeated", "out_of_order", "late", "never_answered"]
    party: Party
    detail: str
    observed_ms: int = 0
    allowed_ms: int = 0
    times: int = 0
    evidence: tuple[FrameKey, ...] = ()


class Verdict(msgspec.Struct, frozen=True):
    """What came of a check. The score of a charger is `kept` of `due`, the steps that it owed.

    `order` gives the numbers of the flow's steps as they came ("1 3 4 5"), `pattern` what is wrong with that in the
    words of requirement B11: SKIP(2), SWAP(2,3), REPEAT(2x3), empty for a clean course.
    """

    flow: str
    deviations: tuple[Deviation, ...]
    due: int
    kept: int
    order: str = ""
    pattern: str = ""

    def of(self, party: Party) -> list[Deviation]:
        """The deviations of one side."""
        return [deviation for deviation in self.deviations if deviation.party == party]


def in_order(steps: Iterable[StepSeen]) -> list[StepSeen]:
    """Each step once, in the order in which they happened; the same whatever the order of arrival."""
    return sorted(set(steps))


def absent_ms(from_ms: int, to_ms: int, away: Sequence[Span]) -> int:
    """How much of the time from `from_ms` to `to_ms` the charger could not be heard."""
    total, reached = 0, from_ms
    for first, last in sorted(away):
        first, last = max(first, reached), min(last, to_ms)
        if last > first:
            total += last - first
            reached = last
    return total


def was_away(from_ms: int, to_ms: int, away: Sequence[Span]) -> bool:
    """Whether the charger could not be heard at some moment from `from_ms` to `to_ms`, both included."""
    return any(first <= to_ms and last >= from_ms for first, last in away)
