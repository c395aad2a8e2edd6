"""What a platform sent to AAF5 chargers in the past: the other half of a written history."""

from typing import Any, Final

from benchmarks.fleet.aaf5_session import Aaf5Session
from benchmarks.fleet.accounts import BALANCE_FEN
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.messages import Message
from core.aaf5.bcd_time import BCD8_BYTES
from core.aaf5.codec import encode_raw

LOGGED_IN: Final = 0
MAY_CHARGE: Final = 0
UNTIL_MONEY: Final = 2
STOP: Final = 2
STOP_PARAMETER: Final = 0x55
SERIAL_CHARACTERS: Final = 32
SEQ_NUMBERS: Final = 256
_HEAD: Final[dict[str, Any]] = {"reserved1": 0, "reserved2": 0}


def login_ack(login: Message) -> Message:
    """105, which repeats the random number of 106."""
    return "login_ack", {**_HEAD, "random": login[1]["random"], "result": LOGGED_IN}


def account_reply() -> Message:
    """203: the card may charge."""
    return "account_reply", {**_HEAD, "result": MAY_CHARGE, "reserved3": "000000", "balance": BALANCE_FEN}


def record_ack(record: Message) -> Message:
    """201, which repeats what names a record."""
    fields = record[1]
    echo = {name: fields[name] for name in ("gun_no", "card", "record_index")}
    return "record_ack", {**_HEAD, **echo, "value1": 0, "serial": fields.get("serial", "")}


def start(session: Aaf5Session) -> bytes:
    """The frame 7 that a driver's app brought about; chargers without serials drop its last field."""
    charge = session.charge
    fields = {
        "reserved1": session.user_id,
        "reserved2": 0,
        "gun_no": charge.pile.plain_gun_no(charge.connector),
        "effective": 0,
        "reserved3": 0,
        "strategy": UNTIL_MONEY,
        "strategy_param": BALANCE_FEN,
        "start_time": bytes(BCD8_BYTES),
        "appt_timeout": 0,
        "card": session.card,
        "value1": 0,
        "value2": 0,
        "serial": session.serial or charge.trade_no[:SERIAL_CHARACTERS],
    }
    return encode_raw("start", fields, seq=order_seq(charge))


def stop_fields(charge: Charge) -> dict[str, Any]:
    """What 5 says, and 6 repeats in part."""
    gun_no = charge.pile.plain_gun_no(charge.connector)
    return {"gun_no": gun_no, "addr": STOP, "count": 1, "byte_len": 4, "param": STOP_PARAMETER}


def stop(charge: Charge) -> bytes:
    """The frame 5."""
    return encode_raw("control", {**_HEAD, **stop_fields(charge)}, seq=order_seq(charge, stops=True))


def order_seq(charge: Charge, *, stops: bool = False) -> bytes:
    """The number of an order. A platform counts; here it follows from the charge."""
    return bytes(((charge.salt >> 1 if stops else charge.salt) % SEQ_NUMBERS,))
