"""Starts at the charger: the questions, the table that decides, the answers and the evidence."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.directory import PileDirectory
from core.ykc.codec import encode_raw, raw_fields
from ingest.errors import IngestError
from ingest.events import SessionStart
from ingest.reactions import Reaction, StartDecision, StartMode, StartRequest
from ingest.start_decision import AAF5_RESULTS, REFUSALS, YKC_FAIL_REASONS, StartAccount, StartTable, refuse
from ingest.trade_numbers import TradeNumbers
from ingest.vin import check_digit_fits, is_vin, settled_vin
from ingest.ykc_dialogue import YkcDialogue
from tests.ingest.charger_frames import CODE, NOW_MS, make_pile, record, trade_no_of

CARD = "00000000D14B0A54"
VIN = "LSVAU2A34N2183294"  # its ninth character is the check digit
MD5 = hashlib.md5(b"8888", usedforsecurity=False).hexdigest().upper()


def start_request(message: str = "start_request", seq: bytes = b"\x05\x00", **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "pile_code": CODE,
        "gun_no": "02",
        "start_mode": 1,
        "need_password": 0,
        "card_or_account": CARD,
        "password": "0" * 32,
        "vin": "",
    }
    if message == "parallel_start_request":
        fields |= {"gun_role": 1, "parallel_no": "261122062640"}
    return encode_raw(message, fields | changes, seq=seq)


def dialogue() -> YkcDialogue:
    find_pile = PileDirectory([make_pile()]).by_wire_code
    return YkcDialogue(find_pile, TradeNumbers(), connection_id=5, pile=make_pile())


def ask(talk: YkcDialogue, frame: bytes, at_ms: int = NOW_MS) -> Reaction:
    return talk.on_frame(frame[5], frame[2:4], frame[6:-2], at_ms, frame)


def asked(frame: bytes) -> StartRequest:
    request = ask(dialogue(), frame).start
    assert request is not None
    return request


# What a charger asks


def test_a_card_start_is_asked_about_with_all_that_the_frame_says() -> None:
    frame = start_request(need_password=1, password=MD5)
    request = asked(frame)
    assert (request.mode, request.account, request.connector) == ("card", CARD, 2)
    assert (request.password, request.needs_password) == (MD5, True)
    assert (request.pile.code, request.receive_ms, request.frame) == (CODE, NOW_MS, frame)


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        ({"start_mode": 2}, "account"),
        ({"start_mode": 2, "card_or_account": "0" * 16, "password": MD5}, "password"),
        ({"start_mode": 3, "card_or_account": "0" * 16, "vin": VIN}, "vin"),
        ({"start_mode": 9}, "card"),
        ({"start_mode": 9, "card_or_account": "0" * 16, "vin": VIN}, "vin"),
    ],
)
def test_the_mode_is_the_charger_s_number_or_what_it_sent(changes: dict[str, Any], mode: StartMode) -> None:
    assert asked(start_request(**changes)).mode == mode


@pytest.mark.parametrize("sent", [VIN, VIN[::-1]])
def test_a_vin_is_read_whichever_way_round_it_was_sent(sent: str) -> None:
    assert asked(start_request(start_mode=3, card_or_account="0" * 16, vin=sent)).vin == VIN


def test_a_start_that_is_sent_again_waits_with_the_first() -> None:
    talk = dialogue()
    frame = start_request()
    request = ask(talk, frame).start
    assert request is not None
    assert ask(talk, frame, NOW_MS + 3_000).start is None
    assert ask(talk, start_request(seq=b"\x06\x00"), NOW_MS + 3_000).start is not None  # another swipe
    talk.start_answer(request, refuse("frozen"), NOW_MS + 4_000)
    assert ask(talk, frame, NOW_MS + 5_000).start is not None


def test_no_more_starts_wait_than_a_charger_has_guns() -> None:
    talk = dialogue()
    waiting = [ask(talk, start_request(seq=bytes([n, 1]))).start for n in range(40)]
    assert [request.refusal for request in waiting if request] == [""] * 16 + ["no_decision"] * 24
    later = ask(talk, start_request(), NOW_MS + 60_000).start
    assert later is not None and later.refusal == ""


@pytest.mark.parametrize("size", range(0, 51))
def test_a_request_cut_short_is_kept_and_not_asked_about(size: int) -> None:
    assert dialogue().on_frame(0x31, b"\0\0", start_request()[6:-2][:size], NOW_MS).start is None


# What it is answered


def test_a_granted_start_gets_a_trade_number_and_a_balance() -> None:
    talk = dialogue()
    frame = start_request()
    request = ask(talk, frame).start
    assert request is not None
    granted = StartDecision(granted=True, account="Chan", balance_fen=8_000, shown_card="0000001000000573")
    reaction = talk.start_answer(request, granted, NOW_MS + 50)
    (reply,) = reaction.replies
    fields = raw_fields(0x32, reply[6:-2])
    assert (reply[5], reply[2:4]) == (0x32, b"\x05\x00")
    assert (fields["auth"], fields["fail_reason"], fields["balance"]) == (1, 0, 8_000)
    assert fields["logical_card"] == "0000001000000573"
    assert fields["trade_no"].startswith(CODE + "02")
    assert reaction.events == [
        SessionStart(11, 2, fields["trade_no"], NOW_MS + 50, "card", "Chan", "request", 1, "", frame, reply)
    ]


def test_a_refused_start_has_a_trade_number_too_and_is_evidence() -> None:
    talk = dialogue()
    request = ask(talk, start_request()).start
    assert request is not None
    reaction = talk.start_answer(request, refuse("balance_too_low"), NOW_MS)
    fields = raw_fields(0x32, reaction.replies[0][6:-2])
    assert (fields["auth"], fields["fail_reason"]) == (0, 3)
    assert fields["trade_no"].strip("0")
    (start,) = reaction.events
    assert isinstance(start, SessionStart)
    assert (start.granted, start.reason, start.account) == (0, "balance_too_low", "D14B0A54")


def test_a_start_of_two_guns_is_answered_with_its_number() -> None:
    talk = dialogue()
    request = ask(talk, start_request("parallel_start_request")).start
    assert request is not None
    assert (request.parallel_no, request.gun_role) == ("261122062640", 1)
    (reply,) = talk.start_answer(request, StartDecision(granted=True), NOW_MS).replies
    assert reply[5] == 0xA2 and raw_fields(0xA2, reply[6:-2])["parallel_no"] == "261122062640"


def test_every_refusal_has_a_number_in_both_protocols() -> None:
    assert set(YKC_FAIL_REASONS) == set(AAF5_RESULTS)
    assert all(1 <= YKC_FAIL_REASONS[reason] <= 0x0B for reason in REFUSALS)
    assert all(1 <= AAF5_RESULTS[reason] <= 9 for reason in REFUSALS)
    with pytest.raises(ValueError, match="no reason"):
        refuse("because")


@pytest.mark.parametrize(
    ("start_mode", "changes", "method", "account"),
    [
        (1, {}, "app", ""),
        (2, {"physical_card": CARD}, "card", "D14B0A54"),
        (4, {"physical_card": CARD}, "offline_card", "D14B0A54"),
        (5, {"vin": VIN}, "vin", VIN),
        (3, {}, "unknown", ""),
    ],
)
def test_a_record_tells_once_how_its_charge_was_started(
    start_mode: int, changes: dict[str, Any], method: str, account: str
) -> None:
    talk = dialogue()
    frame = record(trade_no_of(), start_mode=start_mode, **changes)
    (start,) = ask(talk, frame).events
    assert isinstance(start, SessionStart)
    assert (start.method, start.account, start.source, start.frame) == (method, account, "record", frame)
    assert start.reason == ("start_mode 3" if start_mode == 3 else "")
    assert ask(talk, frame).events == []


def test_a_connection_remembers_a_bounded_number_of_records() -> None:
    talk = dialogue()
    for number in range(101):
        ask(talk, record(trade_no_of(number=number)))
    assert len(ask(talk, record(trade_no_of(number=0))).events) == 1
    assert ask(talk, record(trade_no_of(number=100))).events == []


# The table that decides

TABLE = StartTable(
    [
        StartAccount(card="D14B0A54", balance_fen=8_000, name="Chan"),
        StartAccount(card="0012345678", balance_fen=5_000),
        StartAccount(card="F1", balance_fen=100, password="8888"),
        StartAccount(card="F2", balance_fen=100, frozen=True),
        StartAccount(card="F3"),
        StartAccount(card="F4", balance_fen=100, pile="elsewhere"),
        StartAccount(vin=VIN, balance_fen=900),
        StartAccount(account="13800000000", password="secret", balance_fen=700),
        StartAccount(password="8888", station_id=3, balance_fen=600, name="Depot"),
        StartAccount(password=f"md5:{'AB' * 16}", station_id=4, balance_fen=600, name="Other depot"),
    ]
)


def wanted(mode: StartMode, account: str = "", password: str = "", vin: str = "", **changes: Any) -> StartRequest:
    fields: dict[str, Any] = {"message": "start_request", "pile": make_pile(), "connector": 1, "seq": b"\0\0"}
    fields |= {"receive_ms": NOW_MS, "mode": mode, "account": account, "password": password, "vin": vin}
    return StartRequest(**(fields | changes))


@pytest.mark.parametrize(
    ("request_", "reason", "account", "balance_fen"),
    [
        (wanted("card", CARD), "", "Chan", 8_000),
        (wanted("card", "12345678"), "", "12345678", 5_000),
        (wanted("card", "999"), "unknown_account", "", 0),
        (wanted("card", ""), "unknown_account", "", 0),
        (wanted("card", "F1"), "wrong_password", "F1", 0),
        (wanted("card", "F1", MD5), "", "F1", 100),
        (wanted("card", "F2"), "frozen", "F2", 0),
        (wanted("card", "F3"), "balance_too_low", "F3", 0),
        (wanted("card", "F4"), "not_on_this_pile", "F4", 0),
        (wanted("vin", vin=VIN), "", VIN, 900),
        (wanted("vin", vin=VIN[::-1]), "unknown_vin", "", 0),
        (wanted("account", "13800000000", hashlib.md5(b"secret").hexdigest()), "", "13800000000", 700),
        (wanted("account", "13800000000"), "wrong_password", "13800000000", 0),
        (wanted("password", password=MD5), "", "Depot", 600),
        (wanted("password", password="00" * 16), "wrong_password", "", 0),
        (wanted("password", password="AB" * 16), "not_on_this_pile", "Other depot", 0),
    ],
)
def test_the_table_decides(request_: StartRequest, reason: str, account: str, balance_fen: int) -> None:
    decision = TABLE(request_)
    assert (decision.reason, decision.account, decision.balance_fen) == (reason, account, balance_fen)
    assert decision.granted is (reason == "")


def test_a_station_password_is_evidence_of_a_password() -> None:
    assert TABLE(wanted("password", password=MD5)).method == "password"
    assert TABLE(wanted("vin", vin=VIN)).method == "vin"


def test_the_shown_card_is_sixteen_digits() -> None:
    assert TABLE(wanted("card", "0012345678")).shown_card == "0000000012345678"
    assert TABLE(wanted("card", CARD)).shown_card == "0" * 16  # hex digits cannot be shown


@pytest.mark.parametrize("sent", [b"8888".ljust(32, b"\0"), MD5.encode(), MD5.lower().encode(), bytes.fromhex(MD5)])
def test_a_password_is_known_in_each_form_that_chargers_send(sent: bytes) -> None:
    assert TABLE(wanted("card", "F1", sent.hex())).granted
    assert not TABLE(wanted("card", "F1", sent.hex()[:-2] + "01")).granted


@given(password=st.text("0123456789ABCDEFabcdefxyz", max_size=70))
def test_no_other_password_opens_anything(password: str) -> None:
    decision = TABLE(wanted("card", "F1", password))
    assert not decision.granted or password.upper().rstrip("0") in (MD5.rstrip("0"), b"8888".hex())


@pytest.mark.parametrize(
    "entry",
    [
        StartAccount(),
        StartAccount(card="1", vin=VIN),
        StartAccount(account="1"),
        StartAccount(card="1", password="md5:12"),
        StartAccount(password="md5:" + "x" * 32),
    ],
)
def test_entries_that_could_never_be_right_are_refused(entry: StartAccount) -> None:
    with pytest.raises(IngestError):
        StartTable([entry])


def test_an_empty_table_lets_nobody_in() -> None:
    empty = StartTable()
    for request in (wanted("card", CARD), wanted("vin", vin=VIN), wanted("password", password=MD5)):
        assert not empty(request).granted


# Vehicle numbers


def test_the_vin_rule_settles_the_order() -> None:
    assert is_vin(VIN) and check_digit_fits(VIN)
    assert check_digit_fits("1M8GDM9AXKP042788") and not check_digit_fits("1M8GDM9A0KP042788")  # the usual examples
    assert not is_vin(VIN[::-1])  # its last four would be letters
    assert settled_vin(VIN) == settled_vin(VIN[::-1]) == VIN
    assert not is_vin("LSVAU2A34N21832O4") and not is_vin(VIN[:-1])


def test_where_both_ways_fit_the_check_digit_decides_and_else_the_document() -> None:
    both = next(
        text
        for number in range(10_000)
        if is_vin(text := f"{number:04d}0000X0000{number:04d}")
        and check_digit_fits(text) != check_digit_fits(text[::-1])
    )
    right = both if check_digit_fits(both) else both[::-1]
    assert settled_vin(both) == settled_vin(both[::-1]) == right
    neither = next(
        text
        for number in range(10_000)
        if not check_digit_fits(text := f"{number:04d}0000Z0001{9 - number % 10}234")
        and not check_digit_fits(text[::-1])
    )
    assert settled_vin(neither) == neither[::-1]  # the document: what comes first is the end
    assert settled_vin("?" * 5) == "?" * 5
