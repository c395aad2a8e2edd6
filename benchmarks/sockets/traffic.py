"""What the connections send, encoded beforehand, so that the sender is not what is measured."""

import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.fleet.readings import CHARGING, FRAME_BYTES, blank_columns, frames_of
from core.directory import Ownership, Pile, PileDirectory
from core.tariff_version import CLASS_NAMES, TariffVersion
from core.ykc.codec import encode_raw
from core.ykc.cp56 import ms_to_cp56

ZONE: Final = "Asia/Shanghai"
READING_EVERY_MS: Final = 15_000
POWER_W: Final = 60_000
VOLTS_DV: Final = 6_000
SEQ: Final = b"\1\0"
CODE_FROM: Final = 32_010_600_100_000
FLAT_DAY: Final = (2,) * 48
TARIFF: Final = TariffVersion(1, 1, "0001", 0, FLAT_DAY, (100_000,) * 4, (40_000,) * 4)
CHUNK: Final = 200
PRICE_E5YUAN: Final = 140_000
E5_PER_YUAN: Final = 100_000


class Traffic(NamedTuple):
    """A file with the same number of bytes for each connection: a login, a body, a tail."""

    path: Path
    connections: int
    login_bytes: int
    body_bytes: int
    tail_bytes: int
    frames: int
    """In the bodies and tails of all connections together, without the probes."""


def code_of(number: int) -> str:
    """The code of the charger behind a connection."""
    return str(CODE_FROM + number)


def directory(count: int) -> PileDirectory:
    """Chargers for so many connections: one connector, a counter that starts at 0 with each session."""
    return PileDirectory([_pile(number) for number in range(count)])


def write_backlog(path: Path, connections: int, readings: int, probes: int, seed: int) -> Traffic:
    """Each charger was offline for a whole charge: its stored readings, then its record. Probes send one heartbeat."""
    rng = np.random.default_rng(seed)
    login = len(login_frame(0))
    ended_ms = time.time_ns() // 1_000_000  # a record from another time would be an alarm
    tail = len(record_frame(0, 0, ended_ms, ended_ms))
    with path.open("wb") as file:
        for first in range(0, connections, CHUNK):
            numbers = np.arange(first, min(first + CHUNK, connections))
            energies = np.cumsum(energy_steps(rng, len(numbers), readings), axis=1)
            frames = reading_frames(numbers, energies)
            for row, number in enumerate(numbers.tolist()):
                file.write(login_frame(number))
                file.write(b"".join(frames[row * readings : (row + 1) * readings]))
                file.write(
                    record_frame(number, int(energies[row, -1]), ended_ms - readings * READING_EVERY_MS, ended_ms)
                )
        for number in range(connections, connections + probes):
            body = login_frame(number) + heartbeat_frame(number)
            file.write(body.ljust(login + readings * FRAME_BYTES + tail, b"\0"))
    return Traffic(path, connections, login, readings * FRAME_BYTES, tail, connections * (readings + 1))


def write_heartbeats(path: Path, connections: int) -> Traffic:
    """Each charger has one heartbeat that it sends again and again."""
    login, heartbeat = len(login_frame(0)), len(heartbeat_frame(0))
    path.write_bytes(b"".join(login_frame(number) + heartbeat_frame(number) for number in range(connections)))
    return Traffic(path, connections, login, heartbeat, 0, 0)


def energy_steps(rng: np.random.Generator, chargers: int, readings: int) -> npt.NDArray[np.int64]:
    """Energy from reading to reading, e4kwh: power that falls slowly and is never quite still."""
    course = np.linspace(1.0, 0.4, readings) * rng.normal(1.0, 0.02, (chargers, readings))
    return (course * POWER_W / 1_000 * READING_EVERY_MS / 3_600_000 * 10_000).astype(np.int64)


def reading_frames(numbers: npt.NDArray[np.int64], energies: npt.NDArray[np.int64]) -> list[bytes]:
    """The stored readings of a charge of each of those chargers, in turn; `energies` by charger and reading."""
    chargers, readings = energies.shape
    steps = np.diff(energies, axis=1, prepend=0)
    power_w = steps * 3_600_000 // READING_EVERY_MS // 10
    moments_ms = np.tile(np.arange(1, readings + 1) * READING_EVERY_MS, chargers)
    columns = blank_columns(chargers * readings)
    for name, value in (("gun_bcd", 1), ("checksum_order", 1), ("state", CHARGING), ("plugged", 1)):
        columns[name][:] = value
    halves = [_number_halves(number) for number in numbers.tolist()]
    columns["trade_hi"] = np.repeat(np.array([hi for hi, _ in halves], dtype=np.uint64), readings)
    columns["trade_lo"] = np.repeat(np.array([lo for _, lo in halves], dtype=np.uint64), readings)
    codes = np.array([int(code_of(number), 16) for number in numbers.tolist()], dtype=np.uint64)
    columns["frame_pile"] = np.repeat(codes, readings)
    columns["voltage_dv"][:] = VOLTS_DV
    columns["current_da"] = power_w.reshape(-1) * 100 // VOLTS_DV
    columns["soc"] = np.minimum(20 + moments_ms // 90_000, 100)
    columns["charge_minutes"] = moments_ms // 60_000
    columns["energy_e4kwh"] = columns["loss_energy_e4kwh"] = energies.reshape(-1)
    columns["amount_e4yuan"] = energies.reshape(-1) * PRICE_E5YUAN // E5_PER_YUAN
    return frames_of(columns, np.tile(np.arange(readings), chargers) & 0xFFFF)


def _number_halves(number: int) -> tuple[int, int]:
    text = _trade_no(number)
    return int(text[:16], 16), int(text[16:], 16)


def _trade_no(number: int) -> str:
    return f"{code_of(number)}01260922{number:010d}"


def login_frame(number: int) -> bytes:
    """0x01 of the charger behind a connection."""
    fields: dict[str, Any] = {
        "pile_code": code_of(number),
        "pile_type": 0,
        "gun_count": 1,
        "protocol_version": 0x10,
        "firmware": "V1.0.0",
        "network_type": 0,
        "sim": f"898604{code_of(number)}",
        "operator": 0,
    }
    return encode_raw("login", fields, seq=SEQ, checksum_order="le")


def heartbeat_frame(number: int) -> bytes:
    """0x03 of the charger behind a connection."""
    return encode_raw(
        "heartbeat", {"pile_code": code_of(number), "gun_no": "01", "gun_fault": 0}, seq=SEQ, checksum_order="le"
    )


def record_frame(number: int, energy_e4kwh: int, start_ms: int, end_ms: int) -> bytes:
    """0x3B of the one charge of the charger behind a connection."""
    end = ms_to_cp56(end_ms, ZONE)
    fields: dict[str, Any] = {
        "trade_no": _trade_no(number),
        "pile_code": code_of(number),
        "gun_no": "01",
        "start_time": ms_to_cp56(start_ms, ZONE),
        "end_time": end,
        "meter_start": 0,
        "meter_end": energy_e4kwh,
        "energy": energy_e4kwh,
        "loss_energy": energy_e4kwh,
        "amount": energy_e4kwh * PRICE_E5YUAN // E5_PER_YUAN,
        "vin": "",
        "start_mode": 1,
        "trade_time": end,
        "stop_reason": 0x41,
        "physical_card": "0" * 16,
    }
    for name in CLASS_NAMES:
        energy = energy_e4kwh if name == "flat" else 0
        fields |= {f"{name}_price": PRICE_E5YUAN, f"{name}_energy": energy, f"{name}_loss_energy": energy}
        fields[f"{name}_amount"] = energy * PRICE_E5YUAN // E5_PER_YUAN
    return encode_raw("record", fields, seq=SEQ, checksum_order="le")


def _pile(number: int) -> Pile:
    return Pile(
        pile_id=number + 1,
        code=code_of(number),
        protocol="ykc",
        station_id=1,
        zone=ZONE,
        connectors=1,
        rated_power_w=2 * POWER_W,
        register_kind="session",
        quantum_e4kwh=1,
        register_digits=0,
        occupancy_grace_ms=1_800_000,
        commissioned_ms=0,
        current_kind="dc",
        owners=(Ownership(1, 0),),
        tariffs=(TARIFF,),
    )
