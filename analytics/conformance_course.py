"""From the stored frames, readings and absences around one session to its course, as the checker takes it in."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

import msgspec

from analytics.session_facts import merge_spans
from core.conformance.observed import Observed, message_name, observed
from core.conformance.rules import ANSWER_MS, GAP_MS, MINUTE_MS, SECOND_MS
from core.conformance.steps import CHARGING, NO_FRAME, NOT_SAID, STILL_OPEN_MS, STOPPED, Course, Span, StepSeen
from core.directory import Pile

BEFORE_MS: Final = 30 * MINUTE_MS
"""How long before its start, which may be the first reading that came, a session's first steps are looked for."""
AFTER_MS: Final = 30 * MINUTE_MS
"""How long after its end, or its record, what belongs to a session is looked for."""
LONGEST_MS: Final = 3 * 24 * 60 * MINUTE_MS
START_BEFORE_MS: Final = 130 * SECOND_MS
"""A start that does not name the session it led to came at most so long before the charge (aaf5.md section 5)."""
REPLY_AFTER_MS: Final = 150 * SECOND_MS
STOP_CROSSING_MS: Final = 5 * SECOND_MS
READING_PERIOD_MS: Final = 15 * SECOND_MS

_OTHER_STATE, _CHARGING_STATE = 0, 1
_END_STEPS = ("bms_abort", "charger_abort", "charge_end")
_STOP_ORDERS, _STOP_ANSWERS = ("remote_stop", "control"), ("remote_stop_reply", "control_reply")
_REQUEST_OF: Final = {"start_reply": "start_request", "parallel_start_reply": "parallel_start_request"}
_CARD_MODE = 0


class EndedSession(msgspec.Struct, frozen=True, array_like=True):
    """A session that is over, by its newest revision (`conformance_sessions.sql`)."""

    pile_id: int
    connector: int
    trade_no: str
    operator_id: int
    station_id: int
    pile: str
    zone: str
    local_day: Any
    start_ms: int
    end_ms: int
    after_ms: int
    bill_receive_ms: int
    start_command_ms: int
    current_kind: str
    bill_state: str
    batch_id: int
    charging_readings: int

    @property
    def key(self) -> tuple[int, int, str, int]:
        """What names it, with no connection."""
        return self.pile_id, self.connector, self.trade_no, 0

    @property
    def window(self) -> Span:
        """From when to when its steps are looked for; a clock that is years off must not open a window of years."""
        if not self.charging_readings and self.bill_receive_ms:
            # Its times are those of the charger's clock alone; what is true is when the record came.
            told = [ms for ms in (self.start_command_ms, self.start_ms) if ms and ms <= self.bill_receive_ms]
            last_ms = self.bill_receive_ms
        else:
            told = [ms for ms in (self.start_command_ms, self.start_ms) if ms]
            last_ms = max(self.end_ms, self.bill_receive_ms, *told, 0)
        first_ms = max(min(told, default=last_ms), last_ms - LONGEST_MS)
        return first_ms - BEFORE_MS, last_ms + AFTER_MS

    @property
    def last_fact_ms(self) -> int:
        """When something of it came last."""
        return max(self.end_ms if self.charging_readings else 0, self.bill_receive_ms, self.start_command_ms)


class StoredFrame(msgspec.Struct, frozen=True, array_like=True):
    """A frame that may be a step (`conformance_frames.sql`)."""

    receive_ms: int
    direction: str
    frame_type: int
    connection_id: int
    trade_no: str
    seq: int
    frame_hex: str
    segment_id: int
    segment_offset: int


class Run(msgspec.Struct, frozen=True, array_like=True):
    """Equal things that came again and again (`conformance_runs.sql`)."""

    kind: int
    stored: int
    first_ms: int
    last_ms: int
    times: int
    first_key: tuple[int, int]
    last_key: tuple[int, int]
    first_receive_ms: int
    last_receive_ms: int
    connection_id: int
    start_mode: int


class Surroundings(msgspec.Struct):
    """What is stored around one session, each kind in the order of time.

    `heard`: connection, first and last moment of a minute in which the charger was heard. `links`: connection, event
    (login, closed, replaced) and moment. `outages`: when the platform itself could not hear.
    """

    frames: Sequence[StoredFrame] = ()
    runs: Sequence[Run] = ()
    heard: Sequence[tuple[int, int, int]] = ()
    links: Sequence[tuple[int, str, int]] = ()
    outages: Sequence[Span] = ()


def course_of(session: EndedSession, pile: Pile, around: Surroundings) -> Course:
    """The steps of the session, and when its charger could not be heard."""
    seen = [
        _Seen(frame, observed(pile.protocol, frame.frame_type, bytes.fromhex(frame.frame_hex)))
        for frame in around.frames
    ]
    runs = _runs_as_steps(pile.protocol, around.runs)
    named = [one for one in seen if one.frame.trade_no == session.trade_no]
    others = [one for one in seen if one.frame.trade_no != session.trade_no]
    charging = [step for step in runs if step.name == CHARGING and not step.stored]
    charged_ms = max((step.end_ms for step in charging), default=0)
    ended_ms = _ended_ms(session, charged_ms, [*runs, *(one.step() for one in named)])
    began_ms = min((step.event_ms for step in charging), default=session.start_ms)
    if pile.protocol == "aaf5":
        started = _aaf5_start(session, pile, others, named, began_ms)
    else:
        started = [found for one in named if (found := _request_of(one, others))]
    first_ms = min([began_ms, *(one.frame.receive_ms for one in (*named, *started))])
    stopped = _stop_orders([*named, *others], first_ms, ended_ms) if ended_ms else []
    frames = [*(one for one in named if one.says.name not in (*_STOP_ORDERS, *_STOP_ANSWERS)), *started, *stopped]
    frames += _record_acks(named, others)
    steps = (*runs, *(one.step() for one in frames if one.says.name))
    return Course(
        protocol=pile.protocol,
        steps=steps,
        current_kind=session.current_kind or pile.current_kind,
        away=_away(session, pile, around, steps),
        ended_ms=ended_ms,
    )


class _Seen(msgspec.Struct, frozen=True):
    """A frame and what it says."""

    frame: StoredFrame
    says: Observed

    def step(self) -> StepSeen:
        """The step that it is."""
        frame, says = self.frame, self.says
        return StepSeen(
            event_ms=frame.receive_ms,
            key=(frame.segment_id, frame.segment_offset),
            name=says.name,
            receive_ms=frame.receive_ms,
            direction="down" if frame.direction == "down" else "up",
            connection_id=frame.connection_id,
            result=says.result,
            reason=says.reason,
            mode=says.mode,
            energy_e4kwh=says.energy_e4kwh,
        )


def _runs_as_steps(protocol: str, runs: Sequence[Run]) -> list[StepSeen]:
    """Runs as steps; of the readings in another state only the first one after the last charging one is a step."""
    charging = [run for run in runs if run.kind == _CHARGING_STATE]
    # A clock that is far behind makes every reading look like one that was kept.
    exact = [run for run in charging if not run.stored] or charging
    charged = max(((run.last_ms, run.last_key) for run in exact), default=(0, NO_FRAME))
    others = [run for run in runs if run.kind == _OTHER_STATE and not run.stored]
    # The state may change within the millisecond of the last reading.
    idle = [run for run in others if (run.first_ms, run.first_key) > charged > (0, NO_FRAME)]
    stopped = min(idle, key=lambda run: (run.first_ms, run.first_key), default=None)
    steps = []
    for run in runs:
        if run.kind == _OTHER_STATE and run is not stopped:
            continue
        is_run = run.times > 1 and run is not stopped
        steps.append(
            StepSeen(
                event_ms=run.first_ms,
                key=run.first_key,
                name=_name_of_run(protocol, run.kind),
                receive_ms=run.first_receive_ms,
                connection_id=run.connection_id,
                stored=bool(run.stored),
                mode=run.start_mode if protocol == "aaf5" and run.kind <= _CHARGING_STATE else NOT_SAID,
                until_ms=run.last_ms if is_run else 0,
                last_key=run.last_key if is_run else NO_FRAME,
            )
        )
    return steps


def _name_of_run(protocol: str, kind: int) -> str:
    if kind == _CHARGING_STATE:
        return CHARGING
    return STOPPED if kind == _OTHER_STATE else message_name(protocol, kind)


def _ended_ms(session: EndedSession, charged_ms: int, steps: Iterable[StepSeen]) -> int:
    """The first sign after the last charging reading that it was the last; without one, a period later."""
    if not charged_ms:
        return 0
    signs = [session.after_ms, *(step.event_ms for step in steps if step.name in (STOPPED, *_END_STEPS))]
    found = [sign for sign in signs if charged_ms <= sign <= charged_ms + GAP_MS]
    return min(found, default=charged_ms + READING_PERIOD_MS)


def _request_of(reply: _Seen, others: Sequence[_Seen]) -> _Seen | None:
    """The request at the charger that a reply answers: the last one before it with its sequence number."""
    wanted = _REQUEST_OF.get(reply.says.name)
    asked = [
        one
        for one in others
        if one.says.name == wanted
        and one.frame.seq == reply.frame.seq
        and 0 <= reply.frame.receive_ms - one.frame.receive_ms <= ANSWER_MS
    ]
    return asked[-1] if asked else None


def _aaf5_start(
    session: EndedSession, pile: Pile, others: Sequence[_Seen], named: Sequence[_Seen], began_ms: int
) -> list[_Seen]:
    """Orders and card checks that led to the charge, where they cannot name it (aaf5.md sections 4 and 6).

    A charger that gives no serial names its session by pile and time, so that an order under another number is its.
    """
    own_number = session.trade_no.startswith(f"{pile.code}-")
    nameless = [one for one in others if own_number or not one.frame.trade_no]
    until_ms = began_ms + REPLY_AFTER_MS
    near = [one for one in nameless if began_ms - START_BEFORE_MS <= one.frame.receive_ms <= until_ms]
    found = [one for one in named if one.says.name == "start"]
    orders = (
        [] if found else [one for one in near if one.says.name == "start" and one.frame.receive_ms <= began_ms][-1:]
    )
    if found or orders:
        ordered_ms = (found or orders)[0].frame.receive_ms
        replies = [one for one in near if one.says.name == "start_reply" and one.frame.receive_ms >= ordered_ms]
        return orders + replies[:1]
    card = next((one.says.card for one in named if one.says.name == "record"), "")
    modes = {one.says.mode for one in named if one.says.name == "record"}
    if modes and _CARD_MODE not in modes:
        return []
    asked = [
        one
        for one in near
        if one.says.name in ("account_query", "account_reply")
        and one.frame.receive_ms <= began_ms
        and (one.says.name == "account_reply" or not card or one.says.card == card)
    ]
    return asked if any(one.says.name == "account_query" for one in asked) else []


def _record_acks(named: Sequence[_Seen], others: Sequence[_Seen]) -> list[_Seen]:
    """The answers to records without a serial: they name the card, and come over the record's connection."""
    acks = [one for one in others if one.says.name == "record_ack" and not one.frame.trade_no]
    found = []
    for record in named:
        if record.says.name != "record":
            continue
        mine = [
            ack
            for ack in acks
            if ack.frame.connection_id == record.frame.connection_id
            and ack.says.card == record.says.card
            and 0 <= ack.frame.receive_ms - record.frame.receive_ms <= ANSWER_MS
        ]
        found += mine[:1]
    return list(dict.fromkeys(found))


def _stop_orders(seen: Sequence[_Seen], first_ms: int, ended_ms: int) -> list[_Seen]:
    """Orders to stop while the charge went on, and the first answer to each."""
    until_ms = ended_ms + STOP_CROSSING_MS
    orders = [one for one in seen if one.says.name in _STOP_ORDERS and first_ms <= one.frame.receive_ms <= until_ms]
    if not orders:
        return []
    ordered_ms = min(one.frame.receive_ms for one in orders)
    answers = [
        one
        for one in seen
        if one.says.name in _STOP_ANSWERS and ordered_ms <= one.frame.receive_ms <= until_ms + ANSWER_MS
    ]
    return [*orders, *answers]


def _away(session: EndedSession, pile: Pile, around: Surroundings, steps: Sequence[StepSeen]) -> tuple[Span, ...]:
    """When the charger could not be heard: silences, the time between two connections, and outages of the platform.

    A reading that it had kept says so as well: until it came, nothing could be heard of what followed it.
    Where each gun has a connection of its own, only those count that this session was told over.
    """
    own = {step.connection_id for step in steps}
    heard = [one for one in around.heard if not pile.gun_letters or one[0] in own]
    links = [one for one in around.links if not pile.gun_letters or one[0] in own]
    spans: list[Span] = list(around.outages)
    spans += [(run.last_ms, run.last_receive_ms) for run in around.runs if run.stored]
    if heard:
        told = [(first, last) for _connection, first, last in heard]
        told += [(step.event_ms, step.end_ms) for step in steps if not step.stored]
        merged = merge_spans(sorted(told), silence_ms=GAP_MS)
        spans += [(before[1], after[0]) for before, after in pairwise(merged)]
        if session.bill_state == "lost_offline":
            spans.append((merged[-1][1], STILL_OPEN_MS))
    return tuple(sorted({*spans, *_between_connections(links, heard, steps)}))


def _between_connections(
    links: Sequence[tuple[int, str, int]], heard: Sequence[tuple[int, int, int]], steps: Sequence[StepSeen]
) -> list[Span]:
    """From when a connection was heard last to the login of the next one; not every end of a connection is told."""
    lasts = [(connection, last) for connection, _first, last in heard]
    lasts += [(step.connection_id, step.end_ms) for step in steps if not step.stored]
    spans = []
    for number, (connection, event, at_ms) in enumerate(links):
        if event != "login":
            continue
        others = [last for other, last in lasts if other != connection and last <= at_ms]
        ends = [end_ms for other, what, end_ms in links[:number] if what != "login" and other != connection]
        if last_ms := max(others, default=max(ends, default=0)):
            spans.append((last_ms, at_ms))
    return spans
