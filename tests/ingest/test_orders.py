"""The table of orders: every one fits its frame, finds its answer, and is repeated only where that is harmless."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aaf5.codec import decode_body as decode_aaf5
from core.aaf5.messages import MESSAGES_BY_NAME as AAF5_MESSAGES
from core.directory import Pile
from core.ykc.codec import decode_body, raw_fields
from core.ykc.messages import MESSAGES_BY_NAME as YKC_MESSAGES
from ingest.aaf5_answers import answer_of as aaf5_answer_of
from ingest.command_matcher import CommandMatcher, SentCommand
from ingest.events import CommandOutcome, SessionStart, TariffAck
from ingest.order import Order, OrderError, Parcel
from ingest.orders import facts_of, order_body, order_frame, order_named, sent_order
from ingest.reactions import CommandAnswer
from ingest.ykc_answers import answer_of as ykc_answer_of
from tests.ingest.charger_frames import CODE, OLD_TARIFF, TARIFF, make_pile
from tests.ingest.order_talk import ALL_ORDERS, PILES, arguments_of, heard, said_yes, site

NAMES = [f"{protocol} {order.name}" for protocol, order in ALL_ORDERS]
MAX_LENGTH_BYTE = 200


def frames(protocol: str, order: Order, connector: int = 1, pile: Pile | None = None, **arguments: Any) -> list[bytes]:
    pile = pile or PILES[protocol]
    parcels = order.parcels(site(pile, connector), arguments_of(protocol, order, **arguments))
    seq = b"\0\0" if protocol == "ykc" else b"\0"
    return [order_frame(protocol, order, order_body(protocol, order, parcel), seq) for parcel in parcels]


def ykc(name: str, **arguments: Any) -> list[bytes]:
    return frames("ykc", order_named("ykc", name), **arguments)


def aaf5(name: str, **arguments: Any) -> list[dict[str, Any]]:
    made = frames("aaf5", order_named("aaf5", name), **arguments)
    return [decode_aaf5(int.from_bytes(frame[6:8], "little"), frame[8:-1]).fields for frame in made]


def read_answer(frame: bytes) -> CommandAnswer | None:
    if frame[0] == 0x68:
        return ykc_answer_of(frame[5], frame[6:-2])
    body = frame[8:-1]
    return aaf5_answer_of(int.from_bytes(frame[6:8], "little"), body, 1)


@pytest.mark.parametrize(("protocol", "order"), ALL_ORDERS, ids=NAMES)
def test_every_order_fits_its_message_whose_answer_is_the_table_s(protocol: str, order: Order) -> None:
    for frame in frames(protocol, order):
        if protocol == "ykc":
            body = decode_body(frame[5], frame[6:-2])
            assert YKC_MESSAGES[order.message].reply == YKC_MESSAGES[order.answer].type
        else:
            body = decode_aaf5(int.from_bytes(frame[6:8], "little"), frame[8:-1])
            assert not order.answer or AAF5_MESSAGES[order.answer].type == AAF5_MESSAGES[order.message].type + 1
        assert (body.name, body.layout_ok) == (order.message, True)


@pytest.mark.parametrize(("protocol", "order"), ALL_ORDERS, ids=NAMES)
def test_every_answer_settles_its_order_and_no_other(protocol: str, order: Order) -> None:
    pile = PILES[protocol]
    if not order.answer or order.name == "read_realtime":  # answered by a reading, which no dialogue sees
        return
    matcher = CommandMatcher()
    parcels = order.parcels(site(pile), arguments_of(protocol, order))
    sent = [make_sent(protocol, order, parcel) for parcel in parcels]
    for command in sent:
        assert matcher.sent(command) == []
    for command in sent:
        reply = said_yes(command.request, pile)
        answer = read_answer(reply)
        assert answer is not None
        found, outcome = matcher.answer(11, answer, heard(reply))
        assert found is command and outcome is not None
        assert (outcome.outcome, outcome.connector, outcome.reply) == ("ok", command.connector, reply)
        assert (outcome.command, outcome.trade_no) == (order.name, command.trade_no)


@pytest.mark.parametrize(("protocol", "order"), ALL_ORDERS, ids=NAMES)
def test_a_capture_s_frame_is_the_order_that_it_was(protocol: str, order: Order) -> None:
    parcels = order.parcels(site(PILES[protocol]), arguments_of(protocol, order))
    for parcel, frame in zip(parcels, frames(protocol, order), strict=True):
        found = sent_order(protocol, frame)
        if not order.answer or order.name == "read_realtime":
            assert found is None
            continue
        assert found is not None
        place = parcel.connector if parcel.place is None else parcel.place
        assert (found.command, found.connector, found.place) == (order.name, parcel.connector, place)
        assert found.subject == parcel.subject


def make_sent(protocol: str, order: Order, parcel: Parcel) -> SentCommand:
    seq = b"\0\0" if protocol == "ykc" else b"\0"
    return SentCommand(
        command=order.name,
        pile_id=11,
        connector=parcel.connector,
        trade_no=parcel.trade_no,
        sent_ms=0,
        request=order_frame(protocol, order, order_body(protocol, order, parcel), seq),
        place=parcel.place,
        subject=parcel.subject,
    )


def test_what_is_not_the_same_when_taken_twice_is_sent_once() -> None:
    once = {(protocol, order.name) for protocol, order in ALL_ORDERS if order.attempts == 1}
    assert once == {
        *((protocol, name) for protocol in ("ykc", "aaf5") for name in ("remote_start", "reboot")),
        *(("ykc", name) for name in ("parallel_start", "update")),
        *(("aaf5", name) for name in ("cancel_booking", "tariff", "qr_codes")),
    }


@pytest.mark.parametrize(("name", "most"), [("card_sync", 11), ("card_clear", 18), ("card_query", 21)])
@pytest.mark.parametrize("count", [1, 11, 12, 100])
def test_cards_go_in_batches_that_keep_both_length_bytes_within_the_limit(name: str, most: int, count: int) -> None:
    numbers = [f"{number:016X}" for number in range(1, count + 1)]
    cards: list[Any] = list(numbers)
    if name == "card_sync":
        cards = [{"physical_card": number, "logical_card": str(int(number, 16))} for number in numbers]
    made = ykc(name, cards=cards)
    sent = [card["physical_card"] for frame in made for card in raw_fields(frame[5], frame[6:-2])["cards"]]
    assert sent == numbers
    assert len(made) == -(-count // most)
    for frame in made:
        assert frame[1] <= MAX_LENGTH_BYTE
        assert said_yes(frame, PILES["ykc"])[1] <= MAX_LENGTH_BYTE


def test_the_tariff_is_the_valid_one_or_the_one_named() -> None:
    (frame,) = ykc("tariff_set")
    assert raw_fields(0x58, frame[6:-2])["model_no"] == TARIFF.model_no
    (frame,) = ykc("tariff_set", model_no=OLD_TARIFF.model_no)
    fields = raw_fields(0x58, frame[6:-2])
    assert (fields["model_no"], fields["peak_energy_price"]) == ("0007", 90)
    with pytest.raises(OrderError, match="no tariff '0009'; it has 0007, 0008"):
        ykc("tariff_set", model_no="0009")
    with pytest.raises(OrderError, match="no tariff is valid"):
        frames("ykc", order_named("ykc", "tariff_set"), pile=make_pile(tariffs=()))


def test_a_vehicle_at_two_guns_has_one_parallel_number_and_two_trade_numbers() -> None:
    fields = [raw_fields(0xA4, frame[6:-2]) for frame in ykc("parallel_start", connectors=[2, 1], balance_fen=99)]
    assert [item["gun_no"] for item in fields] == ["02", "01"]
    assert fields[0]["parallel_no"] == fields[1]["parallel_no"] == "261122062640"
    assert fields[0]["trade_no"] != fields[1]["trade_no"]
    for wrong in ([1], [1, 1], [1, 3], []):
        with pytest.raises(OrderError, match="two or more different"):
            ykc("parallel_start", connectors=wrong)


def test_numbers_of_cards_are_filled_up_and_checked() -> None:
    fields = raw_fields(0x34, ykc("remote_start", card="573", physical_card="d14b")[0][6:-2])
    assert (fields["logical_card"], fields["physical_card"]) == ("0000000000000573", "000000000000D14B")
    for wrong in ({"card": "12x"}, {"physical_card": "1" * 17}, {"card": ""}):
        with pytest.raises(OrderError):
            ykc("remote_start", **wrong)
    with pytest.raises(OrderError, match="at least one"):
        ykc("card_query", cards=[])


def test_the_parking_lock_and_the_firmware_get_their_own_numbers() -> None:
    assert raw_fields(0x62, ykc("lock_control", action="lower")[0][6:-2])["action"] == 0xFF
    fields = raw_fields(0x94, ykc("update")[0][6:-2])
    assert (fields["pile_model"], fields["pile_power"], fields["when"], fields["host"]) == (1, 120, 2, "10.0.0.9")


def test_an_aaf5_start_says_what_ends_it() -> None:
    (fields,) = aaf5("remote_start", card="0012345678", until="full")
    assert (fields["strategy"], fields["strategy_param"], fields["card"]) == (0, 0, "0012345678")
    assert len(str(fields["serial"])) == 32 and fields["start_time"] is None
    (fields,) = aaf5("remote_start", balance_fen=5_000)
    assert (fields["strategy"], fields["strategy_param"]) == (2, 5_000)
    (fields,) = aaf5("remote_start", until="energy", limit=1_500)
    assert (fields["strategy"], fields["strategy_param"]) == (3, 1_500)
    for wrong in ({"until": "time"}, {"until": "full", "limit": 3}):
        with pytest.raises(OrderError, match="limit"):
            aaf5("remote_start", **wrong)


@pytest.mark.parametrize(
    ("protocol", "name"), [("ykc", "remote_start"), ("ykc", "parallel_start"), ("aaf5", "remote_start")]
)
def test_no_start_without_a_word_about_its_cost(protocol: str, name: str) -> None:
    with pytest.raises(OrderError, match="balance_fen: a start needs what the charge may cost, more than 0"):
        frames(protocol, order_named(protocol, name), balance_fen=0)


def test_an_aaf5_stop_carries_its_parameter() -> None:
    (fields,) = aaf5("remote_stop", connector=2)
    assert (fields["gun_no"], fields["addr"], fields["param"]) == (2, 2, 0x55)
    (fields,) = aaf5("reboot")
    assert (fields["gun_no"], fields["addr"]) == (0, 11)


def test_parameters_are_asked_for_or_set() -> None:
    (fields,) = aaf5("int_params", addr=21, values=[15, 3])
    assert (fields["op"], fields["count"], fields["byte_len"], fields["values"]) == (1, 2, 8, [15, 3])
    (fields,) = aaf5("int_params", addr=21, values=[], count=3)
    assert (fields["op"], fields["count"], fields["byte_len"]) == (0, 3, 0)
    (fields,) = aaf5("str_params", addr=7, text="hello")
    assert (fields["op"], fields["data"]) == (1, b"hello".hex().upper())
    for wrong in ({"text": "é"}, {"data": "abc"}, {"text": "a", "data": "61"}, {"addr": 2, "text": "now"}):
        with pytest.raises(OrderError):
            aaf5("str_params", **{"addr": 7, **wrong})
    with pytest.raises(OrderError, match="at most 200"):
        aaf5("int_params", addr=1, values=[0] * 201)


def test_unknown_orders_name_the_nearest() -> None:
    assert order_named("ykc", "start") is order_named("ykc", "remote_start")
    with pytest.raises(OrderError, match="did you mean 'card_sync'"):
        order_named("ykc", "cards_sync")
    with pytest.raises(OrderError, match="it has cancel_booking"):
        order_named("aaf5", "xyz")


# What outcomes prove


def outcome_of(name: str, request: bytes, outcome: str = "ok", detail: str = "", **changes: Any) -> CommandOutcome:
    fields: dict[str, Any] = {"pile_id": 11, "connector": 1, "command": name, "trade_no": "T", "sent_ms": 5}
    fields |= {"answered_ms": 9, "outcome": outcome, "detail": detail, "request": request, "reply": b"r"}
    return CommandOutcome(**(fields | changes))


def test_an_ordered_start_is_evidence_of_who_started_it() -> None:
    (frame,) = ykc("remote_start", card="573")
    (start,) = facts_of(outcome_of("remote_start", frame), PILES["ykc"])
    assert start == SessionStart(11, 1, "T", 9, "app", "573", "order", 1, "", frame, b"r")
    (refused,) = facts_of(outcome_of("remote_start", frame, "refused", "not_plugged"), PILES["ykc"])
    assert isinstance(refused, SessionStart)
    assert (refused.granted, refused.reason) == (0, "not_plugged")
    (late,) = facts_of(outcome_of("remote_start", frame, "timeout", answered_ms=0), PILES["ykc"])
    assert isinstance(late, SessionStart)
    assert (late.granted, late.reason, late.event_ms) == (0, "timeout", 5)
    (aaf5_frame,) = frames("aaf5", order_named("aaf5", "remote_start"), card="0012345678")
    (start,) = facts_of(outcome_of("remote_start", aaf5_frame), PILES["aaf5"])
    assert isinstance(start, SessionStart) and start.account == "12345678"


def test_an_accepted_tariff_is_the_one_that_was_sent() -> None:
    (frame,) = ykc("tariff_set", model_no="0007")
    assert facts_of(outcome_of("tariff_set", frame), PILES["ykc"]) == [TariffAck(11, 9, "0007", 7, "tariff_set_reply")]
    assert facts_of(outcome_of("tariff_set", frame, "refused"), PILES["ykc"]) == []
    assert facts_of(outcome_of("reboot", frame), PILES["ykc"]) == []


# Answers that say no, and answers that say nothing


@pytest.mark.parametrize(
    ("name", "changes", "accepted", "reason"),
    [
        ("remote_start", {"result": 0, "fail_reason": 5}, False, 5),
        ("remote_stop", {"result": 0, "fail_reason": 2}, False, 2),
        ("balance_update", {"result": 2}, False, 2),
        ("card_sync", {"result": 0, "fail_reason": 2}, False, 2),
        ("work_params", {"result": 0}, False, 0),
        ("tariff_set", {"result": 0}, False, 0),
        ("reboot", {"result": 0}, False, 0),
        ("update", {"result": 3}, False, 3),
        ("lock_control", {"result": 0}, False, 0),
        ("card_clear", {"cards": [{"physical_card": "0" * 16, "cleared": 0, "fail_reason": 1}]}, False, 1),
        ("card_query", {"cards": [{"physical_card": "0" * 16, "exists": 0}]}, True, 0),
    ],
)
def test_a_no_and_its_reason(name: str, changes: dict[str, Any], accepted: bool, reason: int) -> None:
    answer = read_answer(said_yes(ykc(name)[0], PILES["ykc"], **changes))
    assert answer is not None
    assert (answer.command, answer.accepted, answer.reason) == (name, accepted, reason)


@given(frame_type=st.integers(0, 255), body=st.binary(max_size=60))
def test_no_answer_raises_whatever_its_bytes(frame_type: int, body: bytes) -> None:
    own = bytes.fromhex(CODE) + body
    for content in (body, own):
        answer = ykc_answer_of(frame_type, content)
        assert answer is None or answer.command in {order.name for _, order in ALL_ORDERS}
        aaf5_answer_of(frame_type, content, 1)
