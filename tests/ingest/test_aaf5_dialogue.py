"""What the platform answers to each AAF5 frame, without sockets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.aaf5.bcd_time import ms_to_bcd8
from core.aaf5.codec import decode_body, encode_raw, raw_fields, wrap_body
from core.directory import Pile, PileDirectory
from ingest.aaf5_dialogue import Aaf5Dialogue
from ingest.aaf5_values import Aaf5Values, Aaf5ValueTable
from ingest.errors import IngestError
from ingest.events import Alarm, ChargerIdentity, ClockOffset, ConnectionEvent, SessionStart
from ingest.reactions import Reaction, Reason, StartDecision
from ingest.start_decision import refuse
from ingest.trade_numbers import TradeNumbers
from tests.ingest.aaf5_frames import AAF5_CODE, SERIAL, aaf5_login, aaf5_pile, aaf5_record, account_query, up
from tests.ingest.charger_frames import NOW_MS, ZONE, make_pile


def open_dialogue(*piles: Pile, **arguments: Any) -> Aaf5Dialogue:
    directory = PileDirectory(piles or (aaf5_pile(),))
    return Aaf5Dialogue(directory.by_wire_code, TradeNumbers(), connection_id=5, peer="p", **arguments)


def give(dialogue: Aaf5Dialogue, frame: bytes, at_ms: int = NOW_MS) -> Reaction:
    """What a gateway does that takes every login which the dialogue does not refuse itself."""
    reaction = dialogue.on_frame(int.from_bytes(frame[6:8], "little"), frame[5:6], frame[8:-1], at_ms, frame)
    if reaction.login is None:
        return reaction
    if reaction.login.refusal:
        return dialogue.login_refused(reaction.login, reaction.login.refusal, at_ms)
    return dialogue.logged_in(reaction.login, at_ms)


def logged_in(*piles: Pile, code: str = AAF5_CODE, **arguments: Any) -> Aaf5Dialogue:
    dialogue = open_dialogue(*piles, **arguments)
    assert give(dialogue, aaf5_login(code)).close is None
    return dialogue


def said(frame: bytes) -> tuple[str | None, bytes, dict[str, Any]]:
    body = decode_body(int.from_bytes(frame[6:8], "little"), frame[8:-1])
    assert body.layout_ok
    return body.name, frame[5:6], body.fields


# Logins


def test_a_login_is_answered_with_its_random_number_and_tells_who_the_charger_is() -> None:
    dialogue = open_dialogue()
    reaction = give(dialogue, aaf5_login(seq=b"\x07"))
    name, seq, fields = said(reaction.replies[0])
    assert (name, seq, fields["random"], fields["result"]) == ("login_ack", b"\x07", "DEADBEEF", 0)
    assert reaction.events == [
        ConnectionEvent(21, 5, NOW_MS, "login", "", "p", AAF5_CODE),
        ChargerIdentity(21, 5, NOW_MS, "aaf5", "3.4", "3.1.7.0", 2, boot_count=12, record_count=4),
        ClockOffset(21, NOW_MS, NOW_MS, 0, "login"),
    ]
    assert dialogue.pile is not None and dialogue.connector == 0


@pytest.mark.parametrize(
    ("clock_ms", "set_right"),
    [(NOW_MS, False), (NOW_MS - 180_000, False), (NOW_MS + 181_000, True), (0, True)],
)
def test_a_clock_that_is_off_by_more_than_three_minutes_is_set(clock_ms: int, set_right: bool) -> None:
    assert give(open_dialogue(), aaf5_login(clock_ms=clock_ms)).send_time is set_right


def test_the_clock_is_set_by_parameter_two_in_the_station_s_zone() -> None:
    dialogue = logged_in(aaf5_pile(zone="Asia/Kathmandu"))
    name, _, fields = said(dialogue.time_sync_frame(1_600_000_000_000))
    assert (name, fields["op"], fields["addr"], fields["byte_len"]) == ("str_params", 1, 2, 8)
    assert fields["data"] == "20200913181140FF"


def test_a_gun_s_letter_names_its_connector() -> None:
    pile = aaf5_pile(gun_letters=True)
    dialogue = open_dialogue(pile)
    give(dialogue, aaf5_login(AAF5_CODE + "B"))
    assert dialogue.pile == pile and dialogue.connector == 2
    assert dialogue.gun_no_of(2) == 2
    # The same letter without that setting belongs to a code that nobody knows.
    assert give(open_dialogue(), aaf5_login(AAF5_CODE + "B")).close == "unknown_pile"


def test_refusals_are_said_and_kept() -> None:
    unknown = give(open_dialogue(), aaf5_login("nobody"))
    assert said(unknown.replies[0])[2]["result"] == 1
    assert unknown.close == "unknown_pile" and unknown.quarantine is Reason.REFUSED
    assert unknown.events == [ConnectionEvent(0, 5, NOW_MS, "login_refused", "unknown_pile", "p", "nobody")]
    assert give(open_dialogue(make_pile(AAF5_CODE)), aaf5_login()).close == "wrong_protocol"
    short = give(open_dialogue(), wrap_body(106, b"\0" * 20))
    assert (short.close, short.replies) == ("login_too_short", [])


def test_a_login_that_is_repeated_is_answered_but_another_gun_s_is_not_its_own() -> None:
    pile = aaf5_pile(gun_letters=True)
    dialogue = logged_in(pile, code=AAF5_CODE + "A")
    again = give(dialogue, aaf5_login(AAF5_CODE + "A"))
    assert said(again.replies[0])[2]["result"] == 0 and again.events == []
    assert give(dialogue, aaf5_login(AAF5_CODE + "B")).close == "other_pile_on_connection"


@pytest.mark.parametrize("frame", [aaf5_record(), account_query(), up("alarms", alarm_bits="00" * 32)])
def test_frames_before_a_login_or_of_another_charger_are_evidence_only(frame: bytes) -> None:
    assert give(open_dialogue(), frame) == Reaction(quarantine=Reason.NOT_LOGGED_IN)
    other = aaf5_pile(code="other", pile_id=22)
    assert give(logged_in(aaf5_pile(), other, code="other"), frame) == Reaction(quarantine=Reason.FOREIGN_PILE)


# Records


def test_a_record_is_acknowledged_only_when_durable_with_what_it_said() -> None:
    dialogue = logged_in()
    for _ in range(2):
        reaction = give(dialogue, aaf5_record(seq=b"\x09"))
        assert reaction.replies == []
        name, seq, fields = said(reaction.durable_replies[0])
        assert (name, seq, fields["gun_no"], fields["record_index"]) == ("record_ack", b"\x09", 2, 7)
        assert (fields["card"], fields["serial"]) == ("0012345678", SERIAL)


@pytest.mark.parametrize("size", [0, 36, 100, 255, 300])
def test_a_record_that_cannot_be_used_is_acknowledged_as_well(size: int) -> None:
    body = aaf5_record()[8:-1].ljust(300, b"\0")[:size]
    reaction = logged_in().on_frame(202, b"\0", body, NOW_MS)
    assert said(reaction.durable_replies[0])[0] == "record_ack"
    assert reaction.events == [] or size >= 256


def test_a_record_tells_once_who_started_the_charge() -> None:
    dialogue = logged_in()
    frame = aaf5_record()
    (start,) = give(dialogue, frame).events
    assert start == SessionStart(21, 2, SERIAL, NOW_MS, "app", "12345678", "record", 1, "", frame)
    assert give(dialogue, frame).events == []
    (local,) = give(dialogue, aaf5_record(serial=None, start_mode=2)).events
    assert isinstance(local, SessionStart)
    assert (local.method, local.trade_no) == ("local_admin", f"{AAF5_CODE}-2-20261122052640")


def test_only_a_fresh_record_tells_of_the_clock() -> None:
    frame = aaf5_record(end_time=ms_to_bcd8(NOW_MS + 600_000, ZONE))
    fresh = logged_in(record_is_fresh=lambda connector, trade_no, at_ms: (connector, trade_no) == (2, SERIAL))
    offset = ClockOffset(21, NOW_MS, NOW_MS + 600_000, 600_000, "record")
    assert offset in give(fresh, frame).events
    assert offset not in give(logged_in(), frame).events


# Starts at the charger


def test_a_card_is_asked_about_once_and_answered_again_when_it_asks_again() -> None:
    dialogue = logged_in()
    frame = account_query(seq=b"\x33")
    request = give(dialogue, frame).start
    assert request is not None
    assert (request.message, request.mode, request.account) == ("account_query", "card", "0012345678")
    assert (request.balance_fen, request.needs_password, request.frame) == (2_500, False, frame)
    assert give(dialogue, frame, NOW_MS + 3_000) == Reaction()  # it waits for the decision
    decision = StartDecision(granted=True, method="card", account="Chan", balance_fen=8_000)
    reaction = dialogue.start_answer(request, decision, NOW_MS + 3_500)
    name, seq, fields = said(reaction.replies[0])
    assert (name, seq, fields["result"], fields["balance"]) == ("account_reply", b"\x33", 0, "80.00")
    (start,) = reaction.events
    assert isinstance(start, SessionStart)
    assert (start.method, start.account, start.granted, start.source) == ("card", "Chan", 1, "request")
    assert (start.frame, start.reply) == (frame, reaction.replies[0])
    assert give(dialogue, frame, NOW_MS + 6_000) == Reaction(replies=reaction.replies)
    assert give(dialogue, frame, NOW_MS + 60_000).start is not None


def test_a_refusal_has_its_number() -> None:
    dialogue = logged_in()
    request = give(dialogue, account_query(password="01" * 32)).start
    assert request is not None and request.needs_password
    reaction = dialogue.start_answer(request, refuse("wrong_password"), NOW_MS)
    assert said(reaction.replies[0])[2]["result"] == 8


# The rest


def test_answers_to_orders_are_passed_on() -> None:
    dialogue = logged_in()
    (start,) = give(dialogue, up("start_reply", gun_no=2, result=100_002, serial=SERIAL)).answers
    assert (start.command, start.connector, start.trade_no) == ("remote_start", 2, SERIAL)
    assert (start.accepted, start.reason) == (False, 100_002)
    (short,) = give(dialogue, up("start_reply", gun_no=0, result=0)).answers
    assert (short.connector, short.trade_no, short.accepted) == (1, "", True)
    controls = {2: "remote_stop", 10: "cancel_booking", 11: "reboot"}
    for addr, command in controls.items():
        (answer,) = give(dialogue, up("control_reply", gun_no=1, addr=addr, count=1, result=0)).answers
        assert (answer.command, answer.accepted) == (command, True)
    assert give(dialogue, up("control_reply", gun_no=1, addr=99, count=1, result=0)).answers == []
    read = up("int_params_reply", op=0, addr=21, count=2, result=0, values=[15, 3])
    (answer,) = give(dialogue, read).answers
    assert (answer.command, answer.values) == ("int_params", {"op": 0, "addr": 21, "values": [15, 3]})
    (clock,) = give(dialogue, up("str_params_reply", op=1, addr=2, result=0)).answers
    assert clock.command == "time_sync"


def test_tariff_and_qr_codes_are_given_as_configured_and_only_then() -> None:
    tariff = bytes(range(66)).hex()
    entries = [Aaf5Values(tariff=tariff), Aaf5Values(pile=AAF5_CODE, qr_codes=("https://a/1", "https://a/2"))]
    dialogue = logged_in(values=Aaf5ValueTable(entries))
    (reply,) = give(dialogue, up("tariff_request", value1=0)).replies
    assert reply[8 + 36 : -1] == bytes.fromhex(tariff)
    (reply,) = give(dialogue, up("qr_request", value1=0)).replies
    fields = raw_fields(13, reply[8:-1])
    assert (fields["qr_code_2"], fields["qr_code_3"]) == ("https://a/2", "")
    assert fields["time"] == ms_to_bcd8(NOW_MS, ZONE)
    bare = logged_in()
    assert give(bare, up("tariff_request", value1=0)) == give(bare, up("qr_request", value1=0)) == Reaction()


@pytest.mark.parametrize(
    "entry",
    [
        Aaf5Values(tariff="00" * 65),
        Aaf5Values(qr_codes=("a",) * 5),
        Aaf5Values(qr_codes=("x" * 65,)),
        Aaf5Values(pile="1", station_id=1, tariff="00" * 66),
    ],
)
def test_values_that_do_not_fit_are_refused_at_the_start(entry: Aaf5Values) -> None:
    with pytest.raises(IngestError):
        Aaf5ValueTable([entry])


def test_alarm_bits_are_reported_when_they_change() -> None:
    dialogue = logged_in()
    clear, set_ = up("alarms", alarm_bits="00" * 32), up("alarms", alarm_bits="01" + "00" * 31)
    assert give(dialogue, clear).events == []
    (alarm,) = give(dialogue, set_).events
    assert isinstance(alarm, Alarm) and alarm.kind == "charger_alarm" and alarm.detail.endswith("01" + "00" * 31)
    assert give(dialogue, set_).events == []
    assert len(give(dialogue, clear).events) == 1


def test_bms_information_is_answered_and_what_has_no_layout_is_kept_silently() -> None:
    dialogue = logged_in()
    assert said(give(dialogue, wrap_body(302, b"\1" * 60)).replies[0])[0] == "bms_ack"
    code = bytes(4) + AAF5_CODE.encode().ljust(32, b"\0")
    for command in (109, 206, 1011, 4711):
        assert dialogue.on_frame(command, b"\0", code + b"\1" * 100, NOW_MS) == Reaction()


def test_heartbeats_and_status_of_other_sizes_are_answered() -> None:
    dialogue = logged_in()
    beat = up("heartbeat", counter=258)[8:-1] + b"\0"
    assert said(dialogue.on_frame(102, b"\5", beat, NOW_MS).replies[0])[2]["counter"] == 258
    status = bytes(4) + AAF5_CODE.encode().ljust(32, b"\0") + b"\2\2" + bytes(190)
    name, _, fields = said(dialogue.on_frame(104, b"\5", status, NOW_MS).replies[0])
    assert (name, fields["gun_no"]) == ("status_ack", 2)


def test_orders_number_a_gun_as_the_charger_does() -> None:
    single = logged_in(aaf5_pile(connectors=1))
    assert single.gun_no_of(1) == 0
    give(single, aaf5_record(gun_no=1))
    assert single.gun_no_of(1) == 1
    assert logged_in().gun_no_of(2) == 2


def test_the_probe_asks_for_the_clock() -> None:
    name, _, fields = said(logged_in().probe_frame())
    assert (name, fields["op"], fields["addr"]) == ("str_params", 0, 2)


@given(
    command=st.one_of(
        st.sampled_from([2, 4, 6, 8, 11, 14, 102, 104, 106, 108, 109, 202, 204, 206, 302]), st.integers(0, 65535)
    ),
    seq=st.binary(min_size=1, max_size=1),
    body=st.binary(max_size=320),
    own=st.booleans(),
    known=st.booleans(),
)
def test_nothing_that_a_charger_sends_raises(command: int, seq: bytes, body: bytes, own: bool, known: bool) -> None:
    dialogue = logged_in() if known else open_dialogue()
    if own:
        body = body[:4].ljust(4, b"\0") + AAF5_CODE.encode().ljust(32, b"\0") + body[36:]
    reaction = dialogue.on_frame(command, seq, body, NOW_MS)
    if reaction.login is not None:
        dialogue.login_refused(reaction.login, reaction.login.refusal or "id_in_use", NOW_MS)
    if reaction.start is not None:
        reaction.replies += dialogue.start_answer(reaction.start, refuse("no_decision"), NOW_MS).replies
    for reply in reaction.replies + reaction.durable_replies:
        assert reply[5:6] == seq
        assert decode_body(int.from_bytes(reply[6:8], "little"), reply[8:-1]).layout_ok


def test_a_frame_of_evidence_is_made_up_when_none_is_given() -> None:
    dialogue = logged_in()
    frame = account_query()
    request = dialogue.on_frame(204, frame[5:6], frame[8:-1], NOW_MS).start
    assert request is not None and request.frame == frame
    assert encode_raw("bms_ack", {"reserved1": 0, "reserved2": 0}) != frame
