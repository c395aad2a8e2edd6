"""Limits of time, what may be sent again, absences, and that the order of arrival changes nothing."""

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.conformance.checker import check_login, check_session
from core.conformance.rules import GAP_MS
from core.conformance.steps import STILL_OPEN_MS, StepSeen, Verdict, absent_ms
from tests.core.conformance_courses import SECOND, T0, Script, aaf5_remote, ykc_card, ykc_login, ykc_remote


def kinds(verdict: Verdict) -> list[tuple[str, str]]:
    """Step and kind of each deviation of the charger."""
    return [(deviation.step, deviation.kind) for deviation in verdict.of("charger")]


@pytest.mark.parametrize(("at_s", "late"), [(90.0, False), (90.1, True)])
def test_an_answer_to_a_start_may_take_ninety_seconds(at_s: float, late: bool) -> None:
    script = Script(ended_ms=T0 + 600 * SECOND).down(0, "remote_start").up(at_s, "remote_start_reply", result=1)
    script.up(at_s + 1, "bms_handshake").up(at_s + 2, "bms_params")
    script.periodic(100, 600, "charging", "bms_demand", "bms_info")
    script.up(601, "charger_abort").up(602, "charge_end").up(610, "record", energy_e4kwh=1)
    found = kinds(check_session(script.course()))
    assert (("remote_start_reply", "late") in found) == late
    # the charge itself is due in the same ninety seconds after the order
    assert ("charging", "late") in found


@pytest.mark.parametrize(("after_s", "late"), [(30, False), (31, True)])
def test_a_record_is_due_within_thirty_seconds(after_s: int, late: bool) -> None:
    script = ykc_remote().without("record", "record_ack").up(600 + after_s, "record", mode=1, energy_e4kwh=1)
    verdict = check_session(script.course())
    assert kinds(verdict) == ([("record", "late")] if late else [])
    if late:
        (deviation,) = verdict.of("charger")
        assert (deviation.observed_ms, deviation.allowed_ms) == (31_000, 30_000)
        assert deviation.event_ms == T0 + 630 * SECOND


def test_a_charger_that_charges_on_after_the_order_to_stop() -> None:
    script = ykc_remote().without("remote_stop", "remote_stop_reply")
    script.down(400, "remote_stop").up(401, "remote_stop_reply", result=1)
    assert kinds(check_session(script.course())) == [("stopped_on_order", "late")]


def test_readings_that_stay_away_while_the_charger_is_heard_are_late_once() -> None:
    script = ykc_remote()
    script.steps = [
        step
        for step in script.steps
        if step.name != "charging" or not (200 < (step.event_ms - T0) / SECOND < 300 or step.event_ms - T0 > 500_000)
    ]
    script.up(598, "charging")
    (deviation,) = check_session(script.course()).deviations
    assert (deviation.step, deviation.kind, deviation.times) == ("realtime", "late", 2)
    assert deviation.observed_ms == 120_000
    assert len(deviation.evidence) == 2


def test_what_comes_again_and_again_must_not_end_long_before_the_charge() -> None:
    script = ykc_remote()
    script.steps = [step for step in script.steps if step.name != "bms_info" or step.event_ms < T0 + 300_000]
    assert kinds(check_session(script.course())) == [("bms_info", "late")]


def test_no_step_is_blamed_on_a_charger_that_could_not_be_heard() -> None:
    script = ykc_remote()
    script.steps = [step for step in script.steps if not 3_000 < step.event_ms - T0 < 200_000]
    assert len(kinds(check_session(script.course()))) > 2
    away = ((T0 + 2_000, T0 + 200_000),)
    verdict = check_session(script.course(away=away))
    assert verdict.deviations == ()
    assert verdict.due < check_session(ykc_remote().course()).due


def test_a_record_from_the_backlog_is_not_late_and_one_that_cannot_come_is_not_missing() -> None:
    script = ykc_remote().without("record", "record_ack").up(4_000, "record", mode=1, energy_e4kwh=1)
    script.down(4_000, "record_ack", result=0)
    back = ((T0 + 602 * SECOND, T0 + 3_990 * SECOND),)
    assert check_session(script.course(away=back)).deviations == ()
    gone = script.without("record", "record_ack").course(away=((T0 + 602 * SECOND, STILL_OPEN_MS),))
    assert check_session(gone).deviations == ()


def test_readings_from_the_backlog_are_neither_late_nor_out_of_order() -> None:
    script = ykc_card().without("charging", "bms_demand", "bms_info")
    script.periodic(-60, 500, "charging", every_s=60, stored=True).without("bms_demand", "bms_info")
    found = kinds(check_session(script.course()))
    assert [step for step, _kind in found if step in ("charging", "realtime")] == []


def test_a_record_is_sent_again_as_the_protocol_has_it() -> None:
    script = ykc_remote().without("record", "record_ack")
    for at_s in (602, 632, 662, 692, 902):
        script.up(at_s, "record", mode=1, energy_e4kwh=1)
    script.down(902.1, "record_ack", result=0)
    verdict = check_session(script.course())
    assert [deviation.kind for deviation in verdict.of("charger")] == []
    assert [(one.step, one.kind) for one in verdict.of("platform")] == [("record_ack", "late")]


@pytest.mark.parametrize(
    ("tries", "words"),
    [
        ((602, 632, 662, 692, 902, 932), "5 tries"),
        ((602, 604), "sooner than 25 s"),
        ((602, 602.5, 690), "after its answer"),
    ],
)
def test_a_record_that_is_sent_too_often_too_soon_or_after_its_answer(tries: tuple[float, ...], words: str) -> None:
    script = ykc_remote().without("record", "record_ack")
    for at_s in tries:
        script.up(at_s, "record", mode=1, energy_e4kwh=1)
    script.down(602.1 if "answer" in words else 999, "record_ack", result=0)
    (deviation,) = check_session(script.course()).of("charger")
    assert (deviation.step, deviation.kind, deviation.times) == ("record", "repeated", len(tries))
    assert words in deviation.detail


def test_an_answer_lost_with_its_connection_is_excused_once() -> None:
    script = ykc_remote()
    script.up(700, "record", mode=1, energy_e4kwh=1, connection_id=8).down(700, "record_ack", connection_id=8)
    assert check_session(script.course()).deviations == ()
    script.up(900, "record", mode=1, energy_e4kwh=1, connection_id=9).down(900, "record_ack", connection_id=9)
    assert kinds(check_session(script.course())) == [("record", "repeated")]


def test_an_aaf5_record_may_come_as_often_as_it_likes_until_it_is_answered() -> None:
    script = aaf5_remote().without("record", "record_ack")
    for at_s in range(200):
        script.up(601 + at_s / 100, "record", mode=1, energy_e4kwh=1)
    script.down(603.5, "record_ack").up(620, "record", mode=1, energy_e4kwh=1)
    assert check_session(script.course()).deviations == ()
    script.up(640, "record", mode=1, energy_e4kwh=1)
    assert kinds(check_session(script.course())) == [("record", "repeated")]


def test_a_login_may_be_repeated_until_it_is_answered() -> None:
    script = ykc_login().up(-20, "login").up(-10, "login")
    assert [(one.step, one.kind) for one in check_login(script.course()).of("charger")] == []
    script = ykc_login().up(50, "tariff_check")
    assert kinds(check_login(script.course())) == [("tariff_check", "repeated")]


def test_the_platform_answers_an_aaf5_login_within_five_seconds() -> None:
    script = Script("aaf5").up(0, "login").down(6, "login_ack", result=0)
    verdict = check_login(script.course())
    assert [(one.step, one.kind, one.party) for one in verdict.deviations] == [("login_ack", "late", "platform")]


def test_absences_are_counted_once() -> None:
    assert absent_ms(0, 100, ((10, 20), (15, 30), (90, STILL_OPEN_MS))) == 30
    assert absent_ms(12, 18, ((10, 20),)) == 6
    assert absent_ms(5, 5, ((0, 9),)) == 0


def runs(steps: list[StepSeen]) -> list[StepSeen]:
    """The same with each run in which none is further from the next than the limit as one step."""
    found: list[StepSeen] = []
    for step in steps:
        if found and step.event_ms - found[-1].end_ms <= GAP_MS:
            found[-1] = msgspec.structs.replace(found[-1], until_ms=step.event_ms, last_key=step.key)
        else:
            found.append(step)
    return found


SCRIPTS = st.sampled_from([ykc_remote, ykc_card, aaf5_remote])


@settings(max_examples=60, deadline=None)
@given(SCRIPTS, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(make: type, rng: random.Random) -> None:
    script: Script = make(90)
    names = sorted({step.name for step in script.steps})
    script.without(*rng.sample(names, rng.randrange(3)))
    script.steps += rng.choices(script.steps, k=3)  # duplicates
    moved = [
        msgspec.structs.replace(step, event_ms=step.event_ms + rng.choice((0, 0, 0, -40_000, 100_000)))
        for step in script.steps
    ]
    course = script.course()
    first = check_session(msgspec.structs.replace(course, steps=tuple(moved)))
    rng.shuffle(moved)
    assert check_session(msgspec.structs.replace(course, steps=tuple(moved))) == first
    assert 0 <= first.kept <= first.due
    assert first.due - first.kept == len({one.step for one in first.of("charger")})


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 38), max_size=30))
def test_a_run_of_readings_says_the_same_as_its_readings(gone: set[int]) -> None:
    script = ykc_remote()
    charging = [step for step in script.steps if step.name == "charging"]
    script.steps = [step for step in script.steps if step.name != "charging"]
    script.steps += [step for place, step in enumerate(charging) if place not in gone]
    kept = [step for step in script.steps if step.name == "charging"]
    whole = check_session(script.course())
    script.steps = [step for step in script.steps if step.name != "charging"] + runs(kept)
    assert check_session(script.course()) == whole


def test_a_record_that_fell_due_in_an_absence_is_not_late_however_long_it_took_afterwards() -> None:
    script = ykc_remote().without("record", "record_ack").up(900, "record", mode=1, energy_e4kwh=1)
    assert kinds(check_session(script.course())) == [("record", "late")]
    assert kinds(check_session(script.course(away=((T0 + 620 * SECOND, T0 + 800 * SECOND),)))) == []


def test_a_record_that_a_charger_never_sent_after_it_had_come_back_is_missing() -> None:
    script = ykc_remote().without("record", "record_ack")
    back = ((T0 + 602 * SECOND, T0 + 900 * SECOND),)
    assert kinds(check_session(script.course(away=back))) == [("record", "missing")]


def test_the_steps_before_the_first_one_that_was_heard_may_have_come_in_an_absence() -> None:
    names = ("start_request", "start_reply", "bms_handshake", "bms_params", "record")
    script = ykc_card().without(*names).up(603, "record", mode=4, energy_e4kwh=80_000)
    assert kinds(check_session(script.course(away=((T0 - 60 * SECOND, T0 + 9 * SECOND),)))) == []
    earlier = ((T0 - 200 * SECOND, T0 - 90 * SECOND),)
    missing = [("bms_handshake", "missing"), ("bms_params", "missing")]
    assert sorted(kinds(check_session(script.course(away=earlier)))) == missing


def test_an_answer_that_fell_due_in_an_absence_is_excused_even_if_the_charge_was_seen_only_later() -> None:
    script = aaf5_remote().without("start_reply")
    script.steps = [step for step in script.steps if step.name != "charging" or step.event_ms > T0 + 60 * SECOND]
    assert kinds(check_session(script.course(away=((T0 + 5 * SECOND, T0 + 59 * SECOND),)))) == []
    assert kinds(check_session(script.course())) == [("start_reply", "never_answered")]


def test_a_record_from_the_backlog_may_come_before_the_state_after_the_login() -> None:
    script = aaf5_remote().without("stopped", "record", "record_ack")
    script.up(700, "record", mode=1, energy_e4kwh=80_000).down(700.1, "record_ack").up(701, "stopped", mode=1)
    assert ("stopped", "out_of_order") in kinds(check_session(script.course()))
    assert check_session(script.course(away=((T0 + 599 * SECOND, T0 + 699 * SECOND),))).deviations == ()
