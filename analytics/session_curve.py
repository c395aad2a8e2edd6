"""The curve of one session: what its meter reported, and what the calculator of `core.meter` accepts of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from clickhouse_driver import Client

from analytics.questions import Scope, ask
from core.meter.calculator import MeterCalculator
from core.meter.flags import Flag
from core.meter.profile import MeterProfile

LONGEST_CURVE = 200_000


class SessionCurve(msgspec.Struct, frozen=True):
    """One value per different reading, in the order of event time; all arrays have the same length.

    `reported_e4kwh` is the session counter as sent, `accepted_e4kwh` the energy accepted up to and with this reading,
    `flags` the bits of `core.meter.flags.Flag` that this reading raised, `charging` whether its state was charging.
    `repeated` counts readings left out because they were the same again.
    """

    event_ms: npt.NDArray[np.int64]
    reported_e4kwh: npt.NDArray[np.int64]
    accepted_e4kwh: npt.NDArray[np.int64]
    power_w: npt.NDArray[np.int64]
    soc: npt.NDArray[np.int64]
    charging: npt.NDArray[np.bool_]
    flags: npt.NDArray[np.uint32]
    repeated: int
    gap_ms: int

    def __len__(self) -> int:
        return len(self.event_ms)

    def gaps(self) -> list[tuple[int, int]]:
        """The silences longer than the calculator allows, as (last moment before, first moment after)."""
        steps = np.flatnonzero(np.diff(self.event_ms) > self.gap_ms)
        return [(int(self.event_ms[i]), int(self.event_ms[i + 1])) for i in steps]


def session_curve(client: Client, scope: Scope, session: Mapping[str, Any]) -> SessionCurve:
    """The curve of the session whose current row of `session_revisions` is given.

    Uses the profile on that row, so that the curve ends where the stored measurement ends. A session without readings
    gives an empty curve. Raises what the database client raises.
    """
    trade_no = session["trade_no"]
    answer = ask(
        client,
        "session_readings",
        scope,
        pile_id=session["pile_id"],
        connector=session["connector"],
        trade_hi=int(trade_no[:16], 16),
        trade_lo=int(trade_no[16:], 16),
    )
    profile = MeterProfile(
        register_kind="session", quantum_e4kwh=max(1, session["quantum_e4kwh"]), pmax_w=max(1, session["pmax_w"])
    )
    return curve_of_readings(answer.records()[:LONGEST_CURVE], profile, session["start_ms"])


def curve_of_readings(readings: list[dict[str, Any]], profile: MeterProfile, start_ms: int) -> SessionCurve:
    """The curve of readings ordered by (event_ms, energy_e4kwh, seq), as question `session_readings` gives them."""
    kept = [
        reading
        for reading, before in zip(readings, [None, *readings], strict=False)
        if before is None
        or (reading["event_ms"], reading["energy_e4kwh"]) != (before["event_ms"], before["energy_e4kwh"])
    ]
    event_ms = _column(kept, "event_ms")
    reported = _column(kept, "energy_e4kwh")
    power_w = _column(kept, "power_w")
    state = np.array([reading["state"] for reading in kept], dtype=np.uint8)
    accepted = np.zeros(len(kept), dtype=np.int64)
    flags = np.zeros(len(kept), dtype=np.uint32)
    first_ms = int(event_ms[0]) if kept else 0
    calculator = MeterCalculator(profile, min(start_ms, first_ms) if start_ms else first_ms)
    calculator.run(event_ms, reported, state, power_w, accepted, flags)
    stored = np.array([reading["stored"] for reading in kept], dtype=np.uint32)
    return SessionCurve(
        event_ms=event_ms,
        reported_e4kwh=reported,
        accepted_e4kwh=accepted,
        power_w=power_w,
        soc=_column(kept, "soc"),
        charging=state == 3,
        flags=flags | (stored * np.uint32(Flag.STORED)),
        repeated=len(readings) - len(kept),
        gap_ms=profile.gap_ms,
    )


def _column(readings: list[dict[str, Any]], name: str) -> npt.NDArray[np.int64]:
    return np.array([reading[name] for reading in readings], dtype=np.int64)
