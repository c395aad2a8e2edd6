"""The state machine that holds a course against its flow and says where it departs."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final

import msgspec

from core.conformance.flows import FLOWS, flow_of
from core.conformance.patterns import order_text, pattern_text
from core.conformance.rules import ENDED, MINUTE_MS, SECOND_MS, Flow, Rule
from core.conformance.steps import (
    CHARGING,
    NO_FRAME,
    STILL_OPEN_MS,
    Course,
    Deviation,
    FrameKey,
    StepSeen,
    Verdict,
    absent_ms,
    in_order,
    was_away,
)

CROSSING_MS: Final = 5 * SECOND_MS
"""A repetition so soon after its answer had left before it was heard."""
FIRST_STEPS_MS: Final = MINUTE_MS
"""How long before the first step that was heard the ones before it may have come."""
MOST_EVIDENCE: Final = 8


def check_session(course: Course) -> Verdict:
    """Hold a session that is over against the flow that it followed."""
    steps = in_order(course.steps)
    return _Check(flow_of(course.protocol, steps), course, steps).verdict()


def check_login(course: Course) -> Verdict:
    """Hold the beginning of a connection against the flow of logins."""
    return _Check(FLOWS[course.protocol, "login"], course, in_order(course.steps)).verdict()


class _Owed(msgspec.Struct):
    """A rule, and the steps that count as it, in their order; those with an exact time apart."""

    rule: Rule
    seen: list[StepSeen]
    timed: list[StepSeen]

    @property
    def first(self) -> StepSeen | None:
        """The first one whose moment is known exactly."""
        return self.timed[0] if self.timed else None


class _Check:
    """One course against one flow. Each rule is looked at by itself; what it finds is sorted at the end."""

    def __init__(self, flow: Flow, course: Course, steps: list[StepSeen]) -> None:
        self._flow = flow
        self._course = course
        self._steps = [step for step in steps if step.taken]
        self._before_login = [step for step in steps if not step.taken]
        self._platform_heard = any(step.direction == "down" for step in self._steps)
        self._rules = {rule.name: rule for rule in flow.rules if course.current_kind == "dc" or not rule.dc_only}
        self._owed = {name: self._of(rule) for name, rule in self._rules.items()}
        self._conflicts = self._find_conflicts()
        self._found: list[Deviation] = []

    def verdict(self) -> Verdict:
        """Look at every rule once."""
        due: set[str] = set()
        for owed in self._owed.values():
            if owed.rule.party == "platform" and not self._platform_heard:
                continue
            if self._is_due(owed):
                due.add(owed.rule.name)
            if owed.seen:
                self._check_repeated(owed)
                self._check_late(owed)
                self._check_period(owed)
        for owed in self._out_of_place():
            self._note_out_of_order(owed)
        self._check_before_login()
        found = tuple(sorted(set(self._found)))
        faulty = {deviation.step for deviation in found if deviation.party == "charger"}
        numbers = self._flow.numbers(self._course.current_kind)
        owing = {name for name in due if self._rules[name].party == "charger"} | faulty
        return Verdict(
            flow=self._flow.name,
            deviations=found,
            due=len(owing),
            kept=len(owing - faulty),
            order=order_text(numbers, {name: owed.seen[0] for name, owed in self._owed.items() if owed.seen}, found),
            pattern=pattern_text(numbers, self._conflicts, found),
        )

    def _of(self, rule: Rule) -> _Owed:
        seen = [step for step in self._steps if step.name in rule.counts]
        if rule.counts == (ENDED,) and self._course.ended_ms:
            seen = [_end_of_charge(self._course.ended_ms)]
        return _Owed(rule, seen, [step for step in seen if not step.stored])

    # --- missing and never answered

    def _is_due(self, owed: _Owed) -> bool:
        """Whether the step was owed; notes it where it did not come and nothing excuses that."""
        rule = owed.rule
        if not rule.due or not self._is_called_for(rule) or rule.counts == (ENDED,):
            return bool(rule.counts == (ENDED,) and owed.seen and self._is_called_for(rule))
        if owed.seen:
            return True
        from_ms, to_ms = self._window(rule)
        if rule.period_ms and to_ms - from_ms <= rule.period_ms:
            return False
        asked = self._owed.get(rule.answers)
        if asked is not None and asked.seen:
            from_ms = min(from_ms, asked.seen[0].event_ms)
        if self._excused(rule, from_ms, to_ms):
            return False
        anchor = self._anchor(rule)
        never_answered = asked is not None and bool(asked.seen)
        self._note(
            rule,
            "never_answered" if never_answered else "missing",
            anchor.event_ms + rule.within_ms if anchor else to_ms,
            f"no answer to {rule.answers}" if never_answered else "it never came",
            _keys(asked.seen[:1]) if never_answered and asked else self._around(rule),
            allowed_ms=rule.within_ms,
        )
        return True

    def _is_called_for(self, rule: Rule) -> bool:
        if not rule.due_with:
            return True
        callers = [step for name in rule.due_with if name in self._owed for step in self._owed[name].seen]
        return any(rule.due_result is None or step.result == rule.due_result for step in callers)

    def _excused(self, rule: Rule, from_ms: int, to_ms: int) -> bool:
        """A step that is sent once is lost when the charger could not be heard; a record is sent again later."""
        if rule.answered_by:
            return any(last >= STILL_OPEN_MS and first <= to_ms + rule.within_ms for first, last in self._course.away)
        if rule.period_ms:
            return to_ms - from_ms - absent_ms(from_ms, to_ms, self._course.away) <= rule.period_ms
        return was_away(from_ms, to_ms, self._course.away)

    def _window(self, rule: Rule) -> tuple[int, int]:
        """From when to when the step should have come, by the steps around it."""
        before = [owed.first.event_ms for owed in self._before(rule) if owed.first]
        behind = [owed.first.event_ms for owed in self._behind(rule) if owed.first]
        if rule.period_ms:
            charging = [step for step in self._steps if step.name == CHARGING and not step.stored]
            begin = max([*before, *(step.event_ms for step in charging[:1])], default=0)
            return begin, max([begin, *(step.end_ms for step in charging)])
        times = [step.event_ms for step in self._steps]
        # What comes first of all may have come while the charger could not be heard, before anything else did.
        from_ms = max(before, default=min(times, default=0) - FIRST_STEPS_MS)
        ended = [self._course.ended_ms] if self._course.ended_ms > from_ms else []
        return from_ms, max(from_ms, min([*behind, *ended], default=max(times, default=from_ms)))

    def _before(self, rule: Rule) -> list[_Owed]:
        """The rules that come before this one, near and far."""
        near = [self._owed[name] for name in rule.after if name in self._owed]
        return near + [owed for one in near for owed in self._before(one.rule)]

    def _behind(self, rule: Rule) -> list[_Owed]:
        return [owed for owed in self._owed.values() if any(one.rule is rule for one in self._before(owed.rule))]

    def _around(self, rule: Rule) -> list[FrameKey]:
        """The last step before the place where one is missing, and the first one behind it: they are the evidence.

        What should have come throughout a charge is shown by the first and the last reading of that.
        """
        before = [owed.first for owed in self._before(rule) if owed.first]
        behind = [owed.first for owed in self._behind(rule) if owed.first]
        charging = [step for step in self._steps if step.name == CHARGING and rule.period_ms]
        keys = [*_keys(sorted(before)[-1:]), *_keys(charging[:1]), *(step.end_key for step in charging[-1:])]
        return [*keys, *_keys(sorted(behind)[:1])]

    # --- late

    def _anchor(self, rule: Rule) -> StepSeen | None:
        """The step that the time limit of a rule counts from, None when it was not seen."""
        for name in rule.since:
            if name == ENDED and self._course.ended_ms:
                return _end_of_charge(self._course.ended_ms)
            owed = self._owed.get(name)
            if owed is not None and owed.first is not None:
                return owed.first
        return None

    def _check_late(self, owed: _Owed) -> None:
        rule, first, anchor = owed.rule, owed.first, self._anchor(owed.rule)
        if not rule.within_ms or first is None or anchor is None:
            return
        due_ms = anchor.event_ms + rule.within_ms
        taken_ms = first.event_ms - anchor.event_ms - absent_ms(anchor.event_ms, first.event_ms, self._course.away)
        if taken_ms <= rule.within_ms or was_away(anchor.event_ms, due_ms, self._course.away):
            return
        since = "the end of the charge" if anchor.name == ENDED else anchor.name
        self._note(
            rule,
            "late",
            due_ms,
            f"{_seconds(taken_ms)} after {since}, allowed are {_seconds(rule.within_ms)}",
            _keys([anchor, first]),
            observed_ms=taken_ms,
            allowed_ms=rule.within_ms,
            times=1,
        )

    def _check_period(self, owed: _Owed) -> None:
        """What comes again and again, for as long as the charge goes on."""
        rule = owed.rule
        if not rule.period_ms or not owed.timed:
            return
        _begin, end_ms = self._window(rule)
        gaps = []
        following = [*owed.timed[1:], None]
        for step, after in zip(owed.timed, following, strict=True):
            until_ms = min(after.event_ms, end_ms) if after else end_ms
            length = until_ms - step.end_ms - absent_ms(step.end_ms, until_ms, self._course.away)
            if length > rule.period_ms:
                gaps.append((length, step, after))
        if not gaps:
            return
        longest, step, after = max(gaps, key=lambda gap: (gap[0], -gap[1].event_ms))
        often = "once" if len(gaps) == 1 else f"{len(gaps)} times"
        self._note(
            rule,
            "late",
            step.end_ms + rule.period_ms,
            f"silent for up to {_seconds(longest)} although the charger was heard, {often}",
            [step.end_key, after.key] if after else [step.end_key],
            observed_ms=longest,
            allowed_ms=rule.period_ms,
            times=len(gaps),
        )

    # --- repeated

    def _check_repeated(self, owed: _Owed) -> None:
        rule = owed.rule
        if rule.period_ms or rule.counts == (ENDED,):
            return
        if rule.answered_by:
            self._check_resent(owed)
            return
        if not rule.most:
            return
        for name in rule.counts:
            seen = [step for step in owed.seen if step.name == name]
            most = rule.most
            if rule.again_if_reason is not None and seen and seen[0].reason == rule.again_if_reason:
                most += 1
            if len(seen) > most:
                self._note_repeated(rule, seen, seen[most:], f"came {len(seen)} times, {_times(most)} is right")

    def _check_resent(self, owed: _Owed) -> None:
        """What is sent again until it is answered: not too often, not too soon, and not afterwards."""
        rule = owed.rule
        answers = [step for step in self._owed[rule.answered_by].seen if step.direction == "down"]
        useless: list[StepSeen] = []
        too_soon: list[StepSeen] = []
        too_often: list[StepSeen] = []
        for connection in sorted({step.connection_id for step in owed.seen}):
            tries = [step for step in owed.seen if step.connection_id == connection]
            answered = [step for step in answers if step.connection_id == connection]
            elsewhere = {step.connection_id for step in answers if step.event_ms < tries[0].event_ms} - {connection}
            # The answer may have been lost with the connection that it went out on, but not with one after the other.
            after_ms = tries[0].event_ms - CROSSING_MS - 1 if len(elsewhere) > 1 else STILL_OPEN_MS
            after_ms = min([after_ms, *(step.event_ms for step in answered)])
            useless += [step for step in tries if step.event_ms > after_ms + CROSSING_MS]
            open_tries = [step for step in tries if step.event_ms <= after_ms + CROSSING_MS]
            for step, after in pairwise(open_tries):
                if after.event_ms - step.event_ms < rule.spacing_ms:
                    too_soon.append(after)
            if rule.most:
                too_often += open_tries[rule.most :]
        if len(useless) > rule.excused:
            detail = f"sent {_times(len(useless))} more after its answer"
            self._note_repeated(rule, owed.seen, useless, detail)
        elif too_soon:
            detail = f"sent again {_times(len(too_soon))} sooner than {_seconds(rule.spacing_ms)} after the try before"
            self._note_repeated(rule, owed.seen, too_soon, detail)
        elif too_often:
            most = f"{rule.most} tries are allowed on one connection"
            self._note_repeated(rule, owed.seen, too_often, f"came {len(owed.seen)} times, {most}")

    def _note_repeated(self, rule: Rule, seen: list[StepSeen], wrong: list[StepSeen], detail: str) -> None:
        self._note(rule, "repeated", wrong[0].event_ms, detail, _keys([*seen[:1], *wrong]), times=len(seen))

    # --- out of order

    def _out_of_place(self) -> list[_Owed]:
        """The fewest steps without which the rest stands in its order; of two that changed places, the later one."""
        conflicts = {name: set(others) for name, others in self._conflicts.items()}
        place = {name: number for number, name in enumerate(self._owed)}
        wrong: list[_Owed] = []
        while any(conflicts.values()):
            name = max(conflicts, key=lambda one: (len(conflicts[one]), place[one]))
            wrong.append(self._owed[name])
            for other in conflicts.pop(name):
                conflicts[other].discard(name)
        return wrong

    def _find_conflicts(self) -> dict[str, set[str]]:
        """The steps that came on the wrong side of each other, as far as their moments are known."""
        conflicts: dict[str, set[str]] = {}
        for owed in self._owed.values():
            for before in self._before(owed.rule):
                if owed.first and before.first and owed.first < before.first and not self._is_backlog(owed):
                    conflicts.setdefault(owed.rule.name, set()).add(before.rule.name)
                    conflicts.setdefault(before.rule.name, set()).add(owed.rule.name)
        return conflicts

    def _is_backlog(self, owed: _Owed) -> bool:
        """A record that waited for the next login comes in any order, and its answer with it (section 5 of both)."""
        if owed.rule.answers and (asked := self._owed.get(owed.rule.answers)) is not None and self._is_backlog(asked):
            return True
        ended_ms, first = self._course.ended_ms, owed.first
        if not owed.rule.answered_by or first is None or not ended_ms:
            return False
        return was_away(min(ended_ms, first.event_ms), first.event_ms, self._course.away)

    def _note_out_of_order(self, owed: _Owed) -> None:
        first = owed.first
        if first is None:
            return
        too_early = [one for one in self._before(owed.rule) if one.first and first < one.first]
        too_late = [one for one in self._behind(owed.rule) if one.first and one.first < first]
        names = {"before": too_early, "after": too_late}
        words = [f"{word} {_listed(one.rule.name for one in ones)}" for word, ones in names.items() if ones]
        others = sorted(one.first for one in (*too_early, *too_late) if one.first)
        self._note(
            owed.rule, "out_of_order", first.event_ms, f"came {' and '.join(words)}", _keys([first, *others]), times=1
        )

    def _check_before_login(self) -> None:
        if not self._before_login or "login" not in self._rules:
            return
        first = self._before_login[0]
        names = _listed(step.name for step in self._before_login)
        self._note(
            self._rules["login"],
            "out_of_order",
            first.event_ms,
            f"sent {names} before it",
            _keys(self._before_login),
            times=len(self._before_login),
        )

    def _note(
        self,
        rule: Rule,
        kind: str,
        event_ms: int,
        detail: str,
        evidence: Iterable[FrameKey],
        *,
        observed_ms: int = 0,
        allowed_ms: int = 0,
        times: int = 0,
    ) -> None:
        self._found.append(
            msgspec.convert(
                {
                    "event_ms": event_ms,
                    "step": rule.name,
                    "kind": kind,
                    "party": rule.party,
                    "detail": detail,
                    "observed_ms": observed_ms,
                    "allowed_ms": allowed_ms,
                    "times": times,
                    "evidence": tuple(dict.fromkeys(key for key in evidence if key != NO_FRAME))[:MOST_EVIDENCE],
                },
                Deviation,
            )
        )


def _end_of_charge(at_ms: int) -> StepSeen:
    return StepSeen(event_ms=at_ms, key=NO_FRAME, name=ENDED, receive_ms=at_ms)


def _keys(steps: Iterable[StepSeen]) -> list[FrameKey]:
    return [step.key for step in steps]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _seconds(length_ms: int) -> str:
    return f"{length_ms / SECOND_MS:.1f} s" if length_ms < 10 * SECOND_MS else f"{length_ms // SECOND_MS} s"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
