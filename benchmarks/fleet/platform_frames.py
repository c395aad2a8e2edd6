"""What a platform sent to YKC chargers in the past: the other half of a written history."""

from typing import Any, Final

from benchmarks.fleet.accounts import BALANCE_FEN
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.messages import Message
from benchmarks.fleet.piles import SimPile
from core.ykc.codec import encode_raw
from core.ykc.cp56 import ms_to_cp56

SAME_TARIFF: Final = 0
STORED: Final = 0
GRANTED: Final = 1
LOGGED_IN: Final = 0
NO_CARD: Final = "0" * 16


def login_ack(pile: SimPile) -> Message:
    """0x02 that lets it in."""
    return "login_ack", {"pile_code": pile.code, "result": LOGGED_IN}


def tariff_check_ack(pile: SimPile, model_no: str) -> Message:
    """0x06: the charger's tariff is the right one."""
    return "tariff_check_ack", {"pile_code": pile.code, "model_no": model_no, "result": SAME_TARIFF}


def start_reply(charge: Charge) -> Message:
    """0x32 or 0xA2: whoever asked may charge, under this number."""
    fields: dict[str, Any] = {
        **_gun(charge),
        "trade_no": charge.trade_no,
        "logical_card": charge.account if charge.account.isdecimal() else NO_CARD,
        "balance": BALANCE_FEN,
        "auth": GRANTED,
        "fail_reason": 0,
    }
    if not charge.parallel_no:
        return "start_reply", fields
    return "parallel_start_reply", {**fields, "parallel_no": charge.parallel_no}


def record_ack(charge: Charge) -> Message:
    """0x40: the record is stored."""
    return "record_ack", {"trade_no": charge.trade_no, "result": STORED}


def time_sync(pile: SimPile, time_ms: int, seq: bytes) -> bytes:
    """The frame 0x56, which follows every login."""
    return encode_raw("time_sync", {"pile_code": pile.code, "time": ms_to_cp56(time_ms, pile.zone)}, seq=seq)


def remote_start(charge: Charge, seq: bytes) -> bytes:
    """The frame 0x34 that a driver's app brought about."""
    cards = {"logical_card": NO_CARD, "physical_card": NO_CARD, "balance": BALANCE_FEN}
    return encode_raw("remote_start", {**_gun(charge), "trade_no": charge.trade_no, **cards}, seq=seq)


def remote_stop(charge: Charge, seq: bytes) -> bytes:
    """The frame 0x36."""
    return encode_raw("remote_stop", _gun(charge), seq=seq)


def order_seq(charge: Charge, *, stops: bool = False) -> bytes:
    """The number of an order, which its answer repeats. A platform counts; here it follows from the charge."""
    return ((charge.salt >> 1 if stops else charge.salt) & 0xFFFF).to_bytes(2, "little")


def _gun(charge: Charge) -> dict[str, Any]:
    return {"pile_code": charge.pile.code, "gun_no": charge.pile.gun_no(charge.connector)}
