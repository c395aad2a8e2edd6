"""What the platform answers to each frame, without sockets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.directory import Pile, PileDirectory
from core.ykc.codec import decode_body, encode_raw
from core.ykc.cp56 import ms_to_cp56
from ingest.events import ChargerIdentity, ClockOffset, ConnectionEvent, TariffAck
from ingest.reactions import Reaction, Reason, StartDecision
from ingest.trade_numbers import TradeNumbers
from ingest.ykc_dialogue import YkcDialogue
from tests.ingest.charger_frames import (
    CODE,
    NOW_MS,
    OLD_TARIFF,
    OTHER_CODE,
    TARIFF,
    ZONE,
    heartbeat,
    login,
    make_directory,
    make_pile,
    realtime,
    record,
    trade_no_of,
)

UNKNOWN_CODE = "99999999999999"


def open_dialogue(directory: PileDirectory | None = None, **arguments: Any) -> YkcDialogue:
    return YkcDialogue(
        (directory or make_directory()).by_wire_code, TradeNumbers(), connection_id=5, peer="p", **arguments
    )


def give(dialogue: YkcDialogue, frame: bytes, at_ms: int = NOW_MS) -> Reaction:
    """What a gateway does that takes every login which the dialogue does not refuse itself."""
    reaction = dialogue.on_frame(frame[5], frame[2:4], frame[6:-2], at_ms, frame)
    if reaction.login is None:
        return reaction
    if reaction.login.refusal:
        return dialogue.login_refused(reaction.login, reaction.login.refusal, at_ms)
    return dialogue.logged_in(reaction.login, at_ms)


def logged_in(pile: Pile | None = None, **arguments: Any) -> YkcDialogue:
    dialogue = open_dialogue(PileDirectory([pile or make_pile()]), **arguments)
    give(dialogue, login())
    return dialogue


def said(frame: bytes) -> tuple[str | None, bytes, dict[str, Any]]:
    body = decode_body(frame[5], frame[6:-2])
    assert body.layout_ok
    return body.name, frame[2:4], body.fields


def test_a_known_charger_is_let_in_and_gets_the_time() -> None:
    dialogue = open_dialogue()
    reaction = give(dialogue, login(seq=b"\x12\x34"))
    assert [said(reply) for reply in reaction.replies] == [("login_ack", b"\x12\x34", {"pile_code": CODE, "result": 0})]
    assert reaction.send_time and reaction.close is None and reaction.quarantine is None
    assert dialogue.pile is not None and dialogue.pile.pile_id == 11
    assert reaction.events == [
        ConnectionEvent(11, 5, NOW_MS, "login", "", "p", CODE),
        ChargerIdentity(11, 5, NOW_MS, "ykc", "1.6", "V1.0", 2, "dc", "0" * 20),
    ]


def test_an_unknown_charger_is_refused_and_hung_up_on() -> None:
    dialogue = open_dialogue()
    reaction = give(dialogue, login(UNKNOWN_CODE))
    assert said(reaction.replies[0])[2] == {"pile_code": UNKNOWN_CODE, "result": 1}
    assert reaction.close == "unknown_pile" and reaction.quarantine is Reason.REFUSED
    assert reaction.events == [ConnectionEvent(0, 5, NOW_MS, "login_refused", "unknown_pile", "p", UNKNOWN_CODE)]
    assert dialogue.pile is None


def test_a_charger_of_another_protocol_is_refused() -> None:
    dialogue = open_dialogue(PileDirectory([make_pile(protocol="aaf5")]))
    assert give(dialogue, login()).close == "wrong_protocol"


def test_logging_in_again_is_answered_again_but_only_under_the_same_id() -> None:
    dialogue = open_dialogue()
    give(dialogue, login())
    assert said(give(dialogue, login()).replies[0])[2]["result"] == 0
    other = give(dialogue, login(OTHER_CODE))
    assert said(other.replies[0])[2]["result"] == 1
    assert other.close == "other_pile_on_connection"
    assert dialogue.pile is not None and dialogue.pile.code == CODE


@pytest.mark.parametrize("frame", [heartbeat(), realtime(), record(trade_no_of())])
def test_frames_before_a_login_are_evidence_only(frame: bytes) -> None:
    reaction = give(open_dialogue(), frame)
    assert reaction == Reaction(quarantine=Reason.NOT_LOGGED_IN)


@pytest.mark.parametrize("frame", [heartbeat(OTHER_CODE), realtime(OTHER_CODE), record(trade_no_of(), OTHER_CODE)])
def test_frames_in_the_name_of_another_charger_are_evidence_only(frame: bytes) -> None:
    reaction = give(logged_in(), frame)
    assert reaction == Reaction(quarantine=Reason.FOREIGN_PILE)


def test_a_record_is_acknowledged_only_when_durable_with_its_own_sixteen_bytes_and_sequence() -> None:
    dialogue = logged_in()
    trade_no = "00AB" + "7" * 28  # not even BCD
    for _ in range(2):  # a repeated record as well
        reaction = give(dialogue, record(trade_no, seq=b"\xfe\xff"))
        assert reaction.replies == []
        assert [said(ack) for ack in reaction.durable_replies] == [
            ("record_ack", b"\xfe\xff", {"trade_no": trade_no, "result": 0})
        ]


def test_a_record_cut_short_is_not_acknowledged_as_stored() -> None:
    dialogue = logged_in()
    body = record(trade_no_of())[6:-2]
    reaction = dialogue.on_frame(0x3B, b"\0\0", body[:100], NOW_MS)
    assert said(reaction.durable_replies[0])[2]["result"] == 1
    assert dialogue.on_frame(0x3B, b"\0\0", body[:23], NOW_MS).durable_replies != []
    assert dialogue.on_frame(0x3B, b"\0\0", body[:15], NOW_MS).durable_replies == []


def test_a_longer_record_of_a_variant_is_stored_and_acknowledged() -> None:
    reaction = logged_in().on_frame(0x3B, b"\0\0", record(trade_no_of())[6:-2] + b"\1\2", NOW_MS)
    assert said(reaction.durable_replies[0])[2]["result"] == 0


def check(model_no: str) -> bytes:
    return encode_raw("tariff_check", {"pile_code": CODE, "model_no": model_no}, seq=b"\5\0")


def test_the_tariff_check_compares_with_the_version_valid_now() -> None:
    dialogue = logged_in()
    same = give(dialogue, check("0008"))
    assert said(same.replies[0])[2] == {"pile_code": CODE, "model_no": "0008", "result": 0}
    assert same.events == [TariffAck(11, NOW_MS, "0008", 8, "tariff_check")]
    old = give(dialogue, check("0007"))
    assert said(old.replies[0])[2]["result"] == 1
    assert old.events == [TariffAck(11, NOW_MS, "0007", 7, "tariff_check")]
    first = give(dialogue, check("0000"))
    assert said(first.replies[0])[2]["result"] == 1
    assert first.events == []


def test_the_tariff_check_follows_the_date() -> None:
    before = TARIFF.from_ms - 1
    assert said(give(logged_in(), check("0007"), before).replies[0])[2]["result"] == 0
    assert said(give(logged_in(), check("0008"), before).replies[0])[2]["result"] == 1


def test_the_tariff_request_gets_every_price_and_half_hour() -> None:
    frame = encode_raw("tariff_request", {"pile_code": CODE}, seq=b"\6\0")
    reaction = give(logged_in(), frame)
    name, seq, fields = said(reaction.replies[0])
    assert (name, seq, fields["model_no"]) == ("tariff_reply", b"\6\0", "0008")
    assert fields["sharp_energy_price"] == "1.20000" and fields["valley_service_price"] == "0.40000"
    body = reaction.replies[0][6:-2]
    assert tuple(body[42:90]) == TARIFF.slot_classes
    assert [int.from_bytes(body[9 + 4 * i : 13 + 4 * i], "little") for i in range(8)] == [
        *(120_000, 40_000, 100_000, 40_000, 80_000, 40_000, 40_000, 40_000)
    ]


def test_a_tariff_counts_as_taken_once_the_charger_goes_on() -> None:
    request = encode_raw("tariff_request", {"pile_code": CODE})
    dialogue = logged_in()
    give(dialogue, request)
    assert give(dialogue, request, NOW_MS + 1000).events == []  # asks again: it has not got the answer
    taken = TariffAck(11, NOW_MS + 2000, "0008", 8, "tariff_reply")
    assert give(dialogue, record(trade_no_of()), NOW_MS + 2000).events[0] == taken
    assert give(dialogue, record(trade_no_of()), NOW_MS + 3000).events == []


def test_without_a_valid_tariff_the_request_gets_no_answer() -> None:
    dialogue = logged_in(make_pile(tariffs=()))
    assert give(dialogue, encode_raw("tariff_request", {"pile_code": CODE})).replies == []
    assert said(give(dialogue, check("0001")).replies[0])[2]["result"] == 1


def test_a_newer_tariff_in_the_master_data_is_seen_on_a_connection_that_lives() -> None:
    directory = PileDirectory([make_pile(tariffs=(OLD_TARIFF,))])
    dialogue = open_dialogue(directory)
    give(dialogue, login())
    assert said(give(dialogue, check("0007")).replies[0])[2]["result"] == 0
    directory.replace([make_pile()])
    assert said(give(dialogue, check("0007")).replies[0])[2]["result"] == 1


def test_a_clock_reply_tells_how_far_off_the_charger_is() -> None:
    frame = encode_raw("time_sync_reply", {"pile_code": CODE, "time": ms_to_cp56(NOW_MS - 600_000, ZONE)})
    reaction = give(logged_in(), frame)
    assert reaction.events == [ClockOffset(11, NOW_MS, NOW_MS - 600_000, -600_000, "time_sync_reply")]
    assert [(answer.command, answer.accepted) for answer in reaction.answers] == [("time_sync", True)]
    empty = encode_raw("time_sync_reply", {"pile_code": CODE, "time": bytes(7)})
    assert give(logged_in(), empty).events == []


def test_only_a_fresh_record_tells_of_the_clock() -> None:
    frame = record(trade_no_of(), trade_time=ms_to_cp56(NOW_MS + 300_000, ZONE))
    fresh = logged_in(record_is_fresh=lambda connector, trade_no, at_ms: (connector, trade_no) == (1, trade_no_of()))
    offset = ClockOffset(11, NOW_MS, NOW_MS + 300_000, 300_000, "record")
    assert offset in give(fresh, frame).events
    assert offset not in give(logged_in(), frame).events


def test_the_time_is_sent_in_the_station_s_zone() -> None:
    dialogue = logged_in(make_pile(zone="Asia/Kathmandu"))
    name, _, fields = said(dialogue.time_sync_frame(1_600_000_000_000))
    assert (name, fields["time"]) == ("time_sync", "2020-09-13T18:11:40.000")


def test_a_start_at_the_charger_is_refused_with_a_trade_number() -> None:
    fields = {
        "pile_code": CODE,
        "gun_no": "02",
        "start_mode": 1,
        "need_password": 0,
        "card_or_account": "0" * 16,
        "password": "0" * 32,
        "vin": "",
    }
    dialogue = logged_in()
    request = give(dialogue, encode_raw("start_request", fields)).start
    assert request is not None
    reaction = dialogue.start_answer(request, StartDecision(granted=False, reason="start_unsupported"), NOW_MS)
    name, _, answer = said(reaction.replies[0])
    assert name == "start_reply"
    assert (answer["auth"], answer["fail_reason"]) == (0, 0x0B)
    assert str(answer["trade_no"]).startswith(CODE + "02")


def test_the_answers_to_orders_are_passed_on() -> None:
    fields = {"trade_no": trade_no_of(), "pile_code": CODE, "gun_no": "02", "result": 0, "fail_reason": 5}
    answer = give(logged_in(), encode_raw("remote_start_reply", fields)).answers[0]
    assert (answer.command, answer.connector, answer.trade_no) == ("remote_start", 2, trade_no_of())
    assert (answer.accepted, answer.reason) == (False, 5)
    stop = {"pile_code": CODE, "gun_no": "01", "result": 1, "fail_reason": 0}
    answer = give(logged_in(), encode_raw("remote_stop_reply", stop)).answers[0]
    assert (answer.command, answer.connector, answer.accepted) == ("remote_stop", 1, True)


def test_a_heartbeat_of_another_length_is_answered() -> None:
    body = heartbeat()[6:-2] + b"\x50"  # YLC adds the state of charge of its storage
    reaction = logged_in().on_frame(0x03, b"\7\0", body, NOW_MS)
    assert said(reaction.replies[0]) == ("heartbeat_ack", b"\7\0", {"pile_code": CODE, "gun_no": "01", "reserved": 0})


def test_unknown_types_are_kept_without_an_answer() -> None:
    assert logged_in().on_frame(0xF1, b"\0\0", b"\1\2\3", NOW_MS) == Reaction()


@given(
    frame_type=st.integers(0, 255),
    seq=st.binary(min_size=2, max_size=2),
    body=st.binary(max_size=251),
    own=st.booleans(),
    known=st.booleans(),
)
def test_nothing_that_a_charger_sends_raises(frame_type: int, seq: bytes, body: bytes, own: bool, known: bool) -> None:
    dialogue = logged_in() if known else open_dialogue()
    if own:  # make it reach the handlers
        offset = 16 if frame_type in (0x13, 0x33, 0x3B) else 0
        body = body[:offset].ljust(offset, b"\x11") + bytes.fromhex(CODE) + body[offset:]
    reaction = dialogue.on_frame(frame_type, seq, body[:251], NOW_MS)
    for reply in reaction.replies + reaction.durable_replies:
        assert reply[2:4] == seq
        assert decode_body(reply[5], reply[6:-2]).layout_ok
