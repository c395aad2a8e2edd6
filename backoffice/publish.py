"""Shows the master data to ClickHouse: the dim_* tables are filled anew and exchanged, so that no query sees half."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import uuid4

from clickhouse_driver import Client
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, selectinload

from backoffice import models
from core.directory import OPEN_END_MS, UNASSIGNED_OPERATOR_ID

STAGING_MARK: Final = "_staging_"
LEFT_BEHIND_AFTER_S: Final = 600

Rows = list[dict[str, Any]]


def publish(engine: Engine, client: Client) -> dict[str, int]:
    """Replace the dim_* tables of the client's database by the master data; gives the number of rows of each.

    Every table is complete at every moment. A failure before the exchange leaves all of them as they were.
    """
    with Session(engine) as session:
        tables = master_rows(session)
    _drop_left_behind(client)
    mark = f"{STAGING_MARK}{uuid4().hex[:12]}"
    try:
        for table, rows in tables.items():
            client.execute(f"CREATE TABLE {table}{mark} AS {table}")
            if rows:
                client.execute(f"INSERT INTO {table}{mark} ({', '.join(rows[0])}) VALUES", rows)
        for table in tables:
            client.execute(f"EXCHANGE TABLES {table} AND {table}{mark}")
    finally:
        for table in tables:
            client.execute(f"DROP TABLE IF EXISTS {table}{mark} SYNC")
    return {table: len(rows) for table, rows in tables.items()}


def master_rows(session: Session) -> dict[str, Rows]:
    """The rows of each dim_* table, by the names of its columns.

    Owners cover all time: what nobody owns belongs to operator 1, `unassigned` (DESIGN invariant 9), so that a join
    over owners loses no charger.
    """
    piles = session.scalars(
        select(models.Pile)
        .options(
            selectinload(models.Pile.model), selectinload(models.Pile.connectors), selectinload(models.Pile.owners)
        )
        .order_by(models.Pile.pile_id)
    ).all()
    return {
        "dim_operators": [_operator(row) for row in session.scalars(select(models.Operator))],
        "dim_stations": [_station(row) for row in session.scalars(select(models.Station))],
        "dim_tariff_versions": _tariff_versions(session),
        "dim_station_tariffs": [
            {"station_id": row.station_id, "tariff_id": row.tariff_id, "from_ms": row.from_ms}
            for row in session.scalars(select(models.StationTariff))
        ],
        "dim_piles": [_pile(row) for row in piles],
        "dim_connectors": [
            {"pile_id": pile.pile_id, "connector": row.number, "rated_power_w": row.rated_power_w}
            for pile in piles
            for row in pile.connectors
        ],
        "dim_pile_owners": [owner for pile in piles for owner in owners_over_all_time(pile.pile_id, pile.owners)],
    }


def owners_over_all_time(pile_id: int, owners: Sequence[models.PileOwnership]) -> Rows:
    """The owners of a charger from moment 0 without a gap; `owners` are in the order of `from_ms`."""
    rows: Rows = []
    covered_ms = 0
    for owner in owners:
        if owner.from_ms > covered_ms:
            rows.append(_owner(pile_id, UNASSIGNED_OPERATOR_ID, covered_ms, owner.from_ms))
        covered_ms = OPEN_END_MS if owner.to_ms is None else owner.to_ms
        rows.append(_owner(pile_id, owner.operator_id, owner.from_ms, covered_ms))
    if covered_ms < OPEN_END_MS:
        rows.append(_owner(pile_id, UNASSIGNED_OPERATOR_ID, covered_ms, OPEN_END_MS))
    return rows


def _drop_left_behind(client: Client) -> None:
    """Remove the staging tables of a publication that was killed; a running one is younger."""
    found = client.execute(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND position(name, %(mark)s) > 0"
        " AND metadata_modification_time < now() - %(age)s",
        {"mark": STAGING_MARK, "age": LEFT_BEHIND_AFTER_S},
    )
    for (name,) in found:
        client.execute(f"DROP TABLE IF EXISTS {name} SYNC")


def _operator(row: models.Operator) -> dict[str, Any]:
    return {
        "operator_id": row.operator_id,
        "parent_operator_id": row.parent_id or 0,
        "name": row.name,
        "name_en": row.name_en,
        "settle_first": int(row.settle_first),
    }


def _station(row: models.Station) -> dict[str, Any]:
    return {
        "station_id": row.station_id,
        "operator_id": row.operator_id,
        "name": row.name,
        "name_en": row.name_en,
        "aliases": row.aliases,
        "zone": row.zone,
        "latitude": row.latitude,
        "longitude": row.longitude,
        "profile": row.profile,
        "occupancy_grace_ms": row.occupancy_grace_ms,
    }


def _pile(row: models.Pile) -> dict[str, Any]:
    return {
        "pile_id": row.pile_id,
        "pile": row.code,
        "station_id": row.station_id,
        "vendor": row.model.vendor,
        "model": row.model.name,
        "protocol": row.protocol,
        "current_kind": row.model.current_kind,
        "connectors": len(row.connectors),
        "rated_power_w": row.model.rated_power_w,
        "register_kind": row.model.register_kind,
        "quantum_e4kwh": row.model.quantum_e4kwh,
        "register_digits": row.model.register_digits,
        "commissioned_ms": row.commissioned_ms,
        "is_test": int(row.is_test),
    }


def _owner(pile_id: int, operator_id: int, from_ms: int, to_ms: int) -> dict[str, Any]:
    return {"pile_id": pile_id, "operator_id": operator_id, "from_ms": from_ms, "to_ms": to_ms}


def _tariff_versions(session: Session) -> Rows:
    query = select(models.TariffVersion, models.Tariff.name).join(models.TariffVersion.tariff)
    return [
        {
            "tariff_version_id": row.tariff_version_id,
            "tariff_id": row.tariff_id,
            "tariff_name": name,
            "model_no": row.model_no,
            "from_ms": row.from_ms,
            "slot_classes": row.slot_classes,
            "electricity_price_e5yuan": row.electricity_price_e5yuan,
            "service_price_e5yuan": row.service_price_e5yuan,
        }
        for row, name in session.execute(query)
    ]
