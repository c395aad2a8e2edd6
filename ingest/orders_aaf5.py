"""The orders of AAF5: what they carry, how they are answered, how often they are tried (aaf5.md sections 3 and 5).

A start is answered when the charge runs or has failed, up to 120 s later. Parameters are set to given values, so an
order for them may be sent again; a start, a reboot and the end of a booking are sent once.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec

from core.aaf5.bcd_time import BCD8_BYTES, ms_to_bcd8
from ingest.aaf5_answers import (
    CLOCK_ADDRESS,
    CONTROL_CANCEL_BOOKING,
    CONTROL_REBOOT,
    CONTROL_STOP,
    QUERY,
    SET,
)
from ingest.aaf5_values import clock_field, qr_code_fields
from ingest.aaf5_values import tariff_fields as aaf5_tariff_fields
from ingest.errors import IngestError
from ingest.order import NO_CARD, Idle, NoArguments, Order, OrderError, OrderSite, Parcel

START_TIMEOUT_MS: Final = 125_000  # 120 s by the firmware, and the way back
STOP_PARAM: Final = 0x55
MAX_VALUES: Final = 200
MAX_TEXT_BYTES: Final = 512
_TWICE: Final = 2
_STRATEGIES: Final = {"full": 0, "time": 1, "money": 2, "energy": 3}
_HEAD: Final[dict[str, Any]] = {"reserved1": 0, "reserved2": 0}

U32 = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]


class StartAaf5(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A charge for `card`, ended by the charger `until` it is full, or a `limit` is reached.

    `limit` is in seconds, fen or 0.01 kWh. `balance_fen` alone means: until so much money is spent. One of the two must
    be said: a charge that nothing ends but a full battery is `until` "full" in so many words.
    """

    card: str = ""
    balance_fen: U32 = 0
    until: Literal["", "full", "time", "money", "energy"] = ""
    limit: U32 = 0


class RebootAaf5(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Refused while something charges, unless `force`: the charger cannot be told to wait."""

    when: Literal["now"] = "now"
    force: bool = False


class IntParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`values` sets the parameters from `addr` on; without them `count` are asked for."""

    addr: U32
    values: tuple[U32, ...] = ()
    count: Annotated[int, msgspec.Meta(ge=1, le=MAX_VALUES)] = 1


class StrParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`text` (ASCII) or `data` (hex) sets the parameter at `addr`; without them it is asked for."""

    addr: U32
    text: str = ""
    data: str = ""


class TariffAaf5(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tariff`: 132 hex digits, what follows the pile code in command 12."""

    tariff: str


class QrCodes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One to four texts for the charger's screen."""

    qr_codes: tuple[str, ...]


def _start(site: OrderSite, arguments: StartAaf5) -> list[Parcel]:
    strategy, limit = arguments.until, arguments.limit
    if not strategy:
        if not arguments.balance_fen:
            raise OrderError(
                "balance_fen: a start needs what the charge may cost, more than 0, or until what it goes on"
            )
        strategy, limit = "money", arguments.balance_fen
    if (strategy == "full") != (limit == 0):
        raise OrderError(f"limit: {limit} does not go with a charge until {strategy!r}")
    trade_no = site.new_trade_no(site.connector)
    fields = {
        **_HEAD,
        "gun_no": site.gun_no(site.connector),
        "effective": 0,
        "reserved3": 0,
        "strategy": _STRATEGIES[strategy],
        "strategy_param": limit,
        "start_time": bytes(BCD8_BYTES),
        "appt_timeout": 0,
        "card": "" if arguments.card == NO_CARD else arguments.card,
        "value1": 0,
        "value2": 0,
        "serial": trade_no,
    }
    return [Parcel(fields, site.connector, trade_no)]


def _control(site: OrderSite, addr: int, param: int, connector: int, trade_no: str = "") -> list[Parcel]:
    gun_no = site.gun_no(connector)
    fields = {**_HEAD, "gun_no": gun_no, "addr": addr, "count": 1, "byte_len": 4, "param": param}
    return [Parcel(fields, connector, trade_no)]


def _stop(site: OrderSite, arguments: NoArguments) -> list[Parcel]:
    return _control(site, CONTROL_STOP, STOP_PARAM, site.connector, site.session)


def _cancel_booking(site: OrderSite, arguments: NoArguments) -> list[Parcel]:
    return _control(site, CONTROL_CANCEL_BOOKING, 0, site.connector)


def _reboot(site: OrderSite, arguments: RebootAaf5) -> list[Parcel]:
    return _control(site, CONTROL_REBOOT, 0, 0)


def _int_params(site: OrderSite, arguments: IntParams) -> list[Parcel]:
    values = list(arguments.values)
    if len(values) > MAX_VALUES:
        raise OrderError(f"values: {len(values)} given; at most {MAX_VALUES} fit")
    op = SET if values else QUERY
    fields: dict[str, Any] = {**_HEAD, "op": op, "addr": arguments.addr}
    fields |= {"count": len(values) or arguments.count, "byte_len": 4 * len(values)}
    if values:
        fields["values"] = values
    return [Parcel(fields, 0, subject=parameter_subject(op, arguments.addr))]


def _str_params(site: OrderSite, arguments: StrParams) -> list[Parcel]:
    if arguments.text and arguments.data:
        raise OrderError("text and data: give one of them")
    data = _data_bytes(arguments)
    if data and arguments.addr == CLOCK_ADDRESS:
        raise OrderError(f"addr: parameter {CLOCK_ADDRESS} is the clock; set it with time_sync")
    op = SET if data else QUERY
    fields: dict[str, Any] = {**_HEAD, "op": op, "addr": arguments.addr, "byte_len": len(data)}
    if data:
        fields["data"] = data.hex().upper()
    return [Parcel(fields, 0, subject=parameter_subject(op, arguments.addr))]


def _data_bytes(arguments: StrParams) -> bytes:
    if not arguments.text.isascii():
        raise OrderError(f"text: {arguments.text!r} must be ASCII")
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", arguments.data):
        raise OrderError(f"data: {arguments.data!r} must be hex digits, two for a byte")
    data = arguments.text.encode() or bytes.fromhex(arguments.data)
    if len(data) > MAX_TEXT_BYTES:
        raise OrderError(f"text and data: {len(data)} bytes; at most {MAX_TEXT_BYTES} are sent")
    return data


def _time_sync(site: OrderSite, arguments: NoArguments) -> list[Parcel]:
    time = ms_to_bcd8(site.now_ms, site.pile.zone)
    fields = {**_HEAD, "op": SET, "addr": CLOCK_ADDRESS, "byte_len": len(time), "data": time.hex().upper()}
    return [Parcel(fields, 0)]


def _tariff(site: OrderSite, arguments: TariffAaf5) -> list[Parcel]:
    try:
        fields = aaf5_tariff_fields(arguments.tariff)
    except IngestError as error:
        raise OrderError(f"tariff: {error}") from None
    return [Parcel({**_HEAD, "pile_code": site.wire_code, **fields}, 0)]


def _qr_codes(site: OrderSite, arguments: QrCodes) -> list[Parcel]:
    try:
        fields = qr_code_fields(arguments.qr_codes)
    except IngestError as error:
        raise OrderError(f"qr_codes: {error}") from None
    return [Parcel({**_HEAD, "pile_code": site.wire_code, **clock_field(site.pile, site.now_ms), **fields}, 0)]


def parameter_subject(op: int, addr: int) -> str:
    """What tells the answers of parameter orders apart: the question and the address."""
    return f"{op}:{addr}"


def _connector_idle(arguments: Any) -> Idle:
    return "connector"


def _idle_unless_forced(arguments: RebootAaf5) -> Idle:
    return "" if arguments.force else "pile"


AAF5_ORDERS: Final[tuple[Order, ...]] = (
    Order(
        "remote_start",
        "start",
        "start_reply",
        StartAaf5,
        _start,
        scope="connector",
        needs_idle=_connector_idle,
        timeout_ms=START_TIMEOUT_MS,
        reasons={100_001: "ended_before_charging", 100_002: "no_start_within_120_s"},
    ),
    Order(
        "remote_stop",
        "control",
        "control_reply",
        NoArguments,
        _stop,
        scope="connector",
        attempts=_TWICE,
        while_session_lasts=True,
    ),
    Order("cancel_booking", "control", "control_reply", NoArguments, _cancel_booking, scope="connector"),
    Order("reboot", "control", "control_reply", RebootAaf5, _reboot, needs_idle=_idle_unless_forced),
    Order(
        "int_params",
        "int_params",
        "int_params_reply",
        IntParams,
        _int_params,
        attempts=_TWICE,
        reasons={1: "unknown_address"},
    ),
    Order("str_params", "str_params", "str_params_reply", StrParams, _str_params, attempts=_TWICE),
    Order("time_sync", "str_params", "str_params_reply", NoArguments, _time_sync, attempts=_TWICE, made_anew=True),
    Order("tariff", "tariff", "", TariffAaf5, _tariff),
    Order("qr_codes", "qr_codes", "", QrCodes, _qr_codes),
)
"""Every order whose layout is published."""
