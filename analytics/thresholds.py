"""The thresholds of the anomaly rules (anomaly-codes.md, "Thresholds to expose as configuration")."""

from hashlib import blake2b
from typing import Any

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
_LATER = ("duration_field_ms", "overlap_ms", "vin_overlap_ms", "card_overlap_ms")


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One set of thresholds. Times are milliseconds, energies 1e-4 kWh, shares 1e-4 of the value they belong to."""

    # codes 1 and 2: the bill that does not come
    bill_overdue_ms: int = 15 * MINUTE_MS
    bill_lost_ms: int = 30 * MINUTE_MS
    online_min_ms: int = 10 * MINUTE_MS
    offline_ms: int = 30 * MINUTE_MS
    bill_max_wait_ms: int = 72 * HOUR_MS
    silence_ms: int = 2 * MINUTE_MS
    """A charger that said nothing for longer than this was away; it sends a heartbeat every 10 s."""

    # code 3
    clock_ms: int = 3 * MINUTE_MS
    bill_future_ms: int = 3 * MINUTE_MS
    before_order_ms: int = 3 * MINUTE_MS
    after_order_ms: int = 60 * MINUTE_MS

    # code 4
    pmax_percent: int = 110
    energy_max_dc_e4kwh: int = 4_000_000
    energy_max_ac_e4kwh: int = 1_200_000
    parts_e4kwh: int = 100
    parts_share_e4: int = 5
    part_margin_ms: int = 30 * MINUTE_MS
    tiny_energy_e4kwh: int = 1_000
    tiny_energy_power_ms: int = 5 * MINUTE_MS

    # code 5
    duration_max_dc_ms: int = 18 * HOUR_MS
    duration_max_ac_ms: int = 36 * HOUR_MS
    duration_field_ms: int = MINUTE_MS

    # code 6; the grace itself belongs to the station
    occupancy_max_wait_ms: int = 24 * HOUR_MS
    occupancy_gap_ms: int = 6 * MINUTE_MS
    """Between the last plugged and the first unplugged reading: beyond it the unplug was not observed (idle readings
    come every 5 minutes)."""
    balancing_w: int = 300

    # code 7
    overlap_ms: int = MINUTE_MS
    vin_overlap_ms: int = 5 * MINUTE_MS
    card_overlap_ms: int = -1
    """-1: a card may charge at several connectors at once."""

    # codes 8 and 9
    energy_tolerance_e4kwh: int = 1_000
    energy_tolerance_share_e4: int = 100
    duration_tolerance_ms: int = 3 * MINUTE_MS
    duration_tolerance_share_e4: int = 200

    # code 11
    lost_energy_e4kwh: int = 5_000
    lost_energy_power_ms: int = MINUTE_MS

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

    def sql_parameters(self) -> dict[str, int]:
        """Every threshold under its name, for the SQL files."""
        return {name: getattr(self, name) for name in self.__struct_fields__}
