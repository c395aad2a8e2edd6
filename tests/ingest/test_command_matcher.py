"""Which answer belongs to which order: late answers, chargers that do not echo, guns with connections of their own."""

from typing import Any

import pytest

from ingest.command_matcher import CommandMatcher, SentCommand
from ingest.reactions import ChargerReply, CommandAnswer

LINK = 7


def sent(seq: bytes = b"\x01\x00", **changes: Any) -> SentCommand:
    """An order; of the same content as any other unless `content` says otherwise."""
    fields: dict[str, Any] = {
        "command": "remote_start",
        "pile_id": 1,
        "connector": 1,
        "trade_no": "A",
        "sent_ms": 0,
        "request": b"q",
        "connection_id": LINK,
    }
    fields |= changes
    return SentCommand(seqs={(fields["connection_id"], seq): False}, **fields)


def tariff(content: bytes, seq: bytes, sent_ms: int = 0, **changes: Any) -> SentCommand:
    fields: dict[str, Any] = {"command": "tariff_set", "connector": 0, "trade_no": "", "request": content}
    return sent(seq, **(fields | {"content": content, "sent_ms": sent_ms} | changes))


def answer(**changes: Any) -> CommandAnswer:
    fields: dict[str, Any] = {"command": "remote_start", "connector": 1, "trade_no": "A", "accepted": True, "reason": 0}
    return CommandAnswer(**(fields | changes))


def tariff_answer(accepted: bool = True) -> CommandAnswer:
    return answer(command="tariff_set", connector=0, trade_no="", accepted=accepted)


def reply(receive_ms: int = 5, seq: bytes = b"\xee\xee", **changes: Any) -> ChargerReply:
    fields: dict[str, Any] = {"protocol": "ykc", "frame": b"r", "connection_id": LINK}
    return ChargerReply(seq=seq, receive_ms=receive_ms, **(fields | changes))


def two_tariffs() -> tuple[CommandMatcher, SentCommand, SentCommand]:
    """One that timed out, and a newer one that waits."""
    matcher = CommandMatcher()
    older, newer = tariff(b"0101", b"\x01\x00"), tariff(b"0102", b"\x02\x00", 10_500)
    matcher.sent(older)
    ((_, timeout),) = matcher.expire(10_000)
    assert timeout.outcome == "timeout"
    assert matcher.sent(newer) == []
    return matcher, older, newer


@pytest.mark.parametrize("turn", [1, -1], ids=["as sent", "swapped"])
def test_a_late_answer_belongs_to_the_order_whose_number_it_carries(turn: int) -> None:
    matcher, older, newer = two_tariffs()
    found, outcome = matcher.answer(1, tariff_answer(), reply(11_000, b"\x01\x00"[::turn]))
    assert found is older
    assert (outcome.outcome, outcome.request, outcome.sent_ms, outcome.answered_ms) == ("ok", b"0101", 0, 11_000)
    assert matcher.waiting(1, "tariff_set", 0)
    found, outcome = matcher.answer(1, tariff_answer(accepted=False), reply(11_001, b"\x02\x00"[::turn]))
    assert found is newer
    assert (outcome.outcome, outcome.detail, outcome.request) == ("refused", "failed", b"0102")


def test_an_answer_that_may_be_about_two_orders_is_about_none() -> None:
    matcher, _, newer = two_tariffs()
    found, outcome = matcher.answer(1, tariff_answer(), reply(11_000))
    assert found is newer and newer.settled  # whoever waits is told
    assert (outcome.outcome, outcome.detail) == ("ambiguous", "may be the answer to another order, accepted")
    assert not matcher.waiting(1, "tariff_set", 0)
    found, outcome = matcher.answer(1, tariff_answer(accepted=False), reply(11_001))
    assert found is None and outcome.outcome == "ambiguous" and outcome.detail.endswith(", failed")


def test_a_charger_that_does_not_echo_answers_the_only_order_without_an_answer() -> None:
    matcher = CommandMatcher()
    for number in range(3):
        order = tariff(b"%d" % number, bytes([1 + number, 0]), 1_000 * number)
        matcher.sent(order)
        assert matcher.answer(1, tariff_answer(), reply(1_000 * number + 5, b"\0\0"))[0] is order
    matcher.sent(tariff(b"later", b"\x09\x00", 90_000))
    matcher.sent(late := tariff(b"last", b"\x0a\x00", 190_000))  # the one before is forgotten by now
    assert matcher.answer(1, tariff_answer(), reply(190_005, b"\0\0"))[0] is late


def test_a_number_that_was_answered_before_decides_nothing() -> None:
    matcher = CommandMatcher()
    first, second = tariff(b"0101", b"\x01\x00"), tariff(b"0102", b"\x02\x00")
    matcher.sent(first)
    assert matcher.answer(1, tariff_answer(), reply(5, b"\x01\x00"))[0] is first
    again, outcome = matcher.answer(1, tariff_answer(), reply(6, b"\x01\x00"))
    assert again is first and (outcome.outcome, outcome.detail) == ("ok", "answered before")
    matcher.sent(second)
    found, outcome = matcher.answer(1, tariff_answer(), reply(7, b"\x01\x00"))
    assert found is second and outcome.outcome == "ambiguous"


def test_every_attempt_of_an_order_has_its_own_number() -> None:
    matcher = CommandMatcher()
    matcher.sent(order := tariff(b"0101", b"\x01\x00"))
    matcher.sent_again(order, b"0101", (LINK, b"\x02\x00"), 10_000)
    assert matcher.answer(1, tariff_answer(), reply(10_001, b"\x01\x00"))[1].detail == ""
    matcher.sent(tariff(b"0102", b"\x03\x00", 10_500))
    found, outcome = matcher.answer(1, tariff_answer(accepted=False), reply(10_600, b"\x02\x00"))
    assert found is order
    assert (outcome.outcome, outcome.detail) == ("refused", "answered before, failed")


def test_of_orders_for_the_same_any_may_be_meant() -> None:
    matcher = CommandMatcher()
    matcher.sent(tariff(b"0101", b"\x01\x00"))
    matcher.expire(10_000)
    matcher.sent(second := tariff(b"0101", b"\x02\x00", 10_500))
    assert matcher.answer(1, tariff_answer(), reply(11_000))[0] is second
    stops = [sent(command="remote_stop", trade_no=session, content=b"gun 1") for session in "AB"]
    matcher.sent(stops[0])
    matcher.expire(11_000)
    matcher.sent(stops[1])  # of another charge: not the same, though its frame is
    stop = answer(command="remote_stop", trade_no="")
    assert matcher.answer(1, stop, reply(11_500))[1].outcome == "ambiguous"


def test_an_answer_comes_back_over_the_connection_that_took_the_order() -> None:
    matcher = CommandMatcher()
    gun_a = sent(b"\x05", command="reboot", connector=0, trade_no="", link_place=1)
    matcher.sent(gun_a)
    yes = answer(command="reboot", connector=0, trade_no="")
    found, outcome = matcher.answer(1, yes, reply(seq=b"\x05", protocol="aaf5", connection_id=8, place=2))
    assert found is None and outcome.detail == "order went over another connection"
    assert matcher.waiting(1, "reboot", 0)
    assert matcher.answer(1, yes, reply(seq=b"\0", protocol="aaf5", place=1))[0] is gun_a


def test_an_answer_may_come_over_the_next_connection_of_the_same_gun() -> None:
    matcher = CommandMatcher()
    order = sent(b"\x05", command="reboot", connector=0, trade_no="", link_place=1)
    matcher.sent(order)
    ((_, lost),) = matcher.connection_lost(1, 1)
    assert lost.outcome == "connection_lost"
    yes = answer(command="reboot", connector=0, trade_no="")
    assert matcher.answer(1, yes, reply(protocol="aaf5", connection_id=8, place=2))[0] is None
    found, outcome = matcher.answer(1, yes, reply(seq=b"\x05", protocol="aaf5", connection_id=9, place=1))
    assert found is order and outcome.outcome == "ok"


def test_numbers_begin_anew_with_each_connection() -> None:
    matcher = CommandMatcher()
    matcher.sent(tariff(b"0101", b"\x01\x00"))
    matcher.connection_lost(1)
    matcher.sent(newer := tariff(b"0102", b"\x01\x00", 100, connection_id=8))
    assert matcher.answer(1, tariff_answer(), reply(200, b"\x01\x00", connection_id=8))[0] is newer


def test_two_guns_wait_for_the_same_at_once() -> None:
    matcher = CommandMatcher()
    orders = [
        sent(b"\x01", command="time_sync", connector=0, trade_no="", link_place=gun, connection_id=gun)
        for gun in (1, 2)
    ]
    assert [matcher.sent(order) for order in orders] == [[], []]
    yes = answer(command="time_sync", connector=0, trade_no="")
    for gun in (2, 1):
        found, _ = matcher.answer(1, yes, reply(seq=b"\x01", protocol="aaf5", connection_id=gun, place=gun))
        assert found is orders[gun - 1]


@pytest.mark.parametrize("command", ["remote_start", "remote_stop", "time_sync", "tariff_set", "reboot"])
def test_an_answer_to_nothing_is_recorded(command: str) -> None:
    found, outcome = CommandMatcher().answer(1, answer(command=command), reply(500))
    assert found is None
    assert (outcome.outcome, outcome.sent_ms, outcome.answered_ms, outcome.detail) == ("ok", 500, 500, "order not seen")
    assert (outcome.request, outcome.reply) == (b"", b"r")


def test_an_answer_for_another_trade_number_does_not_settle_the_order() -> None:
    matcher = CommandMatcher()
    matcher.sent(sent())
    assert matcher.answer(1, answer(trade_no="B"), reply())[0] is None
    assert matcher.waiting(1, "remote_start", 1)


def test_a_trade_number_is_surer_than_a_sequence_number() -> None:
    matcher = CommandMatcher()
    matcher.sent(first := sent(b"\x01\x00"))
    matcher.expire(10_000)
    matcher.sent(sent(b"\x02\x00", trade_no="B", sent_ms=10_500))
    assert matcher.answer(1, answer(), reply(11_000, b"\x02\x00"))[0] is first


def test_a_late_answer_is_recorded_after_the_timeout() -> None:
    matcher = CommandMatcher()
    matcher.sent(sent())
    assert matcher.expire(9_999) == []
    ((_, timeout),) = matcher.expire(10_000)
    assert (timeout.outcome, timeout.answered_ms) == ("timeout", 0)
    assert matcher.expire(10_001) == []
    _, late = matcher.answer(1, answer(), reply(30_000))
    assert (late.outcome, late.sent_ms, late.answered_ms) == ("ok", 0, 30_000)


def test_a_newer_order_settles_the_one_whose_place_it_takes_once() -> None:
    matcher = CommandMatcher()
    first, second = sent(b"\x01\x00"), sent(b"\x02\x00", sent_ms=5)
    assert matcher.sent(first) == []
    ((older, replaced),) = matcher.sent(second)
    assert older is first
    assert (replaced.outcome, replaced.sent_ms, replaced.answered_ms) == ("replaced", 0, 0)
    assert matcher.sent(sent(connector=2)) == []
    assert matcher.answer(1, answer(), reply(9))[0] is second
    matcher.sent(sent())
    matcher.expire(10_000)
    assert matcher.sent(sent()) == []  # its sender was told of the timeout


def test_old_orders_are_forgotten() -> None:
    matcher = CommandMatcher()
    matcher.sent(sent())
    matcher.expire(90_000)
    found, outcome = matcher.answer(1, answer(), reply(90_001))
    assert found is None and outcome.detail == "order not seen"
    matcher.sent(sent())
    assert matcher.answer(1, answer(), reply(90_001))[0] is None  # also when nobody looked at the clock meanwhile


def test_an_order_is_due_for_a_repeat_only_while_it_has_attempts_left() -> None:
    matcher = CommandMatcher()
    order = SentCommand("work_params", 1, 0, "", 0, b"q", max_attempts=2)
    matcher.sent(order)
    assert matcher.due(9_999) == []
    assert matcher.due(10_000) == [order]
    matcher.sent_again(order, b"q2", (LINK, b"\x02\x00"), 10_000)
    assert matcher.due(19_999) == matcher.due(20_000) == []
    ((_, outcome),) = matcher.expire(20_000)
    assert (outcome.attempts, outcome.request) == (2, b"q2")


def test_one_gun_s_lost_connection_leaves_the_orders_of_the_others() -> None:
    matcher = CommandMatcher()
    for gun in (1, 2):
        matcher.sent(sent(connector=gun, trade_no=f"T{gun}", link_place=gun))
        matcher.sent(sent(command="reboot", connector=0, trade_no="", link_place=gun))
    lost = [order for order, outcome in matcher.connection_lost(1, 2) if outcome.outcome == "connection_lost"]
    assert {(order.command, order.link_place) for order in lost} == {("remote_start", 2), ("reboot", 2)}
    assert matcher.waiting(1, "remote_start", 1) and matcher.waiting(1, "reboot", 0)
