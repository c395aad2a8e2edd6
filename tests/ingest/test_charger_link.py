"""A connection without its socket: logins that wait for a decision, starts, alarms, and what becomes of each frame."""

from typing import Any

import pytest

from core.aaf5.codec import encode_raw as encode_aaf5
from core.directory import Pile, PileDirectory
from ingest.charger_link import ACCEPT, WAIT, ChargerLink
from ingest.charger_protocol import ChargerProtocol
from ingest.connection_registry import PileState
from ingest.event_log import EventLog
from ingest.events import Alarm, CommandOutcome, ConnectionEvent, ConnectorEvent, Event, SessionStart
from ingest.protocols import BY_NAME, BY_NUMBER
from ingest.reactions import ChargerReply, CommandAnswer, LoginRequest, Reason, StartDecision, StartRequest
from ingest.record_buffer import (
    FRAME_DOWN,
    FRAME_UP,
    LANE_FACTS,
    LANE_TELEMETRY,
    QUARANTINE,
    RecordBuffer,
    scan_records,
)
from ingest.trade_numbers import TradeNumbers
from tests.ingest import aaf5_status
from tests.ingest.aaf5_frames import AAF5_CODE, SERIAL, aaf5_login, aaf5_pile, account_query
from tests.ingest.charger_frames import (
    CODE,
    NOW_MS,
    charging,
    heartbeat,
    login,
    make_pile,
    realtime,
    record,
    trade_no_of,
)

TRADE_NO = trade_no_of()
LOGINS = {"ykc": login(), "aaf5": aaf5_login()}
HEARTBEATS = {"ykc": heartbeat(), "aaf5": aaf5_status.heartbeat()}


class Owner:
    """Holds links, says `verdict` to logins, and remembers what it was asked."""

    def __init__(self, verdict: str = ACCEPT) -> None:
        self.records = RecordBuffer()
        self.seen: list[Event] = []
        self.events = EventLog(self.records, self.seen.append)
        self.verdict = verdict
        self.logins: list[LoginRequest] = []
        self.starts: list[StartRequest] = []
        self.directory = PileDirectory([make_pile(), aaf5_pile(gun_letters=True)])
        self._states: dict[int, PileState] = {}

    def state_of(self, pile: Pile) -> PileState:
        return self._states.setdefault(pile.pile_id, PileState(pile))

    def charger_answered(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome | None:
        return None

    def login_wanted(self, link: ChargerLink, request: LoginRequest) -> str:
        self.logins.append(request)
        return self.verdict

    def start_wanted(self, link: ChargerLink, request: StartRequest) -> None:
        self.starts.append(request)

    def link(self, protocol: ChargerProtocol, connection_id: int = 7) -> ChargerLink:
        dialogue = protocol.make_dialogue(
            lambda code: self.directory.by_wire_code(code, protocol.name),
            trade_numbers=TradeNumbers(),
            connection_id=connection_id,
        )
        return ChargerLink(
            self,
            protocol,
            dialogue,
            lambda on_event: protocol.make_stream(self.records, connection_id, on_event, 65_536),
        )

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]

    def kept(self) -> list[tuple[int, int, int, bytes]]:
        """(kind, reason, charger, payload) of frames and evidence, facts first."""
        result = []
        for lane in (LANE_FACTS, LANE_TELEMETRY):
            data = self.records.take(lane)
            found = scan_records(data)
            for i in range(found.count):
                start = int(found.payload_offset[i])
                payload = data[start : start + int(found.payload_length[i])]
                result.append((int(found.kind[i]), int(found.reason[i]), int(found.pile_id[i]), payload))
        return [entry for entry in result if entry[0] in (FRAME_UP, FRAME_DOWN, QUARANTINE)]


def feed(link: ChargerLink, *frames: bytes, at_ms: int = NOW_MS) -> None:
    link.stream.feed_bytes(b"".join(frames), at_ms)
    link.handle_feed(at_ms)


@pytest.mark.parametrize("protocol", BY_NAME.values(), ids=lambda protocol: protocol.name)
def test_frames_behind_a_login_that_waits_are_handled_after_it(protocol: ChargerProtocol) -> None:
    owner = Owner(WAIT)
    link = owner.link(protocol)
    name, beat = LOGINS[protocol.name], HEARTBEATS[protocol.name]
    feed(link, name, beat, beat)
    assert (link.waiting, link.replies, owner.seen, owner.kept()) == (True, [], [], [])
    link.login_decided(ACCEPT, NOW_MS + 2_000)
    assert not link.waiting and link.pile is not None
    assert len(link.replies) == 2  # the login's answer, then those of the heartbeats in one piece
    assert [protocol.type_of(reply) for reply in link.replies] == {"ykc": [0x02, 0x04], "aaf5": [105, 101]}[
        protocol.name
    ]
    up = [(pile_id, payload) for kind, _, pile_id, payload in owner.kept() if kind == FRAME_UP]
    assert up == [(link.pile.pile_id, frame) for frame in (name, beat, beat)]
    link.login_decided(ACCEPT, NOW_MS + 3_000)  # decided already
    assert len(owner.of(ConnectionEvent)) == 1


@pytest.mark.parametrize("protocol", BY_NAME.values(), ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("late", [False, True])
def test_a_refused_login_ends_the_connection_and_what_followed_is_evidence(
    protocol: ChargerProtocol, late: bool
) -> None:
    owner = Owner(WAIT if late else "id_in_use")
    link = owner.link(protocol)
    name, beat = LOGINS[protocol.name], HEARTBEATS[protocol.name]
    feed(link, name, beat)
    if late:
        link.login_decided("id_in_use", NOW_MS)
    assert (link.close_reason, link.pile, link.waiting) == ("id_in_use", None, False)
    assert [(event.event, event.detail) for event in owner.of(ConnectionEvent)] == [("login_refused", "id_in_use")]
    assert len(link.replies) == 1
    quarantined = [(reason, payload) for kind, reason, _, payload in owner.kept() if kind == QUARANTINE]
    assert quarantined == [(Reason.REFUSED, name), (Reason.REFUSED, beat)]


@pytest.mark.parametrize("protocol", BY_NUMBER.values(), ids=lambda protocol: protocol.name)
def test_a_connection_that_ends_before_the_decision_loses_no_byte(protocol: ChargerProtocol) -> None:
    owner = Owner(WAIT)
    link = owner.link(protocol)
    name, beat = LOGINS[protocol.name], HEARTBEATS[protocol.name]
    feed(link, name, beat, beat[:5])
    link.finish(NOW_MS)
    assert b"".join(payload for *_, payload in owner.kept()) == name + beat + beat[:5]
    link.login_decided(ACCEPT, NOW_MS)
    assert link.pile is None and link.replies == []


def test_a_login_that_the_dialogue_refuses_is_not_asked_about() -> None:
    owner = Owner()
    link = owner.link(BY_NAME["ykc"])
    feed(link, login("00000000000000"))
    assert (owner.logins, link.close_reason) == ([], "unknown_pile")
    other = owner.link(BY_NAME["aaf5"])
    feed(other, aaf5_login(CODE))
    assert (owner.logins, other.close_reason) == ([], "wrong_protocol")


def test_a_gun_s_letter_binds_the_connection_to_it() -> None:
    owner = Owner()
    link = owner.link(BY_NAME["aaf5"])
    wire = AAF5_CODE + "B"
    feed(link, aaf5_login(wire), aaf5_status.charging(10, 15, wire, gun_no=0))
    assert (link.stream.connector, owner.logins[0].connector) == (2, 2)
    (start,) = owner.of(SessionStart)
    assert (start.connector, start.method, start.account, start.trade_no) == (2, "card", "12345678", SERIAL)
    assert start.frame == aaf5_status.charging(10, 15, wire, gun_no=0)
    foreign = aaf5_status.charging(10, 30, AAF5_CODE + "A", gun_no=1)
    owner.kept()
    feed(link, foreign)
    assert (QUARANTINE, Reason.FOREIGN_PILE, 21, foreign) in owner.kept()


@pytest.mark.parametrize(
    ("start_mode", "method", "reason"), [(1, "app", ""), (2, "local_admin", ""), (9, "unknown", "start_mode 9")]
)
def test_the_first_status_of_a_charge_says_who_started_it(start_mode: int, method: str, reason: str) -> None:
    owner = Owner()
    link = owner.link(BY_NAME["aaf5"])
    feed(link, aaf5_login(), *(aaf5_status.charging(n, n, start_mode=start_mode) for n in range(3)))
    (start,) = owner.of(SessionStart)
    assert (start.source, start.method, start.reason, start.granted) == ("status", method, reason, 1)


def test_a_start_at_the_charger_is_answered_when_its_owner_has_decided() -> None:
    owner = Owner()
    link = owner.link(BY_NAME["aaf5"])
    query = account_query()
    feed(link, aaf5_login(), query)
    link.replies.clear()
    (request,) = owner.starts
    assert request.frame == query
    decision = StartDecision(granted=True, method="card", account="12345678", balance_fen=5_000)
    link.send_reaction(link.dialogue.start_answer(request, decision, NOW_MS + 900), NOW_MS + 900)
    answer = {"reserved1": 0, "reserved2": 0, "result": 0, "reserved3": "000000", "balance": 5_000}
    assert link.replies == [encode_aaf5("account_reply", answer, seq=b"\x41")]
    assert (FRAME_DOWN, 0, 21, link.replies[0]) in owner.kept()
    assert [(start.source, start.granted) for start in owner.of(SessionStart)] == [("request", 1)]


def resumed(frame: bytes) -> tuple[Owner, ChargerLink]:
    """A charge of YKC under way at 2 kWh, and the first reading over a new connection."""
    owner = Owner()
    first = owner.link(BY_NAME["ykc"])
    feed(first, login(), realtime(plugged=1))
    for n in range(1, 21):
        feed(first, charging(TRADE_NO, n * 1_000, n // 4), at_ms=NOW_MS + n * 15_000)
    owner.seen.clear()
    second = owner.link(BY_NAME["ykc"], 8)
    feed(second, login(), frame, at_ms=NOW_MS + 330_000)
    return owner, second


def test_a_register_that_does_not_go_on_over_a_new_connection_raises_an_alarm() -> None:
    owner, link = resumed(charging(TRADE_NO, 500, 5))
    (alarm,) = owner.of(Alarm)
    assert (alarm.kind, alarm.pile_id, alarm.connector) == ("register_not_continued", 11, 1)
    assert (alarm.detail, alarm.connection_id) == (TRADE_NO, 8)
    assert link.state is not None
    cycle = link.state.cycles[1]
    assert cycle is not None and (cycle.accepted_e4kwh, cycle.trade_no) == (500, TRADE_NO)
    assert owner.of(ConnectorEvent) == []


@pytest.mark.parametrize("energy", [19_999, 20_000, 22_000])  # one step of the register below, and up
def test_a_charge_goes_on_over_a_new_connection(energy: int) -> None:
    owner, link = resumed(charging(TRADE_NO, energy, 5))
    assert owner.of(Alarm) == owner.of(ConnectorEvent) == []
    assert link.state is not None
    cycle = link.state.cycles[1]
    assert cycle is not None and cycle.accepted_e4kwh == max(energy, 20_000)


def test_an_idle_reading_of_a_new_connection_leaves_the_charge_open_until_its_record() -> None:
    owner, link = resumed(realtime(plugged=1))
    assert owner.of(ConnectorEvent) == []
    feed(link, record(TRADE_NO), at_ms=NOW_MS + 331_000)
    assert [(event.event, event.trade_no) for event in owner.of(ConnectorEvent)] == [("billed", TRADE_NO)]
    assert link.state is not None
    cycle = link.state.cycles[1]
    assert cycle is not None and cycle.life_name == "billed"


def test_another_charge_over_a_new_connection_ends_nothing_by_its_own_word() -> None:
    owner, _ = resumed(charging(trade_no_of(number=2), 100, 0))
    assert [(event.event, event.trade_no) for event in owner.of(ConnectorEvent)] == [
        ("charging", trade_no_of(number=2))
    ]
