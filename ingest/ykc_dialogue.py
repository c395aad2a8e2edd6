"""What the platform answers to a YKC charger: the state of one connection, without sockets, files or clocks."""

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import msgspec

from core.directory import Pile
from core.tariff_version import TariffVersion
from core.ykc.codec import encode_raw, raw_fields
from core.ykc.cp56 import cp56_to_ms, ms_to_cp56
from ingest import ykc_types
from ingest.events import ClockOffset, ConnectionEvent, Event, TariffAck
from ingest.trade_numbers import TradeNumbers

LOGIN_OK: Final = 0
LOGIN_FAILED: Final = 1
SAME_TARIFF: Final = 0
OTHER_TARIFF: Final = 1
RECORD_STORED: Final = 0
RECORD_INVALID: Final = 1
CARD_START_UNSUPPORTED: Final = 0x0B


class Reason(IntEnum):
    """Why a whole frame is quarantined; the numbers below 20 are the splitter's span kinds."""

    ENCRYPTED = 3
    GARBAGE = 10
    BAD_LENGTH = 11
    BAD_CHECKSUM = 12
    NOT_LOGGED_IN = 20
    FOREIGN_PILE = 21
    REFUSED = 22


class CommandAnswer(msgspec.Struct, frozen=True):
    """A charger's answer to an order. `reason` is the charger's own number, 0 when it accepted."""

    command: str
    connector: int
    trade_no: str
    accepted: bool
    reason: int


class Reaction(msgspec.Struct):
    """What one frame asks of the connection's owner, in this order: keep the frame, then the rest.

    `quarantine` is set when the frame is evidence only. `durable_replies` may leave only after the frame is fsynced
    (DESIGN invariant 2). `close` is the reason to hang up once the replies are out.
    """

    replies: list[bytes] = msgspec.field(default_factory=list)
    durable_replies: list[bytes] = msgspec.field(default_factory=list)
    events: list[Event] = msgspec.field(default_factory=list)
    answers: list[CommandAnswer] = msgspec.field(default_factory=list)
    quarantine: Reason | None = None
    login: Pile | None = None
    send_time: bool = False
    close: str | None = None


RecordIsFresh = Callable[[int, str, int], bool]


def _never_fresh(connector: int, trade_no: str, receive_ms: int) -> bool:
    return False


class YkcDialogue:
    """One charger connection's side of the talk (ykc.md section 5).

    `find_pile` says who may log in. A `pile` given at once stands for a login that nobody saw: a replay takes frames
    before it. `record_is_fresh(connector, trade_no, receive_ms)` tells whether that charge was seen to run just now,
    so that the clock in its record can be compared with ours; a record from the charger's backlog says nothing.
    """

    def __init__(
        self,
        find_pile: Callable[[str], Pile | None],
        trade_numbers: TradeNumbers,
        *,
        connection_id: int,
        peer: str = "",
        pile: Pile | None = None,
        record_is_fresh: RecordIsFresh = _never_fresh,
    ) -> None:
        self.pile = pile
        self.offered_tariff: TariffVersion | None = None
        self._find_pile = find_pile
        self._trade_numbers = trade_numbers
        self._connection_id = connection_id
        self._peer = peer
        self._record_is_fresh = record_is_fresh
        self._next_seq = 0
        self._login_heard = False
        self._handlers: dict[int, Callable[[bytes, bytes, int, Reaction], None]] = {
            ykc_types.LOGIN: self._login,
            ykc_types.HEARTBEAT: self._heartbeat,
            ykc_types.TARIFF_CHECK: self._tariff_check,
            ykc_types.TARIFF_REQUEST: self._tariff_request,
            ykc_types.START_REQUEST: self._start_request,
            ykc_types.REMOTE_START_REPLY: self._remote_start_reply,
            ykc_types.REMOTE_STOP_REPLY: self._remote_stop_reply,
            ykc_types.RECORD: self._record,
            ykc_types.TIME_SYNC_REPLY: self._time_sync_reply,
        }

    def on_frame(self, frame_type: int, seq: bytes, body: bytes, receive_ms: int) -> Reaction:
        """React to one whole frame whose checksum was right. Never raises for what a charger sends."""
        reaction = Reaction()
        if frame_type != ykc_types.LOGIN:
            if self.pile is None:
                reaction.quarantine = Reason.NOT_LOGGED_IN
                return reaction
            code = ykc_types.pile_code_of(frame_type, body)
            if code is not None and code != self.pile.code:
                reaction.quarantine = Reason.FOREIGN_PILE
                return reaction
            if frame_type != ykc_types.TARIFF_REQUEST:
                self.heard(receive_ms, reaction.events)
        handler = self._handlers.get(frame_type)
        if handler is not None:
            handler(seq, body, receive_ms, reaction)
        return reaction

    def heard(self, receive_ms: int, events: list[Event]) -> None:
        """The charger sent something other than a tariff request: it has taken the tariff offered before, if any."""
        if self.offered_tariff is None or self.pile is None:
            return
        events.append(
            TariffAck(
                pile_id=self.pile.pile_id,
                event_ms=receive_ms,
                model_no=self.offered_tariff.model_no,
                tariff_version_id=self.offered_tariff.tariff_version_id,
                source="tariff_reply",
            )
        )
        self.offered_tariff = None

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

    def _known_pile(self) -> Pile:
        """The charger with what the master data says of it now: tariffs change while a connection lives for weeks."""
        if self.pile is None:
            raise RuntimeError("this needs a charger that has logged in")
        self.pile = self._find_pile(self.pile.code) or self.pile
        return self.pile

    def _login(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        code = ykc_types.pile_code_of(ykc_types.LOGIN, body)
        if code is None:
            reaction.quarantine = Reason.REFUSED
            reaction.close = "login_too_short"
            return
        pile = self._find_pile(code)
        refusal = None
        if pile is None or pile.protocol != "ykc":
            refusal = "unknown_pile"
        elif self.pile is not None and self.pile.code != code:
            refusal = "other_pile_on_connection"
        result = LOGIN_FAILED if refusal else LOGIN_OK
        reaction.replies.append(encode_raw("login_ack", {"pile_code": code, "result": result}, seq=seq))
        if self._login_heard and not refusal:
            # The charger did not hear the first answer. Nothing has changed, so there is no further fact to keep, and
            # a charger that repeats itself without end fills nothing but the telemetry.
            return
        reaction.events.append(
            ConnectionEvent(
                pile_id=pile.pile_id if pile else 0,
                connection_id=self._connection_id,
                event_ms=receive_ms,
                event="login_refused" if refusal else "login",
                detail=refusal or "",
                peer=self._peer,
                pile=code,
            )
        )
        if refusal:
            reaction.quarantine = Reason.REFUSED
            reaction.close = refusal
            return
        self.pile = pile
        self._login_heard = True
        reaction.login = pile
        reaction.send_time = True

    def _heartbeat(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        # Ordinary heartbeats are answered by YkcStream; only variants of another length come here.
        if len(body) > ykc_types.PILE_CODE_BYTES:
            gun_no = f"{body[ykc_types.PILE_CODE_BYTES]:02X}"
            fields = {"pile_code": self._known_pile().code, "gun_no": gun_no, "reserved": 0}
            reaction.replies.append(encode_raw("heartbeat_ack", fields, seq=seq))

    def _tariff_check(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
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

    def _tariff_request(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        pile = self._known_pile()
        version = pile.tariff_at(receive_ms)
        if version is None:
            # Charging is forbidden without a tariff, and none is valid: silence is the only honest answer.
            return
        reaction.replies.append(tariff_reply_frame(pile.code, version, seq))
        self.offered_tariff = version

    def _start_request(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        # Nobody holds cards on the platform yet, so a start at the charger is refused by name instead of left waiting.
        connector = ykc_types.connector_of(ykc_types.START_REQUEST, body)
        if connector == 0:
            return
        pile = self._known_pile()
        fields: dict[str, Any] = {
            "trade_no": self._trade_numbers.make(pile.code, connector, receive_ms, pile.zone),
            "pile_code": pile.code,
            "gun_no": f"{connector:02d}",
            "logical_card": "0" * 16,
            "balance": 0,
            "auth": 0,
            "fail_reason": CARD_START_UNSUPPORTED,
        }
        reaction.replies.append(encode_raw("start_reply", fields, seq=seq))

    def _remote_start_reply(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        fields = raw_fields(ykc_types.REMOTE_START_REPLY, body)
        if "fail_reason" in fields:
            self._answer("remote_start", ykc_types.REMOTE_START_REPLY, body, fields, reaction)

    def _remote_stop_reply(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        fields = raw_fields(ykc_types.REMOTE_STOP_REPLY, body)
        if "fail_reason" in fields:
            self._answer("remote_stop", ykc_types.REMOTE_STOP_REPLY, body, fields, reaction)

    def _answer(self, command: str, frame_type: int, body: bytes, fields: dict[str, Any], reaction: Reaction) -> None:
        reaction.answers.append(
            CommandAnswer(
                command=command,
                connector=ykc_types.connector_of(frame_type, body),
                trade_no=str(fields.get("trade_no", "")),
                accepted=fields["result"] == 1,
                reason=fields["fail_reason"],
            )
        )

    def _record(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        trade_no = body[: ykc_types.TRADE_NO_BYTES]
        if len(trade_no) < ykc_types.TRADE_NO_BYTES:
            return
        # A record too short to be billed stays in the charger (result 1 only ends the retries); its bytes are kept.
        result = RECORD_STORED if len(body) >= ykc_types.RECORD_BODY_BYTES else RECORD_INVALID
        ack = encode_raw("record_ack", {"trade_no": trade_no.hex().upper(), "result": result}, seq=seq)
        reaction.durable_replies.append(ack)
        connector = ykc_types.connector_of(ykc_types.RECORD, body)
        if result == RECORD_STORED and self._record_is_fresh(connector, trade_no.hex().upper(), receive_ms):
            trade_time = raw_fields(ykc_types.RECORD, body)["trade_time"]
            self._clock_offset(trade_time, receive_ms, "record", reaction)

    def _time_sync_reply(self, seq: bytes, body: bytes, receive_ms: int, reaction: Reaction) -> None:
        time = raw_fields(ykc_types.TIME_SYNC_REPLY, body).get("time")
        if time is None:
            return
        self._clock_offset(time, receive_ms, "time_sync_reply", reaction)
        reaction.answers.append(CommandAnswer(command="time_sync", connector=0, trade_no="", accepted=True, reason=0))

    def _clock_offset(self, time: bytes, receive_ms: int, source: str, reaction: Reaction) -> None:
        pile = self._known_pile()
        pile_ms = cp56_to_ms(time, pile.zone)
        if pile_ms:
            reaction.events.append(
                ClockOffset(
                    pile_id=pile.pile_id,
                    event_ms=receive_ms,
                    pile_ms=pile_ms,
                    offset_ms=pile_ms - receive_ms,
                    source=source,
                )
            )


def tariff_reply_frame(pile_code: str, version: TariffVersion, seq: bytes) -> bytes:
    """0x0A with all prices and half-hours of `version`."""
    fields: dict[str, Any] = {
        "pile_code": pile_code,
        "model_no": version.model_no,
        "loss_ratio": 0,
        "slot_rates": bytes(version.slot_classes),
    }
    prices = zip(
        ("sharp", "peak", "flat", "valley"),
        version.electricity_price_e5yuan,
        version.service_price_e5yuan,
        strict=True,
    )
    for name, electricity, service in prices:
        fields[f"{name}_energy_price"] = electricity
        fields[f"{name}_service_price"] = service
    return encode_raw("tariff_reply", fields, seq=seq)
