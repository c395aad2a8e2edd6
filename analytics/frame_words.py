"""What a stored frame means, in a few words made from the tables of its protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from analytics.personal_data import masked_fields
from core.aaf5 import codec as aaf5
from core.aaf5.messages import MESSAGES as AAF5_MESSAGES
from core.conformance.observed import body_of
from core.wire.fields import Field, Message
from core.ykc import codec as ykc
from core.ykc.messages import MESSAGES as YKC_MESSAGES

TELLING: Final[dict[str, tuple[str, ...]]] = {
    "login": ("protocol_version", "firmware", "ver_major", "ver_minor", "gun_count", "record_count"),
    "tariff_check": ("model_no",),
    "tariff_check_ack": ("model_no", "result"),
    "tariff_reply": ("model_no",),
    "tariff_set": ("model_no",),
    "realtime": ("state", "plugged", "voltage", "current", "soc", "energy"),
    "status": ("work_state", "car_conn", "soc", "energy", "meter_before", "meter_now", "alarm"),
    "bms_handshake": ("vin", "battery_type", "rated_capacity", "rated_voltage"),
    "bms_params": ("soc", "bms_volt_max", "bms_curr_max", "nominal_energy"),
    "bms_demand": ("req_voltage", "req_current", "soc"),
    "bms_info": ("temp_max", "temp_min"),
    "charge_end": ("end_soc", "charge_minutes", "energy"),
    "start_request": ("start_mode", "card_or_account", "vin"),
    "start_reply": ("auth", "result", "fail_reason", "balance"),
    "remote_start": ("balance", "physical_card"),
    "parallel_start_request": ("start_mode", "card_or_account", "vin", "gun_role", "parallel_no"),
    "parallel_start_reply": ("auth", "fail_reason", "balance"),
    "parallel_remote_start": ("balance", "parallel_no"),
    "record": (
        *("start_mode", "start_time", "end_time", "energy", "amount", "meter_start", "meter_end"),
        *("meter_before", "meter_after", "stop_reason", "end_reason", "vin", "physical_card", "card", "plate"),
    ),
    "record_ack": ("result",),
    "time_sync": ("time",),
    "time_sync_reply": ("time",),
    "start": ("strategy", "strategy_param", "card"),
    "control": ("addr", "param"),
    "account_query": ("card", "card_balance"),
    "account_reply": ("result", "balance"),
}
"""The fields worth showing, by message; of messages that are not here, what has a meaning or is not zero."""

_SAYS = 1
TWO_BITS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("bms_abort", "reason_bits"): (
        "SOC reached",
        "total voltage reached",
        "cell voltage reached",
        "stopped by charger",
    ),
    ("bms_abort", "fault_bits"): (
        *(
            "insulation",
            "connector over-temperature",
            "BMS part over-temperature",
            "connector",
            "pack over-temperature",
        ),
        *("high-voltage relay", "check point 2", "other"),
    ),
    ("bms_abort", "error_bits"): ("over-current", "voltage"),
    ("charger_abort", "reason_bits"): ("condition reached", "by hand", "fault", "stopped by BMS"),
    ("charger_abort", "fault_bits"): (
        *("charger over-temperature", "connector", "internal over-temperature", "energy not delivered"),
        *("emergency stop", "other"),
    ),
    ("charger_abort", "error_bits"): ("current mismatch", "voltage"),
}
"""What items of two bits each mean, from the low ones up; 1 = it is so (ykc.md section 4, 0x1D and 0x21)."""

_IDENTITY = (
    "pile_code",
    "gun_no",
    "trade_no",
    "serial",
    "reserved",
    "reserved1",
    "reserved2",
    "reserved3",
    "reserved4",
)
_SILENT_WHEN_NOTHING: Final = ("fail_reason", "physical_card", "card_or_account", "card", "vin", "plate", "alarm")
_SAYS_ITSELF: Final = ("result", "auth", "state", "work_state", "car_conn", "fail_reason", "when")
"""Fields whose value is a word that needs no name before it."""
_MOST_FIELDS: Final = 8
AND: Final = " and "
"""Between the items of a `Saying` that names several."""


class Saying(NamedTuple):
    """One thing that a frame says, for those who say it in another language than English.

    `label`: what it is of, "" where the value says it. `meaning`: the word of the protocol's table for the value, ""
    where it has none. `until`: the other end of a span.
    """

    label: str
    value: str = ""
    unit: str = ""
    meaning: str = ""
    until: str = ""


class FrameWords(msgspec.Struct, frozen=True):
    """A frame in words. `type` as its protocol writes it ("0x33", "104"), `fields` all of them in written form.

    `text` says in English what `says` holds part by part.
    """

    type: str
    name: str
    title: str
    text: str
    layout_ok: bool
    fields: dict[str, Any]
    says: tuple[Saying, ...] = ()


def frame_words(protocol: str, frame_type: int, frame: bytes, *, masked: bool = False) -> FrameWords:
    """What a frame says. Never raises: a type or a layout that is not known is said so.

    `masked`: what names a person is hidden (`analytics.personal_data`).
    """
    is_ykc = protocol == "ykc"
    message = (YKC_MESSAGES if is_ykc else AAF5_MESSAGES).get(frame_type)
    number = f"0x{frame_type:02X}" if is_ykc else str(frame_type)
    body = body_of(protocol, frame)
    decoded = ykc.decode_body(frame_type, body) if is_ykc else aaf5.decode_body(frame_type, body)
    fields = masked_fields(protocol, frame_type, decoded.fields) if masked else decoded.fields
    if message is None:
        unknown = Saying("", meaning="unknown type"), Saying("", str(len(frame)), "bytes")
        return FrameWords(number, "unknown", "", f"unknown type, {len(frame)} bytes", False, fields, unknown)
    says = _says(message, fields)
    text = ", ".join(map(_in_english, says))
    if not decoded.layout_ok:
        why = "layout not published" if not message.layout_known else "not its usual length"
        text = f"{text} ({why})".strip()
        says.append(Saying("", meaning=why))
    return FrameWords(number, message.name, message.title, text, decoded.layout_ok, fields, tuple(says))


def _says(message: Message, fields: Mapping[str, Any]) -> list[Saying]:
    by_name = {field.name: field for field in message.all_fields}
    wanted = TELLING.get(message.name) or [
        name
        for name, field in by_name.items()
        if name not in _IDENTITY and (field.values or field.unit or not _is_nothing(fields.get(name)))
    ]
    parts: list[Saying] = []
    for name in wanted:
        if name not in by_name or name not in fields:
            continue
        items = TWO_BITS.get((message.name, name))
        part = _two_bits(items, fields[name]) if items else _part(by_name[name], fields[name])
        parts += [part] if part else []
    if message.group:
        groups = fields.get(message.group_name)
        if isinstance(groups, list):
            parts.append(Saying("", str(len(groups)), message.group_name))
    return parts[:_MOST_FIELDS]


def _part(field: Field, value: Any) -> Saying | None:
    """One field, None where there is nothing to say."""
    if field.name in _SILENT_WHEN_NOTHING and _is_nothing(value):
        return None
    meaning = field.values.get(value) if isinstance(value, int) else None
    if meaning:
        return Saying("" if field.name in _SAYS_ITSELF else field.name, str(value), meaning=meaning)
    shown = value.replace("T", " ") if field.kind == "time" and isinstance(value, str) else str(value)
    return Saying(field.name, shown, field.unit)


def _two_bits(items: Sequence[str], value: Any) -> Saying | None:
    """The items that are so; the number itself where none of the known ones is."""
    so = [item for place, item in enumerate(items) if isinstance(value, int) and value >> 2 * place & 3 == _SAYS]
    if so:
        return Saying("", meaning=AND.join(so))
    return Saying("bits", f"{value:#x}") if value else None


def _in_english(saying: Saying) -> str:
    return " ".join(filter(None, [saying.label.replace("_", " "), saying.meaning or saying.value, saying.unit]))


def _is_nothing(value: Any) -> bool:
    return value in (None, "", 0) or (isinstance(value, str) and not value.strip("0 "))
