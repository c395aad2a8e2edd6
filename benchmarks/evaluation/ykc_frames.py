"""The frames of YKC chargers: realtime ones as columns, many at a time, all others one by one."""

from typing import Any, Final

import numpy as np

from benchmarks.evaluation.chargers import ZONE, Charger, charger_code
from benchmarks.evaluation.charges import MINUTE_MS
from benchmarks.evaluation.record import ToldRecord, tariff_at
from benchmarks.evaluation.story import Story
from benchmarks.evaluation.telling import ToldReadings
from benchmarks.fleet.messages import Message
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.readings import Columns, blank_columns
from core.tariff_version import CLASS_NAMES
from core.ykc.codec import encode_raw, wrap_body
from core.ykc.cp56 import ms_to_cp56

GUN_NO: Final = "01"
CONNECTOR: Final = 1
IDLE, CHARGING = 2, 3
CHECKSUM_LE: Final = 1
APP, CARD = 1, 2
BATTERY_FULL: Final = 0x41
HEARTBEAT: Final = 0x03
U16_MAX, U32_MAX = 0xFFFF, 0xFFFF_FFFF
VOLTS_DV: Final = {"dc": 4_000, "ac": 2_200}


def trade_no(story: Story) -> str:
    """The number that the platform of that time gave: charger, gun, moment, counter."""
    time = ms_to_cp56(story.charge.order_ms, ZONE)
    year, month, day = time[6] & 0x7F, time[5] & 0x0F, time[4] & 0x1F
    hour, minute, second = time[3] & 0x1F, time[2] & 0x3F, (time[0] | time[1] << 8) // 1_000
    moment = f"{year:02d}{month:02d}{day:02d}{hour:02d}{minute:02d}{second:02d}"
    return f"{story.charger.pile.code}{GUN_NO}{moment}{story.charge.number:04d}"


def charging_columns(story: Story, told: ToldReadings) -> Columns:
    """0x13 for each reading; `seq` is 0."""
    columns = _columns(story.charger, len(told))
    number = trade_no(story)
    volts_dv = VOLTS_DV[story.charger.model.current]
    columns["trade_hi"][:] = int(number[:16], 16)
    columns["trade_lo"][:] = int(number[16:], 16)
    columns["state"][:] = CHARGING
    columns["plugged"][:] = 1
    columns["voltage_dv"][:] = volts_dv
    columns["current_da"] = np.minimum(told.power_w * 100 // volts_dv, U16_MAX)
    columns["soc"] = told.soc if story.charger.model.current == "dc" else np.zeros_like(told.soc)
    columns["charge_minutes"] = np.maximum(told.taken_ms - story.charge.charging_ms, 0) // MINUTE_MS
    columns["remain_minutes"] = np.maximum(story.charge.stop_ms - told.taken_ms, 0) // MINUTE_MS
    columns["energy_e4kwh"] = told.register & U32_MAX
    columns["amount_e4yuan"] = np.minimum(told.register, U32_MAX)
    return columns


def idle_columns(charger: Charger, plugged: IntArray) -> Columns:
    """0x13 while nothing flows: no number, no measurements."""
    columns = _columns(charger, len(plugged))
    columns["state"][:] = IDLE
    columns["plugged"] = plugged
    columns["gun_home"] = 1 - plugged
    return columns


def login(charger: Charger) -> Message:
    """0x01."""
    return "login", {
        "pile_code": charger.pile.code,
        "pile_type": 0 if charger.model.current == "dc" else 1,
        "gun_count": CONNECTOR,
        "protocol_version": 16,
        "firmware": "E1.0",
        "network_type": 0,
        "sim": f"898604{charger.pile.code}",
        "operator": 0,
    }


def heartbeat_body(charger: Charger) -> bytes:
    """The body of 0x03."""
    return bytes.fromhex(charger.pile.code + GUN_NO + "00")


def heartbeat(body: bytes, seq: bytes) -> bytes:
    """The frame 0x03."""
    return wrap_body(HEARTBEAT, body, seq=seq, checksum_order="le")


def start_order(story: Story) -> Message:
    """0x34, the platform's order."""
    return "remote_start", {
        "trade_no": trade_no(story),
        **_gun(story),
        "logical_card": "0" * 16,
        "physical_card": "0" * 16,
        "balance": 100_000,
    }


def start_reply(story: Story) -> Message:
    """0x33: it was done."""
    return "remote_start_reply", {"trade_no": trade_no(story), **_gun(story), "result": 1, "fail_reason": 0}


def record(story: Story, told: ToldRecord) -> Message:
    """0x3B."""
    tariff = tariff_at(story.charge.charging_ms)
    prices = [a + b for a, b in zip(tariff.electricity_price_e5yuan, tariff.service_price_e5yuan, strict=True)]
    fields: dict[str, Any] = {
        "trade_no": trade_no(story),
        **_gun(story),
        "start_time": ms_to_cp56(told.start_ms, ZONE),
        "end_time": ms_to_cp56(told.end_ms, ZONE),
        "meter_start": told.register_begin,
        "meter_end": told.register_end,
        "energy": min(told.energy, U32_MAX),
        "loss_energy": 0,
        "amount": min(told.amount_e5yuan // 10, U32_MAX),
        "vin": f"LEVAL{story.charger.number:06d}{story.charge.number:06d}"
        if story.charger.model.current == "dc"
        else "",
        "start_mode": APP if story.charge.by_app else CARD,
        "trade_time": ms_to_cp56(told.end_ms, ZONE),
        "stop_reason": BATTERY_FULL,
        "physical_card": "0" * 16,
    }
    for place, name in enumerate(CLASS_NAMES):
        energy = min(told.classes[place], U32_MAX)
        fields[f"{name}_price"] = prices[place]
        fields[f"{name}_energy"] = energy
        fields[f"{name}_loss_energy"] = 0
        fields[f"{name}_amount"] = min(energy * prices[place] // 100_000, U32_MAX)
    return "record", fields


def encoded(message: Message, seq: int) -> bytes:
    """The frame of a message."""
    name, fields = message
    return encode_raw(name, fields, seq=(seq & U16_MAX).to_bytes(2, "little"), checksum_order="le")


def _gun(story: Story) -> dict[str, Any]:
    return {"pile_code": story.charger.pile.code, "gun_no": GUN_NO}


def _columns(charger: Charger, rows: int) -> Columns:
    columns = blank_columns(rows)
    columns["frame_pile"][:] = int(charger_code(charger.number), 16)
    columns["gun_bcd"][:] = int(GUN_NO, 16)
    columns["checksum_order"][:] = CHECKSUM_LE
    return columns
