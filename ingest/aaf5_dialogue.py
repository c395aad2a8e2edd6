"""What the platform answers to an AAF5 charger: the state of one connection, without sockets, files or clocks."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

from core.aaf5.bcd_time import bcd8_to_ms, ms_to_bcd8
from core.aaf5.codec import encode_raw, raw_fields, wrap_body
from core.aaf5.messages import MESSAGES
from core.aaf5.session_no import session_number
from core.directory import Pile
from ingest.aaf5_answers import ANSWER_TYPES, CLOCK_ADDRESS, QUERY, SET, answer_of
from ingest.aaf5_types import trade_no_of
from ingest.aaf5_values import Aaf5ValueTable, clock_field, qr_code_fields, tariff_fields
from ingest.dialogue import Dialogue, FindPile
from ingest.events import Alarm, ChargerIdentity
from ingest.reactions import CommandAnswer, LoginRequest, Reaction, Reason, StartDecision, StartRequest
from ingest.start_decision import AAF5_RESULTS
from ingest.start_evidence import aaf5_record_evidence, request_evidence

LOGIN_OK: Final = 0
LOGIN_REFUSED: Final = 1
# A charger whose clock is further off is set right when it logs in (requirement: clock check).
CLOCK_TOLERANCE_MS: Final = 180_000
# 204 is sent again every 3 s and given up after 10 s (aaf5.md section 5).
START_REPEATS_MS: Final = 10_000
MS_PER_S: Final = 1_000
ANSWERED_STARTS: Final = 16

_LOGIN, _HEARTBEAT, _STATUS, _RECORD, _ACCOUNT_QUERY = 106, 102, 104, 202, 204
_TARIFF_REQUEST, _QR_REQUEST, _ALARMS, _BMS_INFO = 11, 14, 108, 302
_CODE: Final = slice(4, 36)
_RECORD_GUN: Final = 37
_RECORD_CARD: Final = slice(38, 70)
_RECORD_INDEX: Final = slice(120, 124)
_RECORD_SERIAL: Final = slice(256, 288)
_COUNTER: Final = slice(36, 38)
_RANDOM: Final = slice(90, 94)
_ASKED: Final = slice(8 + _CODE.start, 8 + 105)
_GUN_OFFSETS: Final = {6: 36, 8: 36, _STATUS: 37, _RECORD: _RECORD_GUN}
# Of a command whose layout is not published nobody knows whose id stands where.
_NAMING_FRAMES: Final = frozenset(
    number for number, message in MESSAGES.items() if any(field.name == "pile_code" for field in message.fields)
)
_HEAD: Final = {"reserved1": 0, "reserved2": 0}
# Chargers take any sequence number. Firmware F answers with these two whatever it was asked (aaf5.md section 1): an
# order that has one of them would seem to be answered by every answer.
_SEQS: Final = tuple(number for number in range(256) if number not in (0x00, 0x41))

_NO_VALUES: Final = Aaf5ValueTable()


class Aaf5Dialogue(Dialogue):
    """One AAF5 charger connection's side of the talk (aaf5.md section 5).

    Status frames and heartbeats of the usual sizes are answered by the compiled stream and do not come here.
    `values` says what a charger is told that asks for its tariff or its QR codes.
    """

    __slots__ = ("_alarm_bits", "_answered_starts", "_guns", "_own_code", "_probes", "_seq", "_values")

    protocol: ClassVar[str] = "aaf5"

    def __init__(
        self, find_pile: FindPile, *arguments: Any, values: Aaf5ValueTable | None = None, **options: Any
    ) -> None:
        """Other arguments as in `Dialogue`."""
        super().__init__(find_pile, *arguments, **options)
        self._values = values or _NO_VALUES
        self._seq = 0
        self._own_code = b""
        # Both None while there were none.
        self._guns: dict[int, int] | None = None
        self._answered_starts: dict[bytes, tuple[int, bytes]] | None = None
        self._alarm_bits = ""
        self._probes = 0  # without an answer

    def on_frame(self, frame_type: int, seq: bytes, body: bytes, receive_ms: int, frame: bytes = b"") -> Reaction:
        """React to one whole frame whose checksum was right. Never raises for what a charger sends."""
        reaction = Reaction()
        if frame_type == _LOGIN:
            self._login(seq, body, reaction)
            return reaction
        if self.pile is None:
            reaction.quarantine = Reason.NOT_LOGGED_IN
            return reaction
        if frame_type in _NAMING_FRAMES and not self._is_own(body):
            reaction.quarantine = Reason.FOREIGN_PILE
            return reaction
        self.heard(receive_ms, reaction.events)
        connector = self._connector_in(frame_type, body)
        handler = _HANDLERS.get(frame_type)
        if handler is not None:
            handler(self, seq, body, receive_ms, reaction, frame or wrap_body(frame_type, body, seq=seq))
        elif frame_type in ANSWER_TYPES:
            answer = answer_of(frame_type, body, connector)
            if answer is not None and not self._answers_probe(answer):
                reaction.answers.append(answer)
        return reaction

    def start_answer(self, request: StartRequest, decision: StartDecision, now_ms: int) -> Reaction:
        """203, and the evidence. It carries no trade number: the charger makes its own."""
        asked = _asked(request.frame)
        self._start_is_decided(asked)
        result = 0 if decision.granted else AAF5_RESULTS.get(decision.reason, AAF5_RESULTS[""])
        balance = min(max(0, decision.balance_fen), 0xFFFF_FFFF)
        reply = encode_raw(
            "account_reply", {**_HEAD, "result": result, "reserved3": "000000", "balance": balance}, seq=request.seq
        )
        if self._answered_starts is None:
            self._answered_starts = {}
        if len(self._answered_starts) >= ANSWERED_STARTS:
            del self._answered_starts[next(iter(self._answered_starts))]
        self._answered_starts[asked] = (now_ms, reply)
        return Reaction(replies=[reply], events=[request_evidence(request, decision, "", now_ms, reply)])

    def next_seq(self) -> bytes:
        """The sequence number of the next frame that the platform starts by itself."""
        seq = self._seq
        self._seq = (seq + 1) % len(_SEQS)
        return bytes([_SEQS[seq]])

    def time_sync_frame(self, now_ms: int) -> bytes:
        """Command 3 that sets parameter 2, the clock. The charger must have logged in."""
        time = ms_to_bcd8(now_ms, self._known_pile().zone)
        fields = {**_HEAD, "op": SET, "addr": CLOCK_ADDRESS, "byte_len": len(time), "data": time.hex().upper()}
        return encode_raw("str_params", fields, seq=self.next_seq())

    def probe_frame(self) -> bytes:
        """Command 3 that asks for the clock: the one question that all known implementations have."""
        fields = {**_HEAD, "op": QUERY, "addr": CLOCK_ADDRESS, "byte_len": 0}
        self._probes += 1
        return encode_raw("str_params", fields, seq=self.next_seq())

    def gun_no_of(self, connector: int) -> int:
        """How the charger itself numbers a connector: what it said last, else 0 on a charger with one gun (section 6).

        0 also stands for connector 0, the charger as a whole.
        """
        if self._guns is not None and connector in self._guns:
            return self._guns[connector]
        return 0 if self.pile is not None and self.pile.connectors == 1 else connector

    # Logins

    def _login(self, seq: bytes, body: bytes, reaction: Reaction) -> None:
        if len(body) < _CODE.stop:
            reaction.login = LoginRequest(code="", pile=None, seq=seq, body=body, refusal="login_too_short")
            return
        code = _text(body[_CODE])
        found = self._find_pile(code)
        pile, connector = found if found is not None else (None, 0)
        refusal = self._refusal_of(pile)
        if not refusal and self._login_heard and connector != self.connector:
            refusal = "other_pile_on_connection"
        if not refusal and pile is not None and connector > pile.connectors:
            refusal = "unknown_connector"
        request = LoginRequest(
            code=code,
            pile=pile,
            seq=seq,
            body=body,
            connector=connector,
            refusal=refusal,
            clock_ms=_login_clock(pile, body) if pile is not None else 0,
            heartbeat_ms=MS_PER_S * raw_fields(_LOGIN, body).get("heartbeat_period", 0),
            identity=self._identity(pile, body) if pile is not None and not refusal else None,
        )
        if self._login_heard and not refusal:
            # Three tries, 5 s apart, until it hears the answer: no further fact to keep.
            reaction.replies += self._login_answer(request, accepted=True)
            return
        reaction.login = request

    def _login_answer(self, request: LoginRequest, *, accepted: bool) -> list[bytes]:
        if not request.code:
            return []
        random = request.body[_RANDOM].ljust(4, b"\0").hex().upper()
        result = LOGIN_OK if accepted else LOGIN_REFUSED
        return [encode_raw("login_ack", {**_HEAD, "random": random, "result": result}, seq=request.seq)]

    def _wants_time(self, request: LoginRequest, receive_ms: int) -> bool:
        return abs(request.clock_ms - receive_ms) > CLOCK_TOLERANCE_MS

    def _identity(self, pile: Pile, body: bytes) -> ChargerIdentity:
        fields = raw_fields(_LOGIN, body)
        version = fields.get("protocol_version")
        firmware = ""
        if "ver_patch" in fields:
            patch = bytes.fromhex(fields["ver_patch"])
            firmware = f"{fields['ver_major']}.{fields['ver_minor']}.{patch[0]}.{patch[1]}"
        return ChargerIdentity(
            pile_id=pile.pile_id,
            connection_id=self._connection_id,
            event_ms=0,
            protocol=self.protocol,
            protocol_version="" if version is None else f"{version // 10}.{version % 10}",
            firmware=firmware,
            connectors=fields.get("gun_count", 0),
            boot_count=fields.get("boot_count", 0),
            record_count=fields.get("record_count", 0),
        )

    def _answers_probe(self, answer: CommandAnswer) -> bool:
        """Whether it answers a question that no order asked."""
        asked = (answer.values.get("op"), answer.values.get("addr"))
        if not self._probes or answer.command != "str_params" or asked != (QUERY, CLOCK_ADDRESS):
            return False
        self._probes -= 1
        return True

    # Whose frame it is

    def _is_own(self, body: bytes) -> bool:
        """Whether the frame names this charger, and this gun where the connection is a gun's."""
        if len(body) < _CODE.stop or body[_CODE] == self._own_code:
            return True
        found = self._find_pile(_text(body[_CODE]))
        if found is None or self.pile is None or found[0].pile_id != self.pile.pile_id:
            return False
        if self.connector and found[1] not in (0, self.connector):
            return False
        self._own_code = body[_CODE]
        return True

    def _connector_in(self, frame_type: int, body: bytes) -> int:
        """The connector that a frame is about; remembers how the charger numbers it."""
        offset = _GUN_OFFSETS.get(frame_type)
        if offset is None or len(body) <= offset:
            return self.connector
        gun_no = body[offset]
        connector = self.connector or gun_no or 1
        if frame_type in (_STATUS, _RECORD):
            self._guns = self._guns or {}
            self._guns[connector] = gun_no
        return connector

    # Questions of the charger

    def _heartbeat(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        counter = int.from_bytes(body[_COUNTER], "little")
        reaction.replies.append(encode_raw("heartbeat_ack", {**_HEAD, "counter": counter}, seq=seq))

    def _status(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        # A status of an unknown size: its bytes are kept, and the charger is told that they came (section 6).
        fields = raw_fields(_STATUS, body)
        if fields:
            answer = {**_HEAD, "gun_no": fields["gun_no"], "value1": 0, "value2": 0, "serial": ""}
            reaction.replies.append(encode_raw("status_ack", answer, seq=seq))

    def _account_query(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        fields = raw_fields(_ACCOUNT_QUERY, body)
        if "random" not in fields:
            return
        answered_ms, reply = (self._answered_starts or {}).get(_asked(frame), (0, b""))
        if reply and 0 <= receive_ms - answered_ms < START_REPEATS_MS:
            reaction.replies.append(reply)
            return
        if self._start_is_pending(_asked(frame), receive_ms):
            return
        password = "" if not any(bytes.fromhex(fields["password"])) else fields["password"]
        pile = self._known_pile()
        reaction.start = StartRequest(
            message="account_query",
            pile=pile,
            connector=self.connector or (1 if pile.connectors == 1 else 0),
            mode="card",
            seq=seq,
            receive_ms=receive_ms,
            account=fields["card"],
            password=password,
            needs_password=bool(password),
            balance_fen=fields["card_balance"],
            frame=frame,
            refusal=self._refusal_of_start(_asked(frame), receive_ms),
        )

    def _tariff_request(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        pile = self._known_pile()
        tariff = self._values.tariff(pile)
        if tariff:
            fields = {**_HEAD, "pile_code": _code_of(pile, body), **tariff_fields(tariff)}
            reaction.replies.append(encode_raw("tariff", fields, seq=seq))

    def _qr_request(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        pile = self._known_pile()
        codes = self._values.qr_codes(pile)
        if codes:
            code = _code_of(pile, body)
            fields = {**_HEAD, "pile_code": code, **clock_field(pile, receive_ms), **qr_code_fields(codes)}
            reaction.replies.append(encode_raw("qr_codes", fields, seq=seq))

    def _alarms(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        # The layout of 107, its answer, is not published; a guess would tell the charger something unknown.
        bits = raw_fields(_ALARMS, body).get("alarm_bits", "")
        if not bits or bits == self._alarm_bits:
            return
        first_and_clear = not self._alarm_bits and not any(bytes.fromhex(bits))
        self._alarm_bits = bits
        if not first_and_clear:
            reaction.events.append(
                Alarm(
                    pile_id=self._known_pile().pile_id,
                    connector=self.connector,
                    event_ms=receive_ms,
                    kind="charger_alarm",
                    detail=f"alarm bits {bits}",
                    peer=self._peer,
                    connection_id=self._connection_id,
                )
            )

    def _bms_info(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        reaction.replies.append(encode_raw("bms_ack", _HEAD, seq=seq))

    # Facts

    def _record(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction, frame: bytes) -> None:
        # Answered whatever it holds: without a 201 the charger never moves on to its next record (section 5).
        padded = body.ljust(_RECORD_SERIAL.stop, b"\0")
        ack = {
            **_HEAD,
            "gun_no": padded[_RECORD_GUN],
            "card": _text(padded[_RECORD_CARD]),
            "record_index": int.from_bytes(padded[_RECORD_INDEX], "little"),
            "value1": 0,
            "serial": _text(padded[_RECORD_SERIAL]),
        }
        reaction.durable_replies.append(encode_raw("record_ack", ack, seq=seq))
        fields = raw_fields(_RECORD, body)
        if not fields:
            return
        pile = self._known_pile()
        connector = self._connector_in(_RECORD, body)
        trade_no = session_number(pile.code, connector, fields.get("serial", ""), fields["start_time"])
        trade_no = trade_no or trade_no_of(_RECORD, body, pile.code)
        if self._record_is_fresh(connector, trade_no, receive_ms):
            end_ms = bcd8_to_ms(fields["end_time"], pile.zone)
            if end_ms:
                reaction.events.append(self._clock_event(pile, end_ms, receive_ms, "record"))
        if self._first_sight(trade_no):
            evidence = aaf5_record_evidence(pile.pile_id, connector, trade_no, fields, receive_ms, frame)
            reaction.events.append(evidence)


_HANDLERS: Final[dict[int, Callable[[Aaf5Dialogue, bytes, bytes, int, Reaction, bytes], None]]] = {
    _HEARTBEAT: Aaf5Dialogue._heartbeat,
    _STATUS: Aaf5Dialogue._status,
    _RECORD: Aaf5Dialogue._record,
    _ACCOUNT_QUERY: Aaf5Dialogue._account_query,
    _TARIFF_REQUEST: Aaf5Dialogue._tariff_request,
    _QR_REQUEST: Aaf5Dialogue._qr_request,
    _ALARMS: Aaf5Dialogue._alarms,
    _BMS_INFO: Aaf5Dialogue._bms_info,
}


def _login_clock(pile: Pile, body: bytes) -> int:
    time = raw_fields(_LOGIN, body).get("pile_time")
    return bcd8_to_ms(time, pile.zone) if time is not None else 0


def _asked(frame: bytes) -> bytes:
    """What makes a 204 sent again the same question: charger, card and password."""
    return frame[_ASKED]


def _code_of(pile: Pile, body: bytes) -> str:
    """The id that the charger goes by, with its gun's letter."""
    return _text(body[_CODE]) or pile.code


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("latin-1")
