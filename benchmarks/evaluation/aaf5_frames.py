"""The frames of AAF5 chargers: status many at a time, all others one by one."""

from typing import Any, Final

import numpy as np

from benchmarks.evaluation.chargers import ZONE, Charger
from benchmarks.evaluation.charges import SECOND_MS
from benchmarks.evaluation.meter import Meter
from benchmarks.evaluation.record import ToldRecord
from benchmarks.evaluation.story import Story
from benchmarks.evaluation.telling import ToldReadings, told_begin
from benchmarks.fleet.aaf5_link import frame_of
from benchmarks.fleet.aaf5_status import CHARGING, FINISHED, IDLE, PLUGGED, Rows, blank_rows, ended
from benchmarks.fleet.messages import Message
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.traits import Aaf5Traits
from core.aaf5.bcd_time import ms_to_bcd8
from core.aaf5.session_no import session_number

CONNECTOR: Final = 1
E4_PER_E2: Final = 100
U16, U32 = 0xFFFF, 0xFFFF_FFFF
VOLTS_DV: Final = {"dc": 4_000, "ac": 2_200}
BACKEND, LOCAL_CARD = 1, 0
CARD: Final = "4000123"


def traits_of(charger: Charger) -> Aaf5Traits:
    """The ways of its firmware that show in its frames."""
    return Aaf5Traits(
        serial=charger.model.serial,
        temperatures=True,
        floods=False,
        states=False,
        asks_platform=False,
        tail=False,
        protocol_version=34 if charger.model.serial else 26,
        firmware="1.0.0.0",
    )


def serial(story: Story) -> str:
    """The number that the platform of that time gave, where the firmware knows any."""
    if not story.charger.model.serial:
        return ""
    return f"{story.charger.pile.code}01{story.charge.order_ms // SECOND_MS:012d}{story.charge.number:04d}"


def trade_no(story: Story) -> str:
    """The number by which the platform knows the charge."""
    return session_number(story.charger.pile.code, CONNECTOR, serial(story), start_time(story))


def start_time(story: Story) -> bytes:
    """The begin by the charger's clock, as BCD8."""
    return ms_to_bcd8(story.charge.start_ms + story.clock_error_ms, ZONE)


def charging_rows(story: Story, meter: Meter, told: ToldReadings) -> Rows:
    """104 for each reading."""
    charger, charge = story.charger, story.charge
    rows = _session_rows(story, meter, told.register, told.energy, told.taken_ms)
    volts_dv = VOLTS_DV[charger.model.current]
    current_da = np.minimum(told.power_w * 100 // volts_dv, U16)
    rows["work_state"] = CHARGING
    rows["car_conn"] = PLUGGED
    rows["soc"] = told.soc
    if charger.model.current == "dc":
        rows["dc_voltage"], rows["dc_current"] = volts_dv, current_da
    else:
        rows["ac_voltage_a"], rows["ac_current_a"] = volts_dv, current_da
    rows["remain_minutes"] = np.maximum(charge.stop_ms - told.taken_ms, 0) // 60_000
    rows["power"] = told.power_w // 100 if charger.model.serial else told.power_w * 10
    return rows


def idle_rows(
    story: Story | None, meter: Meter | None, charger: Charger, times_ms: IntArray, plugged: IntArray
) -> Rows:
    """104 while nothing flows: what the charge before left, None = there was none."""
    if story is None or meter is None:
        rows = blank_rows(charger.pile, CONNECTOR, traits_of(charger), len(times_ms))
        return ended(rows, IDLE, plugged)
    stop_ms = np.full(len(times_ms), story.charge.stop_ms, dtype=np.int64)
    register = meter.shown_at(stop_ms)
    if charger.model.counts_energy:
        energy = np.full(len(times_ms), story.charge.energy_e4kwh, dtype=np.int64)
    else:
        energy = np.maximum(register - told_begin(story, meter), 0)
    rows = ended(_session_rows(story, meter, register, energy, stop_ms), IDLE, plugged)
    rows["work_state"] = np.where((plugged > 0) & (times_ms >= story.charge.stop_ms), FINISHED, IDLE)
    return rows


def login(charger: Charger, time_ms: int, boots: int) -> bytes:
    """The frame 106."""
    fields: dict[str, Any] = {
        **_head(charger),
        "flag": 0,
        "ver_major": 1,
        "ver_minor": 0,
        "ver_patch": "0000",
        "project_type": 1,
        "boot_count": boots,
        "upload_mode": 2,
        "login_interval": 0,
        "run_var": 0,
        "gun_count": CONNECTOR,
        "heartbeat_period": 100,
        "heartbeat_miss_max": 3,
        "record_count": 0,
        "pile_time": ms_to_bcd8(time_ms, ZONE),
        "time2": "00" * 8,
        "time3": "00" * 8,
        "time4": "00" * 8,
        "random": f"{charger.number & U32:08X}",
        "protocol_version": 34 if charger.model.serial else 26,
    }
    return frame_of(("login", fields))


def heartbeat(charger: Charger, counter: int) -> bytes:
    """The frame 102."""
    return frame_of(("heartbeat", {**_head(charger), "counter": counter & U16}))


def record(story: Story, told: ToldRecord) -> bytes:
    """The frame 202."""
    charger, charge = story.charger, story.charge
    soc = charge.soc_at(np.array([charge.charging_ms, charge.stop_ms]))
    fields: dict[str, Any] = {
        **_head(charger),
        "gun_type": 1 if charger.model.current == "dc" else 2,
        "gun_no": 0,
        "card": CARD,
        "start_time": ms_to_bcd8(told.start_ms, ZONE),
        "end_time": ms_to_bcd8(told.end_ms, ZONE),
        "duration": max(told.end_ms - told.start_ms, 0) // SECOND_MS,
        "soc_start": int(soc[0]),
        "soc_end": int(soc[1]),
        "end_reason": 0,
        "energy": told.energy // E4_PER_E2 & U32,
        "meter_before": told.register_begin // E4_PER_E2 & U32,
        "meter_after": told.register_end // E4_PER_E2 & U32,
        "amount": min(told.amount_e5yuan // 1_000, U32),
        "reserved3": 0,
        "balance_before": 0,
        "record_index": charge.number,
        "record_total": charge.number + 1,
        "reserved4": 0,
        "strategy": 0,
        "strategy_param": 0,
        "vin": f"LEVAL{charger.number:06d}{charge.number:06d}" if charger.model.current == "dc" else "",
        "plate": "",
        # Differences of a register in 16 bits: one that falls leaves a slot near 655 kWh (aaf5.md section 4).
        "half_hour_energy": [energy // E4_PER_E2 & U16 for energy in told.half_hours],
        "start_mode": BACKEND if charge.by_app else LOCAL_CARD,
    }
    message: Message = ("record", fields | ({"serial": serial(story)} if charger.model.serial else {}))
    return frame_of(message)


def _session_rows(story: Story, meter: Meter, register: IntArray, energy: IntArray, at_ms: IntArray) -> Rows:
    """The fields that stay after the charge."""
    charger, charge = story.charger, story.charge
    rows = blank_rows(charger.pile, CONNECTOR, traits_of(charger), len(register))
    rows["duration"] = np.maximum(at_ms - charge.start_ms, 0) // SECOND_MS
    rows["energy"] = energy // E4_PER_E2 & U32
    rows["amount"] = np.minimum(energy // E4_PER_E2, U32)
    rows["meter_before"] = told_begin(story, meter) // E4_PER_E2 & U32
    rows["meter_now"] = register // E4_PER_E2 & U32
    rows["start_mode"] = BACKEND if charge.by_app else LOCAL_CARD
    rows["card"] = CARD.encode()
    rows["start_time"] = start_time(story)
    if charger.model.serial:
        rows["serial"] = serial(story).encode()
    return rows


def _head(charger: Charger) -> dict[str, Any]:
    return {"reserved1": 0, "reserved2": 0, "pile_code": charger.pile.wire_code(CONNECTOR)}
