"""The chargers as the serving path knows them, and the registration of chargers nobody planned."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec
from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from backoffice import models
from backoffice.database import writing
from backoffice.errors import BackofficeError
from backoffice.pile_codes import CODE_RULES
from core.directory import OPEN_END_MS, Ownership, Pile
from core.tariff_version import TariffVersion

UNKNOWN_MODEL_KEYS: Final = {"ykc": "unknown", "aaf5": "unknown-aaf5"}
MAX_CONNECTORS: Final = 99


def read_directory(engine: Engine) -> list[Pile]:
    """All chargers with their owners and the tariff versions valid by date, in the order of their number."""
    with Session(engine) as session:
        return _read(session, None)


def register_pile(engine: Engine, code: str, protocol: str = "ykc", connectors: int = 1) -> Pile:
    """Take up a charger that the master data does not name; gives the one there is when the code is known already.

    It belongs to nobody (operator `unassigned`, number 1), stands at the station `unassigned` with the default tariff,
    and counts as 180 kW (DESIGN, `replay`), with the register that its protocol carries: YKC a session counter of
    0.0001 kWh, AAF5 an absolute one of 0.01 kWh. All of that holds until it is learned better (`Pile.learns`). A known
    charger gets the connectors that it lacks and keeps its protocol. Raises `BackofficeError` for a code, protocol or
    number of connectors that cannot be.
    """
    _check(code, protocol, connectors)
    try:
        return _register(engine, code, protocol, connectors)
    except IntegrityError:
        # PostgreSQL lets two transactions look for the code at once; the second to insert finds it the next time.
        return _register(engine, code, protocol, connectors)


def effective_versions(
    assignments: Sequence[tuple[int, Iterable[TariffVersion]]],
) -> tuple[TariffVersion, ...]:
    """The versions valid at a station, each with the moment from which it is valid *there*, in that order.

    `assignments`: (from_ms, versions of the tariff), in the order of `from_ms`; each holds until the next begins, and
    for as long as the next one's tariff has no version yet.
    """
    valid: list[TariffVersion] = []
    bounds = pairwise([*(from_ms for from_ms, _ in assignments), OPEN_END_MS])
    for (_, versions), (from_ms, to_ms) in zip(assignments, bounds, strict=True):
        ordered = sorted(versions, key=lambda version: version.from_ms)
        starts = [version.from_ms for version in ordered] + [OPEN_END_MS]
        for version, (begins, ends_at) in zip(ordered, pairwise(starts), strict=True):
            if begins < to_ms and ends_at > from_ms:
                valid.append(msgspec.structs.replace(version, from_ms=max(begins, from_ms)))
    return tuple(valid)


def tariff_version(row: models.TariffVersion) -> TariffVersion:
    """The version as `core` computes with it."""
    electricity, service = row.electricity_price_e5yuan, row.service_price_e5yuan
    return TariffVersion(
        tariff_version_id=row.tariff_version_id,
        tariff_id=row.tariff_id,
        model_no=row.model_no,
        from_ms=row.from_ms,
        slot_classes=tuple(row.slot_classes),
        electricity_price_e5yuan=(electricity[0], electricity[1], electricity[2], electricity[3]),
        service_price_e5yuan=(service[0], service[1], service[2], service[3]),
    )


def _register(engine: Engine, code: str, protocol: str, connectors: int) -> Pile:
    with writing(engine) as session:
        known = session.scalar(select(models.Pile).where(models.Pile.code == code))
        if known is None:
            known = _unassigned_pile(session, code, protocol)
            session.add(known)
        power_w = known.model.rated_power_w
        for number in range(len(known.connectors) + 1, connectors + 1):
            known.connectors.append(models.Connector(number=number, rated_power_w=power_w))
        session.flush()
        return _read(session, [known.pile_id])[0]


def _check(code: str, protocol: str, connectors: int) -> None:
    rule = CODE_RULES.get(protocol)
    if rule is None:
        raise BackofficeError(f"pile {code!r}: protocol {protocol!r} is not known; known are {', '.join(CODE_RULES)}")
    if not rule.fits(code):
        raise BackofficeError(f"pile {code!r}: the code of a {protocol} charger has {rule.meaning}")
    if not 1 <= connectors <= MAX_CONNECTORS:
        raise BackofficeError(f"pile {code!r}: {connectors} connectors; 1 to {MAX_CONNECTORS} are allowed")


def _unassigned_pile(session: Session, code: str, protocol: str) -> models.Pile:
    station = session.scalars(select(models.Station).where(models.Station.key == models.UNASSIGNED_KEY)).one()
    model = session.scalars(select(models.PileModel).where(models.PileModel.key == UNKNOWN_MODEL_KEYS[protocol])).one()
    return models.Pile(code=code, station=station, model=model, protocol=protocol, commissioned_ms=0, is_test=False)


def _read(session: Session, pile_ids: Sequence[int] | None) -> list[Pile]:
    query = (
        select(models.Pile)
        .options(joinedload(models.Pile.model), selectinload(models.Pile.owners), selectinload(models.Pile.connectors))
        .order_by(models.Pile.pile_id)
        .execution_options(populate_existing=True)
    )
    if pile_ids is not None:
        query = query.where(models.Pile.pile_id.in_(pile_ids))
    piles = session.scalars(query).all()
    stations = _stations(session)
    operators = dict(session.execute(select(models.Operator.operator_id, models.Operator.key)).all())
    return [_pile(pile, *stations[pile.station_id], operators) for pile in piles]


def _stations(session: Session) -> dict[int, tuple[models.Station, tuple[TariffVersion, ...]]]:
    versions: dict[int, list[TariffVersion]] = {}
    for row in session.scalars(select(models.TariffVersion)):
        versions.setdefault(row.tariff_id, []).append(tariff_version(row))
    query = select(models.Station).options(selectinload(models.Station.tariffs))
    return {
        station.station_id: (
            station,
            effective_versions([(a.from_ms, versions.get(a.tariff_id, ())) for a in station.tariffs]),
        )
        for station in session.scalars(query)
    }


def _pile(
    row: models.Pile, station: models.Station, tariffs: tuple[TariffVersion, ...], operators: Mapping[int, str]
) -> Pile:
    return Pile(
        pile_id=row.pile_id,
        code=row.code,
        protocol=row.protocol,
        station_id=row.station_id,
        zone=station.zone,
        connectors=len(row.connectors),
        rated_power_w=row.model.rated_power_w,
        register_kind=row.model.register_kind,
        quantum_e4kwh=row.model.quantum_e4kwh,
        register_digits=row.model.register_digits,
        occupancy_grace_ms=station.occupancy_grace_ms,
        commissioned_ms=row.commissioned_ms,
        current_kind=row.model.current_kind,
        owners=tuple(
            Ownership(
                owner.operator_id,
                owner.from_ms,
                OPEN_END_MS if owner.to_ms is None else owner.to_ms,
                operators[owner.operator_id],
            )
            for owner in row.owners
        ),
        tariffs=tariffs,
        gun_letters=row.gun_letters,
        learns=tuple(row.model.learns),
        stops_offline=row.model.stops_offline,
        model=row.model.key,
        station=station.key,
    )
