"""The order of steps: what is missing, repeated or has changed places, for every flow of both protocols."""

import pytest

from core.conformance.checker import check_login, check_session
from core.conformance.flows import FLOWS
from core.conformance.steps import Deviation, Verdict
from tests.core.conformance_courses import T0, Script, aaf5_remote, ykc_card, ykc_login, ykc_remote

STEPS = {
    1: "remote_start_reply",
    2: "bms_handshake",
    3: "bms_params",
    4: "charging",
    5: "abort_reason",
    6: "charge_end",
}


def kinds(verdict: Verdict) -> list[tuple[str, str]]:
    """Step and kind of each deviation."""
    return [(deviation.step, deviation.kind) for deviation in verdict.deviations]


def only(verdict: Verdict) -> Deviation:
    """The one deviation that there is."""
    assert len(verdict.deviations) == 1, verdict.deviations
    return verdict.deviations[0]


@pytest.mark.parametrize(
    ("script", "flow"),
    [
        (ykc_remote(), "remote_start"),
        (ykc_card(), "local_start"),
        (aaf5_remote(), "remote_start"),
        (ykc_remote().without("remote_start", "remote_start_reply", "record"), "unknown_start"),
    ],
)
def test_the_flow_is_told_from_what_was_seen(script: Script, flow: str) -> None:
    assert check_session(script.course()).flow == flow


@pytest.mark.parametrize("script", [ykc_remote(), ykc_card(), aaf5_remote()])
def test_a_clean_session_has_no_deviation_and_owes_nothing(script: Script) -> None:
    verdict = check_session(script.course())
    assert verdict.deviations == ()
    assert verdict.due == verdict.kept > 3
    assert verdict.pattern == ""
    assert verdict.order == " ".join(str(number) for number in range(1, len(verdict.order.split()) + 1))


def test_a_clean_login_has_no_deviation() -> None:
    verdict = check_login(ykc_login().course())
    assert verdict.deviations == ()
    assert verdict.due == verdict.kept == 4


def test_a_charger_that_eats_one_three_four_five_skipped_the_second_step() -> None:
    verdict = check_session(ykc_remote().without("bms_handshake").course())
    assert kinds(verdict) == [("bms_handshake", "missing")]
    assert verdict.pattern == "SKIP(2)"
    assert verdict.order == "1 3 4 5 6 7"
    assert (verdict.due, verdict.kept) == (verdict.due, verdict.due - 1)
    assert only(verdict).party == "charger"
    # the steps on both sides of the hole are the evidence
    assert only(verdict).evidence == ((1, 2), (1, 4))


def test_two_steps_that_changed_places() -> None:
    script = ykc_remote().without("bms_handshake", "bms_params")
    script.up(4, "bms_params").up(6, "bms_handshake")
    verdict = check_session(script.course())
    assert kinds(verdict) == [("bms_params", "out_of_order")]
    assert verdict.pattern == "SWAP(2,3)"
    assert verdict.order.startswith("1 3 2 ")
    assert "before bms_handshake" in only(verdict).detail


def test_a_step_that_came_last_is_the_one_in_the_wrong_place() -> None:
    script = ykc_remote().without("remote_start_reply").up(599, "remote_start_reply", result=1, reason=0)
    verdict = check_session(script.course())
    assert ("remote_start_reply", "out_of_order") in kinds(verdict)
    assert {step for step, kind in kinds(verdict) if kind == "out_of_order"} == {"remote_start_reply"}


def test_a_step_that_came_three_times() -> None:
    script = ykc_remote().up(5.5, "bms_handshake").up(6, "bms_handshake")
    verdict = check_session(script.course())
    assert kinds(verdict) == [("bms_handshake", "repeated")]
    assert verdict.pattern == "REPEAT(2x3)"
    assert verdict.order == "1 2 2 2 3 4 5 6 7"
    assert only(verdict).times == 3
    assert len(only(verdict).evidence) == 3


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6])
def test_every_step_is_missed_by_its_number(number: int) -> None:
    gone = ("bms_abort",) if STEPS[number] == "abort_reason" else (STEPS[number],)
    verdict = check_session(ykc_remote().without(*gone).course())
    assert verdict.pattern == f"SKIP({number})"
    expected = "never_answered" if number == 1 else "missing"
    assert kinds(verdict) == [(STEPS[number], expected)]


def test_a_record_that_never_came_is_missing() -> None:
    verdict = check_session(ykc_remote().without("record", "record_ack").course())
    assert kinds(verdict) == [("record", "missing")]
    assert only(verdict).event_ms == T0 + 630_000


def test_steps_of_direct_current_are_not_asked_of_a_charger_of_alternating_current() -> None:
    script = ykc_remote().without("bms_handshake", "bms_params", "bms_demand", "bms_info", "bms_abort", "charge_end")
    assert check_session(script.course(current_kind="ac")).deviations == ()
    missing = {step for step, _kind in kinds(check_session(script.course(current_kind="dc")))}
    assert missing == {"bms_handshake", "bms_params", "bms_demand", "bms_info", "abort_reason", "charge_end"}


def test_an_order_that_was_never_answered() -> None:
    script = ykc_remote().without("remote_stop_reply")
    deviation = only(check_session(script.course()))
    assert (deviation.step, deviation.kind, deviation.party) == ("remote_stop_reply", "never_answered", "charger")
    assert deviation.event_ms == T0 + 629_000


def test_a_record_that_the_platform_never_answered_is_its_own_fault() -> None:
    script = ykc_remote().without("record_ack")
    verdict = check_session(script.course())
    assert [(one.step, one.kind, one.party) for one in verdict.deviations] == [
        ("record_ack", "never_answered", "platform")
    ]
    assert verdict.due == verdict.kept


def test_a_capture_of_the_charger_alone_says_nothing_of_the_platform() -> None:
    script = ykc_remote().without("remote_start", "remote_stop", "remote_stop_reply", "record_ack")
    assert check_session(script.course()).deviations == ()


def test_a_start_in_the_platform_s_name_without_the_answer_to_it() -> None:
    script = ykc_remote().without("remote_start", "remote_start_reply")
    verdict = check_session(script.course())
    assert verdict.flow == "remote_start"
    assert kinds(verdict) == [("remote_start_reply", "missing")]


def test_a_card_start_that_was_not_asked_for() -> None:
    verdict = check_session(ykc_card().without("start_request", "start_reply").course())
    assert verdict.flow == "local_start"
    assert kinds(verdict) == [("start_request", "missing")]


def test_an_offline_card_need_not_ask() -> None:
    script = ykc_card().without("start_request", "start_reply", "record")
    script.up(603, "record", mode=4, energy_e4kwh=80_000)
    verdict = check_session(script.course())
    assert verdict.flow == "offline_start"
    assert verdict.deviations == ()


def test_a_parallel_start_keeps_its_own_messages() -> None:
    script = ykc_remote().without("remote_start", "remote_start_reply")
    script.down(0, "parallel_remote_start").up(1, "parallel_remote_start_reply", result=1)
    verdict = check_session(script.course())
    assert verdict.flow == "parallel_remote_start"
    assert verdict.deviations == ()


def test_a_refused_start_owes_nothing_more() -> None:
    script = Script().down(0, "remote_start").up(1, "remote_start_reply", result=0, reason=2)
    verdict = check_session(script.course())
    assert (verdict.flow, verdict.deviations) == ("refused_start", ())


def test_a_start_that_failed_owes_its_record() -> None:
    script = Script().down(0, "remote_start").up(1, "remote_start_reply", result=1)
    script.up(12, "record", mode=1, energy_e4kwh=0, reason=0x5A).down(12, "record_ack", result=0)
    assert check_session(script.course()).deviations == ()
    assert check_session(script.course()).flow == "failed_start"


def test_a_second_answer_is_right_when_the_plug_came_after_the_first() -> None:
    script = ykc_remote().without("remote_start_reply")
    script.up(0.5, "remote_start_reply", result=0, reason=5).up(4, "remote_start_reply", result=1, reason=0)
    assert check_session(script.course()).deviations == ()
    script = ykc_remote().up(3, "remote_start_reply", result=1, reason=0)
    assert kinds(check_session(script.course())) == [("remote_start_reply", "repeated")]


def test_an_aaf5_charger_answers_a_start_only_once_it_charges() -> None:
    script = aaf5_remote().without("start_reply").up(2, "start_reply", result=0)
    assert kinds(check_session(script.course())) == [("start_reply", "out_of_order")]
    script = aaf5_remote().without("start_reply")
    assert kinds(check_session(script.course())) == [("start_reply", "never_answered")]


def test_an_aaf5_charger_says_that_it_stopped() -> None:
    assert kinds(check_session(aaf5_remote().without("stopped").course())) == [("stopped", "missing")]


def test_frames_before_the_login_are_named() -> None:
    script = ykc_login()
    script.up(-3, "realtime", taken=False).up(-2, "heartbeat", taken=False)
    deviation = only(check_login(script.course()))
    assert (deviation.step, deviation.kind, deviation.times) == ("login", "out_of_order", 2)
    assert "realtime, heartbeat" in deviation.detail


def test_a_login_without_the_tariff_check() -> None:
    script = Script().up(0, "login").down(0, "login_ack", result=0)
    assert kinds(check_login(script.course())) == [("tariff_check", "missing")]


def test_a_charger_that_holds_another_tariff_must_ask_for_the_right_one() -> None:
    assert kinds(check_login(ykc_login().without("tariff_request", "tariff_reply").course())) == [
        ("tariff_request", "missing")
    ]


def test_every_rule_names_steps_of_its_flow_and_its_source() -> None:
    for flow in FLOWS.values():
        names = [rule.name for rule in flow.rules]
        assert len(names) == len(set(names))
        for rule in flow.rules:
            assert "section 5" in rule.source
            named = {*rule.after, *rule.due_with, *rule.since, *filter(None, (rule.answers, rule.answered_by))}
            assert named <= {*names, "ended"}, (flow.name, rule.name)
            assert bool(rule.within_ms) == bool(rule.since)


def test_a_charger_that_holds_the_right_tariff_need_not_ask_for_it() -> None:
    script = ykc_login().without("tariff_check_ack", "tariff_request", "tariff_reply")
    script.down(1, "tariff_check_ack", result=0)
    assert check_login(script.course()).deviations == ()


def test_a_record_without_energy_and_without_a_charge_is_a_failed_start_whatever_its_reason() -> None:
    script = Script().down(0, "remote_start").up(1, "remote_start_reply", result=1)
    script.up(12, "record", mode=1, energy_e4kwh=0, reason=0).down(12, "record_ack", result=0)
    assert check_session(script.course()).flow == "failed_start"
