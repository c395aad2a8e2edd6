"""Charges as a loader stores them, seeded: readings, records, orders and tariffs straight as columns.

YKC chargers with two connectors charge about half of the time, a reading every 15 s, a hundred or so a charge. Power
wanders around a curve, the register is its integral in steps of 0.01 kWh. A few in a hundred charges are told by a
meter, a link or a record with a fault, as often as `FAULTS` says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.directory import Ownership, Pile, PileDirectory
from core.tariff_version import TariffVersion

Columns = dict[str, Any]
Int64s = NDArray[np.int64]

BEGIN_MS: Final = 1_759_248_000_000  # 2025-10-01 00:00 in Shanghai
SECOND: Final = 1_000
MINUTE: Final = 60_000
SLOT_MS: Final = 30 * MINUTE
INTERVAL_MS: Final = 15 * SECOND
ROUND_MS: Final = 50 * MINUTE
SHORTEST: Final = 60
LONGEST: Final = 140
CONNECTORS: Final = 2
SESSIONS_OF_A_PILE: Final = 200
FIRST_CODE: Final = 32_010_600_000_000
QUANTUM_E4KWH: Final = 100
W_MS_PER_E4KWH: Final = 360_000
SHANGHAI_MS: Final = 8 * 60 * MINUTE
FAULTS: Final = {
    "zero_read": 0.008,
    "spike": 0.004,
    "repeated": 0.006,
    "gap": 0.010,
    "zero_at_begin": 0.004,
    "record_differs": 0.005,
    "no_record": 0.002,
}
"""Shares of charges; what is named first wins where two would meet."""

TARIFF: Final = TariffVersion(
    tariff_version_id=7,
    tariff_id=1,
    model_no="0007",
    from_ms=0,
    slot_classes=tuple([3] * 16 + [2] * 4 + [1] * 8 + [0] * 8 + [2] * 12),
    electricity_price_e5yuan=(120_000, 100_000, 70_000, 40_000),
    service_price_e5yuan=(40_000, 40_000, 40_000, 30_000),
)


@dataclass(frozen=True)
class Charges:
    """One charge each: whose, under which number, and how many readings; the rows of `tables` are theirs."""

    tables: dict[str, Columns]
    readings: int


def directory(sessions: int) -> PileDirectory:
    """The chargers that `make_charges` of so many charges tells of."""
    return PileDirectory(
        Pile(
            pile_id=pile_id,
            code=f"{FIRST_CODE + pile_id:014d}",
            protocol="ykc",
            station_id=1 + pile_id // 10,
            zone="Asia/Shanghai",
            connectors=CONNECTORS,
            rated_power_w=120_000,
            register_kind="session",
            quantum_e4kwh=QUANTUM_E4KWH,
            register_digits=0,
            occupancy_grace_ms=SLOT_MS,
            commissioned_ms=0,
            current_kind="dc",
            owners=(Ownership(2, 0),),
            tariffs=(TARIFF,),
        )
        for pile_id in range(1, 1 + -(-sessions // SESSIONS_OF_A_PILE))
    )


def make_charges(sessions: int, seed: int) -> Iterator[Charges]:
    """`sessions` charges, those of some chargers at a time: equal seeds give equal rows."""
    piles = -(-sessions // SESSIONS_OF_A_PILE)
    random = np.random.default_rng(seed)
    at_once = 25
    for first in range(0, piles, at_once):
        pile_ids = np.arange(first + 1, min(first + at_once, piles) + 1)
        last = sessions - first * SESSIONS_OF_A_PILE
        yield _of_piles(random, pile_ids, min(last, len(pile_ids) * SESSIONS_OF_A_PILE), first * 1_000_000)


def _of_piles(random: np.random.Generator, pile_ids: Int64s, sessions: int, offset: int) -> Charges:
    place = np.arange(sessions)
    pile = pile_ids[place // SESSIONS_OF_A_PILE]
    connector = 1 + place % CONNECTORS
    turn = place % SESSIONS_OF_A_PILE // CONNECTORS
    first_ms = BEGIN_MS + 8 * 60 * MINUTE + turn * ROUND_MS + random.integers(0, 5 * MINUTE, sessions)
    count = random.integers(SHORTEST, LONGEST + 1, sessions)
    fault = _faults(random, sessions)
    code = np.array([int(f"{FIRST_CODE + number:014d}", 16) for number in pile], np.uint64)
    trade_hi = code << np.uint64(8) | connector.astype(np.uint64)
    trade_lo = np.array([int(f"2510{number:012d}", 16) for number in turn], np.uint64)
    own, readings, last_e4kwh = _charging(random, first_ms, count, fault)
    readings |= {
        "pile_id": pile[own],
        "connector": connector[own],
        "trade_hi": trade_hi[own],
        "trade_lo": trade_lo[own],
    }
    idle = _idle(first_ms + count * INTERVAL_MS, pile, connector)
    joined = {name: np.concatenate((readings[name], idle[name])) for name in idle}
    arriving = _kept(random, fault, own, joined)
    joined = {name: values[arriving] for name, values in joined.items()}
    names = [f"{high:016X}{low:016X}" for high, low in zip(trade_hi.tolist(), trade_lo.tolist(), strict=True)]
    end_ms = first_ms + (count - 1) * INTERVAL_MS
    tables = {
        "readings": _typed(joined, offset),
        "pile_bill_uploads": _records(random, pile, connector, names, (first_ms, end_ms), last_e4kwh, fault, offset),
        "commands": _orders(pile, connector, names, first_ms, offset),
        "tariff_acks": _acks(pile_ids, offset),
    }
    return Charges(tables, len(joined["event_ms"]))


def _faults(random: np.random.Generator, sessions: int) -> NDArray[np.str_]:
    names = np.array([*FAULTS, ""])
    shares = [*FAULTS.values(), 1 - sum(FAULTS.values())]
    return names[random.choice(len(names), sessions, p=shares)]


def _charging(
    random: np.random.Generator, first_ms: Int64s, count: Int64s, fault: NDArray[np.str_]
) -> tuple[Int64s, Columns, Int64s]:
    sessions, size = len(count), int(count.sum())
    own = np.repeat(np.arange(sessions), count)
    begins = np.concatenate(([0], np.cumsum(count)[:-1]))
    step = np.arange(size) - begins[own]
    part = step / count[own]
    taper = np.interp(part, (0.0, 0.04, 0.6, 1.0), (0.15, 1.0, 0.95, 0.3))
    current_da = np.maximum(taper * random.integers(400, 2_400, sessions)[own] + random.normal(0, 5, size), 0)
    current_da = current_da.astype(np.int64)
    voltage_dv = 3_700 + (500 * part).astype(np.int64) + random.integers(-3, 4, size)
    power_w = voltage_dv * current_da // 100
    risen = np.zeros(size)
    risen[1:] = (power_w[1:] + power_w[:-1]) * (INTERVAL_MS / (2 * W_MS_PER_E4KWH)) * (step[1:] > 0)
    total = np.cumsum(risen)
    exact = (total - total[begins][own]).astype(np.int64)
    counter = exact // QUANTUM_E4KWH * QUANTUM_E4KWH
    last = counter[begins + count - 1].copy()
    middle = begins + count // 2
    counter[middle[fault == "zero_read"]] = 0
    counter[middle[fault == "spike"]] += 900_000
    for place in range(6):
        counter[(begins + place)[fault == "zero_at_begin"]] = 0
    event_ms = first_ms[own] + step * INTERVAL_MS + random.integers(-40, 41, size)
    columns = {
        "event_ms": event_ms,
        "voltage_dv": voltage_dv,
        "current_da": current_da,
        "energy_e4kwh": counter,
        "charge_minutes": step * INTERVAL_MS // MINUTE,
        "seq": (step * 3 + random.integers(0, 1 << 16, sessions)[own]) & 0xFFFF,
        "state": np.full(size, 3),
        "plugged": np.ones(size, np.int64),
    }
    return own, columns, last


def _idle(end_ms: Int64s, pile: Int64s, connector: Int64s) -> Columns:
    """After each charge the connector says at once, and every five minutes, that it does not charge."""
    moments = [end_ms, end_ms + 5 * MINUTE, end_ms + 10 * MINUTE]
    size = len(end_ms) * len(moments)
    nothing = np.zeros(size, np.int64)
    names = ("voltage_dv", "current_da", "energy_e4kwh", "charge_minutes", "seq")
    return {
        **dict.fromkeys(names, nothing),
        "event_ms": np.concatenate(moments),
        "pile_id": np.tile(pile, len(moments)),
        "connector": np.tile(connector, len(moments)),
        "trade_hi": nothing.astype(np.uint64),
        "trade_lo": nothing.astype(np.uint64),
        "state": np.full(size, 2),
        "plugged": np.repeat([1, 0, 0], len(end_ms)),
    }


def _kept(random: np.random.Generator, fault: NDArray[np.str_], own: Int64s, joined: Columns) -> Int64s:
    """The places of the rows that arrive: a gap leaves some out, a frame that is sent again stands twice."""
    places = np.arange(len(joined["event_ms"]))
    charging = places[: len(own)]
    minute = joined["charge_minutes"][charging]
    lost = (fault[own] == "gap") & (minute >= 5) & (minute < 10)
    again = charging[(fault[own] == "repeated") & (random.random(len(own)) < 0.02)]
    keep = np.ones(len(places), np.bool_)
    keep[charging[lost]] = False
    return np.concatenate((places[keep], again))


def _typed(columns: Columns, offset: int) -> Columns:
    types = {"voltage_dv": "u2", "current_da": "u2", "charge_minutes": "u2", "seq": "u2", "energy_e4kwh": "u4"}
    types |= {"connector": "u1", "state": "u1", "plugged": "u1", "pile_id": "u4", "event_ms": "i8"}
    types |= {"trade_hi": "u8", "trade_lo": "u8"}
    size = len(columns["event_ms"])
    typed = {name: np.ascontiguousarray(values.astype(types[name])) for name, values in columns.items()}
    return typed | {
        "receive_ms": typed["event_ms"],
        "operator_id": np.full(size, 2, "u4"),
        "segment_id": np.full(size, 1, "u8"),
        "segment_offset": np.arange(offset, offset + size, dtype="u8"),
    }


def _records(
    random: np.random.Generator,
    pile: Int64s,
    connector: Int64s,
    names: list[str],
    seen: tuple[Int64s, Int64s],
    last_e4kwh: Int64s,
    fault: NDArray[np.str_],
    offset: int,
) -> Columns:
    start_ms, end_ms = seen[0] - 15 * SECOND, seen[1] + 12 * SECOND
    start_ms, end_ms = start_ms // SECOND * SECOND, end_ms // SECOND * SECOND
    energy = last_e4kwh + QUANTUM_E4KWH * random.integers(0, 3, len(pile))
    energy = np.where(fault == "record_differs", energy * 13 // 10 + 5_000, energy)
    sent = np.flatnonzero(fault != "no_record")
    register = 1_000_000 + random.integers(0, 10**8, len(pile))
    classes = _class_energies(start_ms, end_ms, energy)
    return {
        "operator_id": [2] * len(sent),
        "pile_id": pile[sent].tolist(),
        "connector": connector[sent].tolist(),
        "trade_no": [names[place] for place in sent],
        "receive_ms": (end_ms[sent] + 2_500).tolist(),
        "start_ms": start_ms[sent].tolist(),
        "end_ms": end_ms[sent].tolist(),
        "trade_time_ms": end_ms[sent].tolist(),
        "class_price_e5yuan": [[160_000, 140_000, 110_000, 70_000]] * len(sent),
        "class_energy_e4kwh": classes[sent].tolist(),
        "energy_e4kwh": energy[sent].tolist(),
        "amount_e4yuan": (energy[sent] * 110_000 // 100_000).tolist(),
        "meter_start_e4kwh": register[sent].tolist(),
        "meter_end_e4kwh": (register + energy)[sent].tolist(),
        "vin": [f"LSV{'AA49J'}{number % 10**9:09d}" for number in random.integers(0, 10**9, len(sent)).tolist()],
        "start_mode": [1] * len(sent),
        "content_digest": list(range(1, len(sent) + 1)),
        "segment_id": [1] * len(sent),
        "segment_offset": list(range(offset, offset + len(sent))),
    }


def _class_energies(start_ms: Int64s, end_ms: Int64s, energy: Int64s) -> Int64s:
    """The energy of each record over the four classes, in proportion to the time of its half-hours."""
    found = np.zeros((len(energy), 4), np.int64)
    classes = np.array(TARIFF.slot_classes)
    first = start_ms // SLOT_MS
    left = energy.copy()
    for step in range(3):
        begin = (first + step) * SLOT_MS
        inside = np.clip(np.minimum(end_ms, begin + SLOT_MS) - np.maximum(start_ms, begin), 0, None)
        is_last = begin + SLOT_MS >= end_ms
        part = np.where(is_last, left, energy * inside // np.maximum(end_ms - start_ms, 1))
        left -= part
        slot = (begin + SHANGHAI_MS) // SLOT_MS % 48
        found[np.arange(len(energy)), classes[slot]] += part
    return found


def _orders(pile: Int64s, connector: Int64s, names: list[str], first_ms: Int64s, offset: int) -> Columns:
    size = len(names)
    return {
        "operator_id": [2] * size,
        "pile_id": pile.tolist(),
        "connector": connector.tolist(),
        "command": ["remote_start"] * size,
        "trade_no": names,
        "sent_ms": (first_ms - 40 * SECOND).tolist(),
        "answered_ms": (first_ms - 38 * SECOND).tolist(),
        "outcome": ["ok"] * size,
        "segment_id": [1] * size,
        "segment_offset": list(range(offset, offset + size)),
    }


def _acks(pile_ids: Int64s, offset: int) -> Columns:
    size = len(pile_ids)
    return {
        "operator_id": [2] * size,
        "pile_id": pile_ids.tolist(),
        "event_ms": [BEGIN_MS] * size,
        "model_no": [TARIFF.model_no] * size,
        "tariff_version_id": [TARIFF.tariff_version_id] * size,
        "source": ["tariff_reply"] * size,
        "segment_id": [1] * size,
        "segment_offset": list(range(offset, offset + size)),
    }
