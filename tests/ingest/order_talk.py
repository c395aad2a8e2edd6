"""What the tests of orders need: a site for them, arguments for every one, and a charger's answer to any order."""

from collections.abc import Callable
from typing import Any

import msgspec

from core.aaf5 import codec as aaf5_codec
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.directory import Pile
from core.ykc import codec as ykc_codec
from core.ykc.messages import MESSAGES as YKC_MESSAGES
from ingest.order import Order, OrderSite
from ingest.orders import ORDERS
from ingest.protocols import BY_NAME
from ingest.reactions import ChargerReply
from ingest.trade_numbers import TradeNumbers
from tests.ingest.aaf5_frames import aaf5_pile
from tests.ingest.charger_frames import NOW_MS, make_pile

PILES: dict[str, Pile] = {"ykc": make_pile(), "aaf5": aaf5_pile()}
SESSION = "7" * 32
ARGUMENTS: dict[tuple[str, str], dict[str, Any]] = {
    ("ykc", "remote_start"): {"balance_fen": 5_000},
    ("ykc", "parallel_start"): {"connectors": [1, 2], "balance_fen": 5_000},
    ("ykc", "balance_update"): {"balance_fen": 5_000},
    ("ykc", "card_sync"): {"cards": [{"physical_card": "D14B0A54", "logical_card": "573"}]},
    ("ykc", "card_clear"): {"cards": ["D14B0A54"]},
    ("ykc", "card_query"): {"cards": ["D14B0A54"]},
    ("ykc", "update"): {"host": "10.0.0.9", "path": "fw.bin"},
    ("ykc", "lock_control"): {"action": "raise"},
    ("aaf5", "remote_start"): {"balance_fen": 5_000},
    ("aaf5", "int_params"): {"addr": 21, "values": [15]},
    ("aaf5", "str_params"): {"addr": 3},
    ("aaf5", "tariff"): {"tariff": "00" * 66},
    ("aaf5", "qr_codes"): {"qr_codes": ["https://a/1"]},
}
ALL_ORDERS = [(protocol, order) for protocol, orders in ORDERS.items() for order in orders.values()]


def arguments_of(protocol: str, order: Order, **changes: Any) -> Any:
    return msgspec.convert(ARGUMENTS.get((protocol, order.name), {}) | changes, order.arguments)


def site(pile: Pile, connector: int = 1, gun_no: Callable[[int], int] = int) -> OrderSite:
    numbers = TradeNumbers()
    return OrderSite(
        pile=pile,
        connector=connector,
        now_ms=NOW_MS,
        session=SESSION,
        wire_code=pile.code,
        gun_no=gun_no,
        new_trade_no=lambda gun: numbers.make(pile.code, gun, NOW_MS, pile.zone),
    )


def heard(frame: bytes, receive_ms: int = 5, **changes: Any) -> ChargerReply:
    """A charger's frame as it reaches the matching of orders."""
    protocol = BY_NAME["ykc" if frame[0] == 0x68 else "aaf5"]
    fields: dict[str, Any] = {
        "protocol": protocol.name,
        "frame": frame,
        "seq": protocol.seq_of(frame),
        "receive_ms": receive_ms,
    }
    return ChargerReply(**(fields | changes))


def said_yes(request: bytes, pile: Pile, seq: bytes | None = None, **changes: Any) -> bytes:
    """The charger's answer to an order: yes, unless `changes` says otherwise, with the order's number or `seq`."""
    if request[0] == 0x68:
        return _ykc_answer(request, request[2:4] if seq is None else seq, changes)
    return _aaf5_answer(request, pile, request[5:6] if seq is None else seq, changes)


def _ykc_answer(request: bytes, seq: bytes, changes: dict[str, Any]) -> bytes:
    asked = ykc_codec.raw_fields(request[5], request[6:-2])
    reply = YKC_MESSAGES[request[5]].reply
    assert reply is not None
    described = YKC_MESSAGES[reply]
    fields: dict[str, Any] = {field.name: asked.get(field.name, 0) for field in described.fields}
    if "result" in fields:
        fields["result"] = int(described.name not in ("balance_reply", "update_reply"))
    if described.group:
        cards = [{field.name: card.get(field.name, 0) for field in described.group} for card in asked["cards"]]
        fields["cards"] = [card | {"cleared": 1} if "cleared" in card else card for card in cards]
    if "reserved" in fields:
        fields["reserved"] = "00" * 4
    return ykc_codec.encode_raw(reply, fields | changes, seq=seq)


def _aaf5_answer(request: bytes, pile: Pile, seq: bytes, changes: dict[str, Any]) -> bytes:
    command = int.from_bytes(request[6:8], "little")
    asked = aaf5_codec.raw_fields(command, request[8:-1])
    described = AAF5_MESSAGES[command + 1]
    fields: dict[str, Any] = {field.name: asked.get(field.name, 0) for field in described.fields}
    fields |= {"pile_code": pile.code, "result": 0}
    if command == 3 and fields["op"] == 0:
        fields["data"] = b"hello".hex().upper()
    if command == 1 and fields["op"] == 0:
        fields["values"] = list(range(fields["count"]))
    return aaf5_codec.encode_raw(command + 1, fields | changes, seq=seq)
