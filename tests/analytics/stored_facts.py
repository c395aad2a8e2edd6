"""Writes the facts that a gateway and its loader would have stored, for tests of the biller."""

from typing import Any

from clickhouse_driver import Client

from core.directory import Ownership, Pile, PileDirectory
from core.tariff_version import TariffVersion

T0 = 1_700_006_400_000  # 2023-11-15 08:00:00 in Shanghai
SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
DAY = 24 * HOUR
PILE_CODE = "32010600019236"

TARIFF = TariffVersion(
    tariff_version_id=7,
    tariff_id=1,
    model_no="0007",
    from_ms=0,
    slot_classes=tuple([3] * 16 + [2] * 4 + [1] * 8 + [0] * 8 + [2] * 12),
    electricity_price_e5yuan=(120_000, 100_000, 70_000, 40_000),
    service_price_e5yuan=(40_000, 40_000, 40_000, 30_000),
)
OTHER_TARIFF = TariffVersion(
    tariff_version_id=8,
    tariff_id=1,
    model_no="0008",
    from_ms=T0 + 30 * DAY,
    slot_classes=(2,) * 48,
    electricity_price_e5yuan=(1, 1, 99_999, 1),
    service_price_e5yuan=(1, 1, 33_333, 1),
)


def pile(pile_id: int = 4, **changes: Any) -> Pile:
    """A DC charger of 120 kW at a public station in Shanghai time."""
    fields: dict[str, Any] = {
        "pile_id": pile_id,
        "code": f"{int(PILE_CODE) + pile_id - 4:014d}",
        "protocol": "ykc",
        "station_id": 3,
        "zone": "Asia/Shanghai",
        "connectors": 2,
        "rated_power_w": 120_000,
        "register_kind": "session",
        "quantum_e4kwh": 1,
        "register_digits": 0,
        "occupancy_grace_ms": 30 * MINUTE,
        "commissioned_ms": 0,
        "current_kind": "dc",
        "owners": (Ownership(2, 0),),
        "tariffs": (TARIFF, OTHER_TARIFF),
    }
    return Pile(**{**fields, **changes})


def trade_no(number: int = 1) -> str:
    """The `number`-th trade number of the tests."""
    return f"{PILE_CODE}01231115080000{number:04d}"


class Clock:
    """A clock that a test sets."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


class Facts:
    """Stores rows as the loader does; every method takes event times and may be called in any order."""

    def __init__(self, client: Client, *piles: Pile) -> None:
        self.client = client
        self.directory = PileDirectory(piles or (pile(),))
        self._offset = 0
        for version in (TARIFF, OTHER_TARIFF):
            row = [
                version.tariff_version_id, version.tariff_id, "t", version.model_no, version.from_ms,
                version.slot_classes, version.electricity_price_e5yuan, version.service_price_e5yuan,
            ]  # fmt: skip
            client.execute("INSERT INTO dim_tariff_versions VALUES", [row])

    def insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Rows with the columns that they name; a segment and an offset are added."""
        if not rows:
            return
        for row in rows:
            self._offset += 1
            row.setdefault("segment_id", 1)
            row.setdefault("segment_offset", self._offset)
        names = list(rows[0])
        columns = [[row[name] for row in rows] for name in names]
        self.client.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES", columns, columnar=True)

    def reading(self, at_ms: int, **changes: Any) -> dict[str, Any]:
        """One row of `readings`: charging, plugged; without a trade number it is idle."""
        trade = changes.pop("trade_no", trade_no())
        charging = trade != "0" * 32
        return {
            "operator_id": 2,
            "pile_id": 4,
            "connector": 1,
            "event_ms": at_ms,
            "receive_ms": at_ms,
            "trade_hi": int(trade[:16], 16),
            "trade_lo": int(trade[16:], 16),
            "seq": 0,
            "state": 3 if charging else 2,
            "plugged": 1,
            "voltage_dv": 4_000 if charging else 0,
            "current_da": 1_500 if charging else 0,
            "energy_e4kwh": 0,
            "charge_minutes": 0,
            **changes,
        }

    def charging(
        self, start_ms: int, minutes: int, *, trade: str | None = None, power_w: int = 60_000, **changes: Any
    ) -> list[dict[str, Any]]:
        """A charge at constant power, a reading every 15 s from the start to the end."""
        return [
            self.reading(
                start_ms + elapsed,
                trade_no=trade or trade_no(),
                energy_e4kwh=power_w * elapsed // 360_000,
                charge_minutes=elapsed // MINUTE,
                seq=elapsed // 15_000 % 65_536,
                current_da=power_w // 40,
                **changes,
            )
            for elapsed in range(0, minutes * MINUTE + 1, 15_000)
        ]

    def idle(self, at_ms: int, plugged: int = 1, **changes: Any) -> dict[str, Any]:
        """An idle reading without a session."""
        return self.reading(at_ms, trade_no="0" * 32, plugged=plugged, **changes)

    def bill(
        self, start_ms: int, minutes: int, *, power_w: int = 60_000, trade: str | None = None, **changes: Any
    ) -> dict[str, Any]:
        """The charger's record of such a charge, all of it in the flat class (10:00-14:00 is peak, and so on)."""
        energy = power_w * minutes * MINUTE // 360_000
        end_ms = start_ms + minutes * MINUTE
        return {
            "operator_id": 2,
            "pile_id": 4,
            "connector": 1,
            "trade_no": trade or trade_no(),
            "receive_ms": end_ms + 2 * SECOND,
            "start_ms": start_ms,
            "end_ms": end_ms,
            "trade_time_ms": end_ms,
            "class_energy_e4kwh": [0, 0, energy, 0],
            "energy_e4kwh": energy,
            "amount_e4yuan": energy * 110_000 // 100_000,
            "vin": "LSVAA49J132015367",
            "start_mode": 1,
            "content_digest": 1,
            **changes,
        }

    def heard(self, from_ms: int, to_ms: int, pile_id: int = 4) -> None:
        """The charger was heard without interruption."""
        self.insert(
            "presence",
            [
                {
                    "operator_id": 2,
                    "pile_id": pile_id,
                    "connection_id": 1,
                    "first_ms": minute,
                    "last_ms": min(minute + 50_000, to_ms),
                    "frames": 6,
                    "heartbeats": 6,
                    "bytes": 100,
                }
                for minute in range(from_ms, to_ms, MINUTE)
            ],
        )
