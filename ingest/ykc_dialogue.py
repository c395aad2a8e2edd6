"""What the platform answers to a YKC charger: the state of one connection, without sockets, files or clocks."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from core.directory import Pile
from core.ykc.codec import encode_raw, raw_fields, wrap_body
from core.ykc.cp56 import cp56_to_ms, ms_to_cp56
from ingest import ykc_types
from ingest.dialogue import Dialogue, FindPile
from ingest.events import ChargerIdentity, TariffAck
from ingest.reactions import LoginRequest, Reaction, Reason, StartDecision, StartMode, StartRequest
from ingest.start_decision import YKC_FAIL_REASONS
from ingest.start_evidence import request_evidence, ykc_record_evidence
from ingest.vin import settled_vin
from ingest.ykc_answers import ANSWER_TYPES, answer_of
from ingest.ykc_tariff import tariff_fields

LOGIN_OK: Final = 0
LOGIN_FAILED: Final = 1
SAME_TARIFF: Final = 0
OTHER_TARIFF: Final = 1
RECORD_STORED: Final = 0
RECORD_INVALID: Final = 1

_CURRENT_KINDS: Final = {0: "dc", 1: "ac"}
_NO_ACCOUNT: Final = "0" * 16
_NO_PASSWORD: Final = "0" * 32


class YkcDialogue(Dialogue):
    """One YKC charger connection's side of the talk (ykc.md section 5)."""

    __slots__ = ("_next_seq",)

    protocol: ClassVar[str] = "ykc"

    def __init__(self, find_pile: FindPile, *arguments: Any, **options: Any) -> None:
        """Arguments as in `Dialogue`."""
        super().__init__(find_pile, *arguments, **options)
        self._next_seq = 0

    def on_frame(self, frame_type: int, seq: bytes, body: bytes, receive_ms: int, frame: bytes = b"") -> Reaction:
        """React to one whole frame whose checksum was right. Never raises for what a charger sends."""
        reaction = Reaction()
        if frame_type == ykc_types.LOGIN:
            self._login(seq, body, reaction)
            return reaction
        if self.pile is None:
            reaction.quarantine = Reason.NOT_LOGGED_IN
            return reaction
        code = ykc_types.pile_code_of(frame_type, body)
        if code is not None and code != self.pile.code:
            reaction.quarantine = Reason.FOREIGN_PILE
            return reaction
        if frame_type != ykc_types.TARIFF_REQUEST:
            self.heard(receive_ms, reaction.events)
        handler = _HANDLERS.get(frame_type)
        if handler is not None:
            handler(self, seq, body, receive_ms, reaction, frame or wrap_body(frame_type, body, seq=seq))
        if frame_type in ANSWER_TYPES:
            answer = answer_of(frame_type, body)
            if answer is not None:
                reaction.answers.append(answer)
        return reaction

    def start_answer(self, request: StartRequest, decision: StartDecision, now_ms: int) -> Reaction:
        """0x32 or 0xA2 under a new trade number, which a refusal has as well (ykc.md section 5), and the evidence."""
        self._start_is_decided(_asked(request.frame))
        pile = self._known_pile()
        trade_no = self._trade_numbers.make(pile.code, request.connector, now_ms, pile.zone)
        fields: dict[str, Any] = {
            "trade_no": trade_no,
            "pile_code": pile.code,
            "gun_no": f"{request.connector:02d}",
            "logical_card": decision.shown_card,
            "balance": min(max(0, decision.balance_fen), 0xFFFF_FFFF),
            "auth": int(decision.granted),
            "fail_reason": 0 if decision.granted else YKC_FAIL_REASONS.get(decision.reason, YKC_FAIL_REASONS[""]),
        }
        message = "start_reply"
        if request.message == "parallel_start_request":
            message = "parallel_start_reply"
            fields["parallel_no"] = request.parallel_no
        reply = encode_raw(message, fields, seq=request.seq)
        evidence = request_evidence(request, decision, trade_no, now_ms, reply)
        return Reaction(replies=[reply], events=[evidence])

    def next_seq(self) -> bytes:
        """The sequence number of the next frame that the platform starts by itself, as its two wire bytes."""
        seq = self._next_seq
        self._next_seq = (seq + 1) & 0xFFFF
        return seq.to_bytes(2, "little")

    def time_sync_frame(self, now_ms: int) -> bytes:
        """0x56 with the station's local time. The charger must have logged in."""
        pile = self._known_pile()
        time = ms_to_cp56(now_ms, pile.zone)
        return encode_raw("time_sync", {"pile_code": pile.code, "time": time}, seq=self.next_seq())

    def probe_frame(self) -> bytes:
        """0x12 for the first gun, which is answered with a 0x13 at once (ykc.md section 5, "Realtime")."""
        fields = {"pile_code": self._known_pile().code, "gun_no": "01"}
        return encode_raw("read_realtime", fields, seq=self.next_seq())

    # Logins

    def _login(self, seq: bytes, body: bytes, reaction: Reaction) -> None:
        code = ykc_types.pile_code_of(ykc_types.LOGIN, body)
        if code is None:
            reaction.login = LoginRequest(code="", pile=None, seq=seq, body=body, refusal="login_too_short")
            return
        found = self._find_pile(code)
        pile = found[0] if found is not None else None
        refusal = self._refusal_of(pile)
        request = LoginRequest(
            code=code,
            pile=pile,
            seq=seq,
            body=body,
            refusal=refusal,
            identity=self._identity(pile, body) if pile is not None and not refusal else None,
        )
        if self._login_heard and not refusal:
            # The charger did not hear the first answer. Nothing has changed, so there is no further fact to keep, and
            # a charger that repeats itself without end fills nothing but the telemetry.
            reaction.replies += self._login_answer(request, accepted=True)
            return
        reaction.login = request

    def _login_answer(self, request: LoginRequest, *, accepted: bool) -> list[bytes]:
        if not request.code:
            return []
        fields = {"pile_code": request.code, "result": LOGIN_OK if accepted else LOGIN_FAILED}
        return [encode_raw("login_ack", fields, seq=request.seq)]

    def _wants_time(self, request: LoginRequest, receive_ms: int) -> bool:
        # 0x56 is due after every login (ykc.md section 5, "Clock"); the login itself has no time to compare with.
        return True

    def _identity(self, pile: Pile, body: bytes) -> ChargerIdentity:
        fields = raw_fields(ykc_types.LOGIN, body)
        version = fields.get("protocol_version")
        return ChargerIdentity(
            pile_id=pile.pile_id,
            connection_id=self._connection_id,
            event_ms=0,
            protocol=self.protocol,
            protocol_version="" if version is None else f"{version // 10}.{version % 10}",
            firmware=fields.get("firmware", ""),
            connectors=fields.get("gun_count", 0),
            current_kind=_CURRENT_KINDS.get(fields.get("pile_type", -1), ""),
            sim=fields.get("sim", ""),
        )

    # Questions of the charger

    def _heartbeat(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        # Ordinary heartbeats are answered by YkcStream; only variants of another length come here.
        if len(body) > ykc_types.PILE_CODE_BYTES:
            gun_no = f"{body[ykc_types.PILE_CODE_BYTES]:02X}"
            fields = {"pile_code": self._known_pile().code, "gun_no": gun_no, "reserved": 0}
            reaction.replies.append(encode_raw("heartbeat_ack", fields, seq=seq))

    def _tariff_check(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        pile = self._known_pile()
        model_no = str(raw_fields(ykc_types.TARIFF_CHECK, body).get("model_no", ""))
        if len(model_no) != 4:
            return
        held = next((version for version in pile.tariffs if version.model_no == model_no), None)
        if held is not None:
            reaction.events.append(
                TariffAck(
                    pile_id=pile.pile_id,
                    event_ms=receive_ms,
                    model_no=model_no,
                    tariff_version_id=held.tariff_version_id,
                    source="tariff_check",
                )
            )
        valid = pile.tariff_at(receive_ms)
        result = SAME_TARIFF if held is not None and held == valid else OTHER_TARIFF
        fields = {"pile_code": pile.code, "model_no": model_no, "result": result}
        reaction.replies.append(encode_raw("tariff_check_ack", fields, seq=seq))

    def _tariff_request(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        pile = self._known_pile()
        version = pile.tariff_at(receive_ms)
        if version is None:
            # Charging is forbidden without a tariff, and none is valid: silence is the only honest answer.
            return
        reaction.replies.append(encode_raw("tariff_reply", tariff_fields(pile.code, version), seq=seq))
        self.offered_tariff = version

    def _start_request(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        self._ask_for_start("start_request", ykc_types.START_REQUEST, seq, body, receive_ms, reaction, frame)

    def _parallel_start_request(
        self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes
    ) -> None:
        frame_type = ykc_types.PARALLEL_START_REQUEST
        self._ask_for_start("parallel_start_request", frame_type, seq, body, receive_ms, reaction, frame)

    def _ask_for_start(
        self, message: str, frame_type: int, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes
    ) -> None:
        connector = ykc_types.connector_of(frame_type, body)
        fields = raw_fields(frame_type, body)
        complete = "vin" in fields if message == "start_request" else "parallel_no" in fields
        if connector == 0 or not complete or self._start_is_pending(_asked(frame), receive_ms):
            return
        mode = _start_mode(fields)
        account = fields["card_or_account"]
        password = fields["password"]
        reaction.start = StartRequest(
            message=message,
            pile=self._known_pile(),
            connector=connector,
            mode=mode,
            seq=seq,
            receive_ms=receive_ms,
            account="" if account == _NO_ACCOUNT else account,
            password="" if password == _NO_PASSWORD else password,
            needs_password=fields["need_password"] == 1,
            vin=settled_vin(fields["vin"][::-1]) if mode == "vin" else "",
            parallel_no=fields.get("parallel_no", ""),
            gun_role=fields.get("gun_role", 0),
            frame=frame,
            refusal=self._refusal_of_start(_asked(frame), receive_ms),
        )

    # Facts

    def _record(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        raw_number = body[: ykc_types.TRADE_NO_BYTES]
        if len(raw_number) < ykc_types.TRADE_NO_BYTES:
            return
        trade_no = raw_number.hex().upper()
        # A record too short to be billed stays in the charger (result 1 only ends the retries); its bytes are kept.
        result = RECORD_STORED if len(body) >= ykc_types.RECORD_BODY_BYTES else RECORD_INVALID
        reaction.durable_replies.append(encode_raw("record_ack", {"trade_no": trade_no, "result": result}, seq=seq))
        if result != RECORD_STORED:
            return
        connector = ykc_types.connector_of(ykc_types.RECORD, body)
        session = ykc_types.trade_no_of(ykc_types.RECORD, body)
        fields = raw_fields(ykc_types.RECORD, body)
        if self._record_is_fresh(connector, session, receive_ms):
            self._clock_offset(fields["trade_time"], receive_ms, "record", reaction)
        if self._first_sight(session):
            pile_id = self._known_pile().pile_id
            reaction.events.append(ykc_record_evidence(pile_id, connector, session, fields, receive_ms, frame))

    def _time_sync_reply(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        time = raw_fields(ykc_types.TIME_SYNC_REPLY, body).get("time")
        if time is not None:
            self._clock_offset(time, receive_ms, "time_sync_reply", reaction)

    def _clock_offset(self, time: bytes, receive_ms: int, source: str, reaction: Reaction) -> None:
        pile = self._known_pile()
        pile_ms = cp56_to_ms(time, pile.zone)
        if pile_ms:
            reaction.events.append(self._clock_event(pile, pile_ms, receive_ms, source))


_HANDLERS: Final[dict[int, Callable[[YkcDialogue, bytes, bytes, int, Reaction, bytes], None]]] = {
    ykc_types.HEARTBEAT: YkcDialogue._heartbeat,
    ykc_types.TARIFF_CHECK: YkcDialogue._tariff_check,
    ykc_types.TARIFF_REQUEST: YkcDialogue._tariff_request,
    ykc_types.START_REQUEST: YkcDialogue._start_request,
    ykc_types.PARALLEL_START_REQUEST: YkcDialogue._parallel_start_request,
    ykc_types.RECORD: YkcDialogue._record,
    ykc_types.TIME_SYNC_REPLY: YkcDialogue._time_sync_reply,
}


def _asked(frame: bytes) -> bytes:
    """What makes a start sent again the same start: the number, which a new swipe counts up, and all that it says."""
    return frame[2:-2]


def _start_mode(fields: dict[str, Any]) -> StartMode:
    """The number of ykc.md section 4.1; for any other, what the request carries."""
    match fields["start_mode"]:
        case 1:
            return "card"
        case 3:
            return "vin"
        case 2:
            # A station's password is typed without an account.
            return "account" if fields["card_or_account"] != _NO_ACCOUNT else "password"
    if fields["card_or_account"] != _NO_ACCOUNT:
        return "card"
    return "vin" if fields["vin"] else "password"
