"""Realtime frames of many chargers, seeded: charges with the noise of real meters, in the order of their coming.

Each connector charges without a pause, about an hour and a half a charge. Voltage and current wander and ripple in
steps of 0.1, the counter is the integral of their product, the amount follows from the counter by a price, and frames
come every 15 s, some milliseconds early or late.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.ykc.realtime import RealtimeColumns

INTERVAL_MS: Final = 15_000
JITTER_MS: Final = 40
START_MS: Final = 1_795_300_000_000
CHARGE_READINGS: Final = 360
PRICE_E5YUAN: Final = 104_300
E4KWH_PER_W_MS: Final = 1 / 360_000
FIRST_CODE: Final = 32_010_600_000_000


@dataclass(frozen=True)
class Readings:
    """One entry per frame, in the order of receipt; `frames` holds 68 bytes of each."""

    frames: bytes
    pile: NDArray[np.uint32]
    receive_ms: NDArray[np.int64]
    energy_e4kwh: NDArray[np.uint32]
    amount_fen: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.pile)

    def in_runs(self, run: int) -> NDArray[np.intp]:
        """The places of all readings in the order of receipt when a charger sends `run` of them at a time."""
        by_pile = np.argsort(self.pile, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(self.pile)[1:])))[self.pile[by_pile] - 1]
        turn = (np.arange(len(self)) - starts) // run
        return by_pile[np.argsort(turn, kind="stable")] if run > 1 else np.arange(len(self))


def pile_code(pile: int) -> str:
    """The 14 digits of the charger with that number (from 1 on)."""
    return f"{FIRST_CODE + pile:014d}"


def make_readings(count: int, piles: int, seed: int) -> Readings:
    """`count` readings of `piles` chargers with one connector in use each."""
    random = np.random.default_rng(seed)
    each = -(-count // piles)
    curves = [_of_one_charger(random, pile, each) for pile in range(1, piles + 1)]
    joined = {name: np.concatenate([curve[name] for curve in curves]) for name in curves[0]}
    order = np.argsort(joined["receive_ms"], kind="stable")[:count]
    joined = {name: values[order] for name, values in joined.items()}
    columns = RealtimeColumns(count)
    columns.fill({name: values for name, values in joined.items() if name not in _OUTSIDE})
    return Readings(
        columns.frames(), joined["pile"], joined["receive_ms"], joined["energy_e4kwh"], joined["amount_fen"]
    )


_OUTSIDE: Final = ("pile", "receive_ms", "amount_fen")


def _of_one_charger(random: np.random.Generator, pile: int, count: int) -> dict[str, Any]:
    place = (np.arange(count) + int(random.integers(CHARGE_READINGS))) % CHARGE_READINGS
    charge = np.cumsum(place == 0)
    code = int(pile_code(pile), 16)
    taper = np.interp(place / CHARGE_READINGS, (0.0, 0.03, 0.6, 1.0), (0.2, 1.0, 0.95, 0.25))
    voltage_dv = 3_600 + 700 * place // CHARGE_READINGS + _wander(random, count, 4) + random.integers(-3, 4, count)
    current_da = taper * int(random.integers(600, 2_500)) + _wander(random, count, 5) + random.normal(0, 4, count)
    current_da = np.maximum(current_da, 0).astype(np.int64)
    power_w = voltage_dv * current_da // 100
    steps = np.maximum(power_w * INTERVAL_MS * E4KWH_PER_W_MS, 0).astype(np.int64)
    total = np.cumsum(steps)
    begins = np.maximum.accumulate(np.where(place == 0, total, 0))
    energy = total - begins
    receive_ms = START_MS + int(random.integers(INTERVAL_MS)) + np.arange(count) * INTERVAL_MS
    return {
        "pile": np.full(count, pile, np.uint32),
        "receive_ms": receive_ms + random.integers(-JITTER_MS, JITTER_MS + 1, count),
        "trade_hi": np.full(count, code << 8 | 0x01, np.uint64),
        "trade_lo": (0x2611_2212_0000_0000 + charge).astype(np.uint64),
        "frame_pile": np.full(count, code, np.uint64),
        "gun_bcd": np.full(count, 1, np.uint8),
        "seq": (np.arange(count) * 3 + int(random.integers(1 << 16)) & 0xFFFF).astype(np.uint16),
        "checksum_order": np.full(count, 1, np.uint8),
        "state": np.full(count, 3, np.uint8),
        "gun_home": np.zeros(count, np.uint8),
        "plugged": np.ones(count, np.uint8),
        "voltage_dv": voltage_dv.astype(np.uint16),
        "current_da": current_da.astype(np.uint16),
        "cable_temp_raw": (75 + _wander(random, count, 1) // 3 + 10 * taper).astype(np.uint8),
        "cable_id": np.zeros(count, np.uint64),
        "soc": (20 + 70 * place // CHARGE_READINGS).astype(np.uint8),
        "battery_temp_raw": (70 + 15 * place // CHARGE_READINGS).astype(np.uint8),
        "charge_minutes": (place // 4).astype(np.uint16),
        "remain_minutes": ((CHARGE_READINGS - place) // 4 + random.integers(0, 2, count)).astype(np.uint16),
        "energy_e4kwh": energy.astype(np.uint32),
        "loss_energy_e4kwh": np.zeros(count, np.uint32),
        "amount_e4yuan": (energy * PRICE_E5YUAN // 100_000).astype(np.uint32),
        "fault_bits": np.zeros(count, np.uint16),
        "amount_fen": (energy * PRICE_E5YUAN // 10_000_000).astype(np.uint32),
    }


def _wander(random: np.random.Generator, count: int, step: int) -> NDArray[np.int64]:
    """A random walk that is drawn back to 0."""
    walk = np.cumsum(random.integers(-step, step + 1, count))
    return np.asarray(walk - np.convolve(walk, np.full(64, 1 / 64), mode="same")[:count], np.int64)
