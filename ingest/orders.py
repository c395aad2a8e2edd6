"""The orders of all protocols by name, and what their outcomes prove."""

import difflib
from typing import Any, Final

import msgspec

from core.aaf5 import codec as aaf5_codec
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.aaf5.messages import MESSAGES_BY_NAME as AAF5_MESSAGES_BY_NAME
from core.directory import Pile
from core.start_commands import START_COMMANDS
from core.ykc import codec as ykc_codec
from core.ykc.messages import MESSAGES as YKC_MESSAGES
from core.ykc.messages import MESSAGES_BY_NAME as YKC_MESSAGES_BY_NAME
from ingest.aaf5_answers import CLOCK_ADDRESS, CONTROL_CANCEL_BOOKING, CONTROL_REBOOT, SET
from ingest.events import CommandOutcome, SessionStart, TariffAck
from ingest.order import ANSWER_TIMEOUT_MS, NO_CARD, Order, OrderError, Parcel
from ingest.orders_aaf5 import AAF5_ORDERS, parameter_subject
from ingest.orders_ykc import YKC_ORDERS
from ingest.reactions import CommandAnswer
from ingest.start_evidence import plain_card

ORDERS: Final[dict[str, dict[str, Order]]] = {
    "ykc": {order.name: order for order in YKC_ORDERS},
    "aaf5": {order.name: order for order in AAF5_ORDERS},
}
"""By protocol and name."""

_ALIASES: Final = {"start": "remote_start", "stop": "remote_stop"}
_CONTROLS: Final = {CONTROL_CANCEL_BOOKING: "cancel_booking", CONTROL_REBOOT: "reboot"}
_UNKNOWN_ORDER: Final = Order("", "", "", msgspec.Struct, lambda site, arguments: [])


class SentOrder(msgspec.Struct, frozen=True):
    """An order as the frame that carried it tells it: what a capture knows of one."""

    command: str
    connector: int
    place: int
    trade_no: str
    subject: str
    timeout_ms: int
    body: bytes


def order_named(protocol: str, name: str) -> Order:
    """The order of that name. Raises `OrderError` that says which ones the protocol has."""
    orders = ORDERS.get(protocol, {})
    found = orders.get(_ALIASES.get(name, name))
    if found is None:
        close = difflib.get_close_matches(name, orders, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(sorted(orders))}"
        raise OrderError(f"{protocol} has no order {name!r}; {hint}")
    return found


def message_since(protocol: str, order: Order) -> str:
    """The version of the protocol that brought an order's message, empty where every known version has it."""
    messages = YKC_MESSAGES_BY_NAME if protocol == "ykc" else AAF5_MESSAGES_BY_NAME
    return messages[order.message].since


def order_body(protocol: str, order: Order, parcel: Parcel) -> bytes:
    """The content of an order's frame. Raises `CoreError` for a value that does not fit."""
    if protocol == "ykc":
        return ykc_codec.encode_raw(order.message, parcel.fields)[6:-2]
    return aaf5_codec.encode_raw(order.message, parcel.fields)[8:-1]


def without_secrets(order: Order, parcel: Parcel) -> Parcel:
    """What of an order is kept: the same where it has no secret."""
    emptied = {name: "" for name in order.secrets if parcel.fields.get(name)}
    return msgspec.structs.replace(parcel, fields=parcel.fields | emptied) if emptied else parcel


def order_frame(protocol: str, order: Order, body: bytes, seq: bytes) -> bytes:
    """The frame around such a content."""
    if protocol == "ykc":
        return ykc_codec.wrap_body(YKC_MESSAGES_BY_NAME[order.message].type, body, seq=seq)
    return aaf5_codec.wrap_body(AAF5_MESSAGES_BY_NAME[order.message].type, body, seq=seq)


def subject_of(answer: CommandAnswer) -> str:
    """Which of several orders of one kind an answer is about (`Parcel.subject`)."""
    if answer.command in ("int_params", "str_params"):
        return parameter_subject(answer.values.get("op", -1), answer.values.get("addr", -1))
    return ""


def refusal_text(answer: CommandAnswer, protocol: str) -> str:
    """The charger's reason in a word, its number where it has no word; empty when it accepted."""
    if answer.accepted:
        return ""
    order = ORDERS[protocol].get(answer.command, _UNKNOWN_ORDER)
    return order.reasons.get(answer.reason, str(answer.reason))


def may_still_accept(answer: CommandAnswer, protocol: str) -> bool:
    """Whether a refusal may be followed by a yes: a plug that comes late (ykc.md section 5)."""
    order = ORDERS[protocol].get(answer.command, _UNKNOWN_ORDER)
    return not answer.accepted and answer.reason in order.more_answers


def sent_order(protocol: str, frame: bytes, own_connector: int = 0) -> SentOrder | None:
    """The order that a frame of the platform carries, None when it is none or has no answer of its own.

    0x12 is answered with an ordinary reading. `own_connector` is the gun that the connection speaks for, 0 = all.
    """
    if protocol == "ykc":
        return _sent_ykc(frame[5], frame[6:-2])
    return _sent_aaf5(int.from_bytes(frame[6:8], "little"), frame[8:-1], own_connector)


def facts_of(outcome: CommandOutcome, pile: Pile) -> list[SessionStart | TariffAck]:
    """What an outcome proves beyond itself: who started a charge, which tariff the charger holds."""
    if outcome.command in START_COMMANDS:
        return [_order_evidence(outcome, pile.protocol)]
    if outcome.command == "tariff_set" and outcome.outcome == "ok" and outcome.request:
        model_no = ykc_codec.raw_fields(outcome.request[5], outcome.request[6:-2]).get("model_no", "")
        held = next((version for version in pile.tariffs if version.model_no == model_no), None)
        if held is not None:
            return [
                TariffAck(
                    pile_id=pile.pile_id,
                    event_ms=outcome.answered_ms,
                    model_no=model_no,
                    tariff_version_id=held.tariff_version_id,
                    source="tariff_set_reply",
                )
            ]
    return []


def _order_evidence(outcome: CommandOutcome, protocol: str) -> SessionStart:
    return SessionStart(
        pile_id=outcome.pile_id,
        connector=outcome.connector,
        trade_no=outcome.trade_no,
        event_ms=outcome.answered_ms or outcome.sent_ms,
        method="app",
        account=_ordered_for(outcome.request, protocol),
        source="order",
        granted=int(outcome.outcome == "ok"),
        reason="" if outcome.outcome == "ok" else outcome.detail or outcome.outcome,
        frame=outcome.request,
        reply=outcome.reply,
    )


def _ordered_for(request: bytes, protocol: str) -> str:
    """The card for which a start was ordered."""
    if not request:
        return ""
    if protocol == "aaf5":
        fields: dict[str, Any] = aaf5_codec.raw_fields(int.from_bytes(request[6:8], "little"), request[8:-1])
        return plain_card(fields.get("card", ""))
    fields = ykc_codec.raw_fields(request[5], request[6:-2])
    return plain_card(fields.get("logical_card", NO_CARD)) or plain_card(fields.get("physical_card", NO_CARD))


_YKC_BY_MESSAGE: Final = {order.message: order for order in YKC_ORDERS}
_AAF5_BY_MESSAGE: Final = {
    order.message: order for order in AAF5_ORDERS if order.message not in ("control", "str_params")
}


def _sent_ykc(frame_type: int, body: bytes) -> SentOrder | None:
    message = YKC_MESSAGES.get(frame_type)
    order = _YKC_BY_MESSAGE.get(message.name) if message is not None else None
    if order is None or order.name == "read_realtime":
        return None
    fields = ykc_codec.raw_fields(frame_type, body)
    gun_no = fields.get("gun_no", 0)
    connector = gun_no if isinstance(gun_no, int) else int(gun_no) if gun_no.isdecimal() else 0
    trade_no = fields.get("trade_no", "")
    return _sent(order, connector, 0 if order.name == "balance_update" else connector, trade_no, "", body)


def _sent_aaf5(command: int, body: bytes, own_connector: int) -> SentOrder | None:
    message = AAF5_MESSAGES.get(command)
    fields = aaf5_codec.raw_fields(command, body)
    if message is None or not fields:
        return None
    orders = ORDERS["aaf5"]
    order = _AAF5_BY_MESSAGE.get(message.name)
    subject = ""
    connector = own_connector or fields.get("gun_no", 0)
    addr = fields.get("addr", -1)
    if message.name == "control":
        order = orders[_CONTROLS.get(addr, "remote_stop")]
    elif message.name == "str_params":
        order = orders["time_sync" if (fields.get("op"), addr) == (SET, CLOCK_ADDRESS) else "str_params"]
    if order is None or not order.answer:
        return None
    if order.name in ("int_params", "str_params"):
        subject = parameter_subject(fields.get("op", -1), addr)
    connector = (connector or 1) if order.scope == "connector" else 0
    return _sent(order, connector, connector, fields.get("serial", ""), subject, body)


def _sent(order: Order, connector: int, place: int, trade_no: str, subject: str, body: bytes) -> SentOrder:
    timeout_ms = order.timeout_ms or ANSWER_TIMEOUT_MS
    return SentOrder(order.name, connector, place, trade_no, subject, timeout_ms, body)
