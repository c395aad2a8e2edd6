"""Who owns what in the synthetic fleet: operators, stations, chargers, and one tariff."""

from collections.abc import Sequence
from typing import Any

from clickhouse_driver import Client

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BEIJING = 8 * HOUR
SLOT = 30 * MINUTE
OPEN_END = 2**63 - 1

OPERATORS = [
    (1, 0, "未分配", "Unassigned", 0),
    (2, 0, "羊城公交充电", "Yangcheng Bus Charging", 0),
    (3, 0, "南沙绿行", "Nansha Greenway", 1),
]
STATIONS = [
    (1, 2, "大岗公交车站充电站", "Dagang Bus Depot", 22.79, 113.40, "depot"),
    (2, 2, "桥南公交总站充电站", "Qiaonan Bus Terminal", 22.93, 113.36, "depot"),
    (3, 3, "市桥中心公共充电站", "Shiqiao Central", 22.94, 113.38, "public"),
    (4, 3, "塘坑停车场充电站", "Tangkeng Car Park", 22.95, 113.41, "public"),
    (5, 3, "万博地下停车场充电站", "Wanbo Underground Car Park", 23.00, 113.34, "public"),
]
PILES_PER_STATION = 7
CLASS_PRICES = ([98_000, 82_000, 61_000, 33_000], [60_000, 60_000, 55_000, 40_000])
SLOT_CLASSES = [3] * 16 + [2] * 4 + [1] * 4 + [0] * 4 + [2] * 8 + [1] * 4 + [0] * 4 + [2] * 4


def pile_code(pile_id: int) -> str:
    """The 14-digit id of a synthetic charger."""
    return f"320106{pile_id:08d}"


def station_of(pile_id: int) -> int:
    """Chargers are numbered station by station."""
    return (pile_id - 1) // PILES_PER_STATION + 1


def operator_of(pile_id: int) -> int:
    """The owner of the charger's station."""
    return STATIONS[station_of(pile_id) - 1][1]


def insert(client: Client, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all have the same keys; other columns get their defaults."""
    if rows:
        columns = list(rows[0])
        client.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES", [[row[c] for c in columns] for row in rows]
        )


def fill_master(client: Client, now_ms: int) -> None:
    """Operators, stations, chargers and the one tariff of the synthetic fleet."""
    insert(
        client,
        "dim_operators",
        [
            {"operator_id": i, "parent_operator_id": p, "name": n, "name_en": e, "settle_first": s}
            for i, p, n, e, s in OPERATORS
        ],
    )
    insert(
        client,
        "dim_stations",
        [
            {
                "station_id": i,
                "operator_id": o,
                "name": n,
                "name_en": e,
                "aliases": [],
                "zone": "Asia/Shanghai",
                "latitude": la,
                "longitude": lo,
                "profile": profile,
                "occupancy_grace_ms": 30 * MINUTE,
            }
            for i, o, n, e, la, lo, profile in STATIONS
        ],
    )
    piles = range(1, len(STATIONS) * PILES_PER_STATION + 1)
    insert(
        client,
        "dim_piles",
        [
            {
                "pile_id": i,
                "pile": pile_code(i),
                "station_id": station_of(i),
                "vendor": f"vendor {'RST'[i % 3]}",
                "model": f"{'RST'[i % 3]}-120",
                "protocol": "ykc",
                "current_kind": "dc",
                "connectors": 2,
                "rated_power_w": 120_000,
                "register_kind": "session",
                "quantum_e4kwh": 1,
                "register_digits": 0,
                "commissioned_ms": now_ms - 400 * DAY,
                "is_test": 0,
            }
            for i in piles
        ],
    )
    insert(
        client,
        "dim_connectors",
        [{"pile_id": i, "connector": c, "rated_power_w": 120_000} for i in piles for c in (1, 2)],
    )
    insert(
        client,
        "dim_pile_owners",
        [{"pile_id": i, "operator_id": operator_of(i), "from_ms": 0, "to_ms": OPEN_END} for i in piles],
    )
    insert(
        client,
        "dim_tariff_versions",
        [
            {
                "tariff_version_id": 1,
                "tariff_id": 1,
                "tariff_name": "公共站分时电价",
                "model_no": "0101",
                "from_ms": 0,
                "slot_classes": SLOT_CLASSES,
                "electricity_price_e5yuan": CLASS_PRICES[0],
                "service_price_e5yuan": CLASS_PRICES[1],
            }
        ],
    )
