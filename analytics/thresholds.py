"""The thresholds of the anomaly rules (anomaly-codes.md, "Thresholds to expose as configuration")."""

from hashlib import blake2b
from typing import Annotated, Any

import msgspec

from core.meter.final_figure import Comparison

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
_LATER = ("duration_field_ms", "overlap_ms", "vin_overlap_ms", "card_overlap_ms", "efficiency_e4", "reading_period_ms")
PLATFORM_ONLY = frozenset({"silence_ms", "balancing_w", "occupancy_max_wait_ms"})
"""What is asked of the facts of many chargers at once, so that it cannot differ between them."""
Limit = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Loss = Annotated[int, msgspec.Meta(ge=-3_000, le=3_000)]
Percent = Annotated[int, msgspec.Meta(ge=100, le=200)]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set of thresholds. Times are milliseconds, energies 1e-4 kWh, shares 1e-4 of the value they belong to."""

    # codes 1 and 2: the bill that does not come
    bill_overdue_ms: Limit = 15 * MINUTE_MS
    bill_lost_ms: Limit = 30 * MINUTE_MS
    online_min_ms: Limit = 10 * MINUTE_MS
    offline_ms: Limit = 30 * MINUTE_MS
    bill_max_wait_ms: Limit = 72 * HOUR_MS
    silence_ms: Limit = 2 * MINUTE_MS
    """A charger that said nothing for longer than this was away; it sends a heartbeat every 10 s."""

    # code 3
    clock_ms: Limit = 3 * MINUTE_MS
    bill_future_ms: Limit = 3 * MINUTE_MS
    before_order_ms: Limit = 3 * MINUTE_MS
    after_order_ms: Limit = 60 * MINUTE_MS

    # code 4
    pmax_percent: Percent = 110
    """Pmax is so much of the rated power."""
    energy_max_dc_e4kwh: Limit = 4_000_000
    energy_max_ac_e4kwh: Limit = 1_200_000
    parts_e4kwh: Limit = 100
    parts_share_e4: Share = 5
    part_margin_ms: Limit = 30 * MINUTE_MS
    tiny_energy_e4kwh: Limit = 1_000
    tiny_energy_power_ms: Limit = 5 * MINUTE_MS

    # code 5
    duration_max_dc_ms: Limit = 18 * HOUR_MS
    duration_max_ac_ms: Limit = 36 * HOUR_MS
    duration_field_ms: Limit = MINUTE_MS

    # code 6; the grace itself belongs to the station
    occupancy_max_wait_ms: Limit = 24 * HOUR_MS
    occupancy_gap_ms: Limit = 6 * MINUTE_MS
    """Between the last plugged and the first unplugged reading: beyond it the unplug was not observed (idle readings
    come every 5 minutes)."""
    balancing_w: Limit = 300

    # code 7
    overlap_ms: Limit = MINUTE_MS
    vin_overlap_ms: Limit = 5 * MINUTE_MS
    card_overlap_ms: Annotated[int, msgspec.Meta(ge=-1)] = -1
    """-1: a card may charge at several connectors at once."""

    # codes 8 and 9, and the measuring behind them
    energy_tolerance_e4kwh: Limit = 1_000
    energy_tolerance_share_e4: Share = 100
    duration_tolerance_ms: Limit = 3 * MINUTE_MS
    duration_tolerance_share_e4: Share = 200

    efficiency_e4: Loss = 0
    """So much of what the readings count gets lost before the meter of the record: readings on the AC side of a DC
    charger."""
    reading_period_ms: Annotated[int, msgspec.Meta(ge=1_000)] = 15_000
    """A gap is silence of more than 60 s and three periods."""

    # code 11
    lost_energy_e4kwh: Limit = 5_000
    lost_energy_power_ms: Limit = MINUTE_MS

    @property
    def comparison(self) -> Comparison:
        """How a record is held against the readings: code 8, and what is billed."""
        return Comparison(self.energy_tolerance_e4kwh, self.energy_tolerance_share_e4, self.efficiency_e4)

    def digest(self) -> int:
        """A number that differs whenever a threshold differs; kept with each revision.

        A threshold that came after the first version counts only where it is not the default: a later version by
        itself is no other input.
        """
        default = type(self)()
        values: dict[str, Any] = msgspec.to_builtins(self)
        for name in _LATER:
            if values[name] == getattr(default, name):
                del values[name]
        return int.from_bytes(blake2b(msgspec.json.encode(values), digest_size=8).digest(), "big")
