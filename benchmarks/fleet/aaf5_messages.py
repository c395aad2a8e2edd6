"""Every message that a simulated AAF5 charger sends, other than 104: its name and its fields in wire units.

The shapes of 11 and 14 are published, the meaning of their last byte is not: it stays 0 (aaf5.md section 3).
"""

import hashlib
from typing import Any, Final

import numpy as np

from benchmarks.fleet.aaf5_session import E4_PER_E2, Aaf5Session
from benchmarks.fleet.accounts import decimal_card
from benchmarks.fleet.billing import Meterman, half_hour_of, half_hours_between
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.faults import Fault
from benchmarks.fleet.messages import Message
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.records import LOW_PERCENT, SCALE
from benchmarks.fleet.traits import Aaf5Traits
from core.aaf5.bcd_time import ms_to_bcd8

OK: Final = 0
UNKNOWN_ADDRESS: Final = 1
ENDED_BEFORE_CHARGING: Final = 100_001
NO_START_IN_TIME: Final = 100_002
SLOTS: Final = 48
ROUNDING_E4YUAN: Final = 90
NO_ALARM: Final = "00" * 32
JUMP_E2KWH: Final = 2_000_000
LONG_S: Final = (75 * 60, 20 * 3_600)


def login(
    pile: SimPile, connector: int, traits: Aaf5Traits, *, time_ms: int, boots: int, records: int, heartbeat_s: int
) -> Message:
    """106, first on every connection. `time_ms` is the charger's own clock."""
    code = pile.wire_code(connector)
    major, minor, *patch = map(int, traits.firmware.split("."))
    fields: dict[str, Any] = {
        **_head(pile, connector),
        "flag": 0,
        "ver_major": major,
        "ver_minor": minor,
        "ver_patch": bytes(patch).hex(),
        "project_type": 1,
        "boot_count": boots,
        "upload_mode": 2,
        "login_interval": 0,
        "run_var": 0,
        "gun_count": pile.connectors,
        "heartbeat_period": heartbeat_s,
        "heartbeat_miss_max": traits.missed_heartbeats,
        "record_count": records,
        "pile_time": ms_to_bcd8(time_ms, pile.zone),
        "time2": "00" * 8,
        "time3": "00" * 8,
        "time4": "00" * 8,
        "random": hashlib.sha256(f"{code} {time_ms}".encode()).hexdigest()[:8].upper(),
        "protocol_version": traits.protocol_version,
    }
    return "login", fields | ({"whitelist_version": 1} if traits.tail else {})


def heartbeat(pile: SimPile, connector: int, counter: int) -> Message:
    """102; the counter grows by one each time."""
    return "heartbeat", {**_head(pile, connector), "counter": counter & 0xFFFF}


def start_reply(pile: SimPile, connector: int, result: int, serial: str, *, user_id: int = 0) -> Message:
    """8, which tells how a start went; `serial` is empty where the firmware knows none."""
    fields = {**_head(pile, connector, user_id), "gun_no": pile.plain_gun_no(connector), "result": result}
    return "start_reply", fields | ({"serial": serial} if serial else {})


def control_reply(pile: SimPile, connector: int, order: dict[str, Any], result: int, *, with_serial: bool) -> Message:
    """6, which repeats what was ordered."""
    fields = {
        **_head(pile, connector),
        "gun_no": order["gun_no"],
        "addr": order["addr"],
        "count": order["count"],
        "result": result,
    }
    return "control_reply", fields | ({"serial": order.get("serial", "")} if with_serial else {})


def int_params_reply(
    pile: SimPile, connector: int, order: dict[str, Any], result: int, values: list[int] | None
) -> Message:
    """2; `values` are there for a query only."""
    fields = {**_head(pile, connector), "op": order["op"], "addr": order["addr"]}
    count = order["count"] if values is None else len(values)
    fields |= {"count": count, "result": result}
    return "int_params_reply", fields | ({} if values is None else {"values": values})


def str_params_reply(pile: SimPile, connector: int, order: dict[str, Any], result: int, data: bytes | None) -> Message:
    """4; `data` is there for a query only."""
    fields = {**_head(pile, connector), "op": order["op"], "addr": order["addr"], "result": result}
    return "str_params_reply", fields | ({} if data is None else {"data": data.hex().upper()})


def account_query(charge: Charge) -> Message:
    """204: may this card charge?"""
    return "account_query", {
        **_head(charge.pile, charge.connector),
        "card": decimal_card(charge.account),
        "card_balance": 0,
        "blacklisted": 0,
        "password": "00" * 32,
        "random": "00" * 48,
    }


def request(name: str, pile: SimPile, connector: int) -> Message:
    """11 or 14: the charger asks for its tariff or its QR codes."""
    return name, {**_head(pile, connector), "value1": 0}


def alarms(pile: SimPile, connector: int, bits: str = NO_ALARM) -> Message:
    """108: which of the 256 alarm points are on."""
    return "alarms", {**_head(pile, connector), "alarm_bits": bits}


def record(session: Aaf5Session, meterman: Meterman, index: int, total: int) -> Message:
    """202 with the lies of the charge's fault.

    The half-hours are differences of the register in 16 bits: one that falls back leaves a slot near 655 kWh
    (aaf5.md section 4).
    """
    charge, pile = session.charge, session.charge.pile
    before = session.meter_before_e2kwh
    after = int(session.register_e2kwh(np.array([charge.stop_ms], dtype=np.int64))[0])
    energy = max(after - before, 0)
    amount_e4yuan = int(meterman.amount_e4yuan(np.array([charge.stop_ms], dtype=np.int64))[0])
    slots = _half_hours(session)
    if charge.fault is Fault.RECORD_ENERGY_HUGE:
        after, energy = after + JUMP_E2KWH, energy + JUMP_E2KWH
    if charge.fault is Fault.RECORD_METER_ZERO:
        before = after = 0
    factor, divisor = {
        Fault.RECORD_ENERGY_SCALED: (SCALE, 1),
        Fault.RECORD_ENERGY_LOW: (LOW_PERCENT, 100),
        Fault.RECORD_ENERGY_ZERO: (0, 1),
    }.get(charge.fault, (1, 1))
    soc_start, soc_end = (int(soc) for soc in charge.soc_at(np.array([charge.charging_ms, charge.stop_ms])))
    duration_s = (charge.end_ms - charge.start_ms) // 1_000
    if charge.fault is Fault.RECORD_DURATION_LONG:
        duration_s += LONG_S[charge.salt % len(LONG_S)]
    fields: dict[str, Any] = {
        **_head(pile, charge.connector, session.user_id),
        "gun_type": 1 if pile.is_dc else 2,
        "gun_no": pile.plain_gun_no(charge.connector),
        "card": session.card,
        "start_time": session.start_time,
        "end_time": ms_to_bcd8(session.end_ms, pile.zone),
        "duration": duration_s,
        "soc_start": soc_start,
        "soc_end": soc_end,
        # F1 has no numbers, F2 those of its own list: the record of a charge says only that one is known.
        "end_reason": charge.stop_reason if session.traits.states else 0,
        "energy": energy * factor // divisor,
        "meter_before": before,
        "meter_after": after,
        "amount": (amount_e4yuan * factor // divisor + ROUNDING_E4YUAN) // E4_PER_E2,
        "reserved3": 0,
        "balance_before": 0,
        "record_index": index,
        "record_total": total,
        "reserved4": 0,
        "strategy": 0,
        "strategy_param": 0,
        "vin": charge.vin,
        "plate": "",
        "half_hour_energy": [slot * factor // divisor & 0xFFFF for slot in slots],
        "start_mode": session.start_mode,
    }
    return "record", fields | ({"serial": session.serial} if session.traits.serial else {})


def _half_hours(session: Aaf5Session) -> list[int]:
    """The 48 half-hours of the day, 0.01 kWh, by the charger's clock; one that two days share holds both."""
    charge = session.charge
    error_ms = session.start_ms - charge.start_ms
    edges_ms = np.concatenate(
        (
            [charge.charging_ms],
            half_hours_between(charge.pile.zone, charge.charging_ms + error_ms, charge.stop_ms + error_ms) - error_ms,
            [charge.stop_ms],
        )
    )
    register = session.register_e2kwh(edges_ms)
    register[0] = charge.meter_start_e4kwh // E4_PER_E2
    first = half_hour_of(charge.pile.zone, charge.charging_ms + error_ms)
    slots = [0] * SLOTS
    for i, energy in enumerate(np.diff(register).tolist()):
        slot = (first + i) % SLOTS
        slots[slot] = (slots[slot] + energy) & 0xFFFF
    return slots


def _head(pile: SimPile, connector: int, user_id: int = 0) -> dict[str, Any]:
    return {"reserved1": user_id, "reserved2": 0, "pile_code": pile.wire_code(connector)}
