"""What a YKC charger sends of itself and of its charges, other than 0x13 and 0x3B: names and fields in wire units."""

from typing import Any, Final

import numpy as np

from benchmarks.fleet.accounts import STATION_PASSWORD, password_md5
from benchmarks.fleet.charge import ASK_BY_ACCOUNT, ASK_BY_VIN, STOPPED_BY_HAND, Charge
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.traits import Traits
from core.ykc.codec import ChecksumOrder, encode_raw
from core.ykc.cp56 import ms_to_cp56

Message = tuple[str, dict[str, Any]]

OFFSET_CURRENT_DA: Final = 4_000
OK: Final = 0
ACCEPTED: Final = 1
REFUSED: Final = 0
ALREADY_CHARGING: Final = 2
NOT_PLUGGED: Final = 5
NOT_CHARGING: Final = 2
VERSION_WITH_PARALLEL: Final = 16
NO_PASSWORD: Final = "0" * 32
LOCK_RAISED: Final = 0x55
LOCK_LOWERED: Final = 0xFF
SPACE_OCCUPIED: Final = 0xFF
RECOGNITION_TIMED_OUT: Final = "0000000001000000"


def encode(message: Message, seq: bytes, order: ChecksumOrder) -> bytes:
    """The frame of a message."""
    name, fields = message
    return encode_raw(name, fields, seq=seq, checksum_order=order)


def login(pile: SimPile, traits: Traits) -> Message:
    """0x01, sent first on every connection."""
    return "login", {
        "pile_code": pile.code,
        "pile_type": 0 if pile.is_dc else 1,
        "gun_count": pile.connectors,
        "protocol_version": traits.version,
        "firmware": traits.firmware,
        "network_type": 0,
        "sim": f"898604{pile.code}",
        "operator": 0,
    }


def tariff_check(pile: SimPile, model_no: str) -> Message:
    """0x05 with the number of the tariff that the charger holds."""
    return "tariff_check", {"pile_code": pile.code, "model_no": model_no}


def tariff_request(pile: SimPile) -> Message:
    """0x09, when 0x06 said that the tariff is another one."""
    return "tariff_request", {"pile_code": pile.code}


def heartbeat(pile: SimPile) -> Message:
    """0x03, one for the whole charger."""
    return "heartbeat", {"pile_code": pile.code, "gun_no": "01", "gun_fault": 0}


def time_sync_reply(pile: SimPile, time_ms: int) -> Message:
    """0x55 with the charger's time after setting it."""
    return "time_sync_reply", {"pile_code": pile.code, "time": ms_to_cp56(time_ms, pile.zone)}


def remote_start_reply(pile: SimPile, connector: int, trade_no: str, result: int, reason: int = 0) -> Message:
    """0x33."""
    gun = {"trade_no": trade_no, "pile_code": pile.code, "gun_no": pile.gun_no(connector)}
    return "remote_start_reply", {**gun, "result": result, "fail_reason": reason}


def remote_stop_reply(pile: SimPile, connector: int, result: int, reason: int = 0) -> Message:
    """0x35."""
    gun = {"pile_code": pile.code, "gun_no": pile.gun_no(connector)}
    return "remote_stop_reply", {**gun, "result": result, "fail_reason": reason}


def result_reply(name: str, pile: SimPile, result: int) -> Message:
    """0x57 and its like: the charger's code and one number."""
    return name, {"pile_code": pile.code, "result": result}


def parallel_start_reply(
    pile: SimPile, connector: int, trade_no: str, parallel_no: str, *, result: int, reason: int = 0
) -> Message:
    """0xA3; the first connector is the main one."""
    _, fields = remote_start_reply(pile, connector, trade_no, result, reason)
    role = {"gun_role": 0 if connector == 1 else 1, "parallel_no": parallel_no}
    return "parallel_remote_start_reply", {**fields, **role}


def start_request(charge: Charge) -> Message:
    """0x31, or 0xA1 where both guns charge one vehicle: who wants to start, and with which proof."""
    password = password_md5(STATION_PASSWORD) if charge.asks_by == ASK_BY_ACCOUNT else NO_PASSWORD
    fields = {
        "pile_code": charge.pile.code,
        "gun_no": charge.pile.gun_no(charge.connector),
        "start_mode": charge.asks_by,
        "need_password": int(charge.asks_by == ASK_BY_ACCOUNT),
        "card_or_account": charge.account,
        "password": password,
        "vin": charge.vin if charge.asks_by == ASK_BY_VIN else "",
    }
    if not charge.parallel_no:
        return "start_request", fields
    return "parallel_start_request", {**fields, "gun_role": charge.gun_role, "parallel_no": charge.parallel_no}


def lock_state(pile: SimPile, connector: int, lock: int, *, occupied: bool) -> Message:
    """0x61: the parking lock before a connector; these messages number connectors in binary."""
    return "lock_state", {
        "pile_code": pile.code,
        "gun_no": connector,
        "lock_state": lock,
        "space_state": SPACE_OCCUPIED if occupied else 0,
        "battery_pct": 88,
        "alarm": 0,
    }


def bms_error(charge: Charge) -> Message:
    """0x1B: the vehicle's recognition (BRM) did not come in time."""
    return "bms_error", {**_session(charge), "error_bits": RECOGNITION_TIMED_OUT}


def bms_handshake(charge: Charge) -> Message:
    """0x15: the vehicle says who it is."""
    return "bms_handshake", {
        **_session(charge),
        "bms_proto": "010100",
        "battery_type": 3,
        "rated_capacity": min(charge.battery_e4kwh * 10 // 4_000, 65_535),
        "rated_voltage": 4_000,
        "battery_maker": "CATL",
        "battery_serial": f"{charge.salt:08X}",
        "prod_year": 39,
        "prod_month": 1 + charge.salt % 12,
        "prod_day": 1 + charge.salt % 28,
        "charge_count": charge.salt % 3_000,
        "ownership": 1,
        "reserved": 0,
        "vin": charge.vin,
        "bms_software": "FF" * 8,
    }


def bms_params(charge: Charge) -> Message:
    """0x17: what the battery allows."""
    return "bms_params", {
        **_session(charge),
        "cell_volt_max": 365,
        "bms_curr_max": OFFSET_CURRENT_DA - 2_500,
        "nominal_energy": min(charge.battery_e4kwh // 1_000, 65_535),
        "bms_volt_max": 4_200,
        "bms_temp_max": 105,
        "soc": charge.soc_start * 10,
        "battery_voltage": 3_300 + charge.soc_start * 8,
        "pile_volt_max": 7_500,
        "pile_volt_min": 2_000,
        "pile_curr_max": OFFSET_CURRENT_DA - 2_500,
        "pile_curr_min": OFFSET_CURRENT_DA,
    }


def bms_demand(charge: Charge, time_ms: int) -> Message:
    """0x23: what the vehicle asks for and what it gets."""
    values = demand_values(charge, np.array([time_ms], dtype=np.int64))
    return "bms_demand", {
        **_session(charge),
        "req_voltage": 4_200,
        "req_current": OFFSET_CURRENT_DA - 2_500,
        "mode": 2,
        **{name: int(value[0]) for name, value in values.items()},
    }


def demand_values(charge: Charge, times_ms: IntArray) -> dict[str, IntArray]:
    """What changes in 0x23 from one moment to the next; charging current is negative by GB/T 27930."""
    soc = charge.soc_at(times_ms)
    voltage_dv = 3_300 + soc * 8
    current_da = OFFSET_CURRENT_DA - np.minimum(charge.power_at(times_ms) * 100 // voltage_dv, OFFSET_CURRENT_DA)
    return {
        "bms_voltage": voltage_dv,
        "bms_current": current_da,
        "cell_volt_group": 330 + soc // 5,
        "soc": soc,
        "remain_minutes": np.maximum(charge.stop_ms - times_ms, 0) // 60_000,
        "out_voltage": voltage_dv,
        "out_current": current_da,
        "charge_minutes": (times_ms - charge.charging_ms) // 60_000,
    }


def bms_info(charge: Charge) -> Message:
    """0x25: temperatures and states of the battery."""
    return "bms_info", {
        **_session(charge),
        "max_cell_no": 11,
        "temp_max": 80,
        "temp_max_point": 3,
        "temp_min": 76,
        "temp_min_point": 1,
        "status_bits": 0x4000,
    }


def abort(charge: Charge) -> Message:
    """0x21 when a person stopped the charge, else 0x1D: the vehicle had enough."""
    by_hand = charge.stop_reason == STOPPED_BY_HAND
    reasons = {"reason_bits": 4 if by_hand else 1, "fault_bits": 0, "error_bits": 0}
    return "charger_abort" if by_hand else "bms_abort", {**_session(charge), **reasons}


def charge_end(charge: Charge) -> Message:
    """0x19: the battery's statistics at the end."""
    return "charge_end", {
        **_session(charge),
        "end_soc": int(charge.soc_at(np.array([charge.stop_ms], dtype=np.int64))[0]),
        "cell_volt_min": 330,
        "cell_volt_max": 345,
        "temp_min": 76,
        "temp_max": 80,
        "charge_minutes": (charge.stop_ms - charge.charging_ms) // 60_000,
        "energy": min(charge.energy_e4kwh // 1_000, 65_535),
        "charger_no": int(charge.pile.code[-6:]),
    }


def _session(charge: Charge) -> dict[str, Any]:
    return {
        "trade_no": charge.trade_no,
        "pile_code": charge.pile.code,
        "gun_no": charge.pile.gun_no(charge.connector),
    }
