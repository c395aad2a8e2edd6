"""Loads a master data file into the SQL database: what is new is added, what differs is changed, nothing is removed."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, selectinload

from backoffice import models
from backoffice.database import writing
from backoffice.errors import MasterFileError
from backoffice.master_entries import (
    MasterEntries,
    PileRange,
    StationEntry,
    VersionEntry,
    entry_name,
    epoch_ms,
    prices_e5yuan,
    read_master_file,
    slot_classes,
)
from backoffice.pile_codes import PLANNED_CODE_RULES, gun_of_letter

RESERVED_KEYS = {"operators": {models.UNASSIGNED_KEY}, "stations": {models.UNASSIGNED_KEY}, "tariffs": {"default"}}

Row = TypeVar("Row", bound=models.Base)


class Counts(msgspec.Struct, frozen=True):
    """How many records of each table a file added and changed; empty when it said nothing new."""

    added: dict[str, int]
    changed: dict[str, int]


def load_master_file(engine: Engine, path: Path) -> Counts:
    """Load a file, all of it or nothing; loading it again changes nothing.

    Records are matched by their natural keys (`key`, `model_no`, the code of a charger). A charger without `owners`
    belongs to the operator of its station from `commissioned`, unless the database knows owners of it already: who
    owned what in the past changes only by `owners`. A version of a tariff never changes.
    Raises `MasterFileError` naming the file, the entry, the key and what is allowed.
    """
    entries = read_master_file(path)
    try:
        with writing(engine) as session:
            return _Loading(session).load(entries)
    except ValueError as error:
        raise MasterFileError(f"{path}: {error}") from error


class _Loading:
    """One load: the session, and the records by their keys as they stand."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._added: Counter[str] = Counter()
        self._changed: Counter[str] = Counter()
        self._operators = _by(session, models.Operator, lambda row: row.key)
        self._tariffs = _by(session, models.Tariff, lambda row: row.key)
        self._versions = _by(session, models.TariffVersion, lambda row: row.model_no)
        self._models = _by(session, models.PileModel, lambda row: row.key)
        self._stations = _by(session, models.Station, lambda row: row.key)

    def load(self, entries: MasterEntries) -> Counts:
        """Bring everything in, in the order in which one thing names another."""
        self._load_operators(entries)
        self._load_tariffs(entries)
        self._load_models(entries)
        self._load_stations(entries)
        self._load_piles(entries)
        self._session.flush()
        return Counts(dict(self._added), dict(self._changed))

    def _load_operators(self, entries: MasterEntries) -> None:
        for where, entry in _each("operators", entries.operators):
            values = {"name": entry.name, "name_en": entry.name_en or entry.name, "settle_first": entry.settle_first}
            self._upsert(self._operators, models.Operator, "operators", entry.key, values, where)
        for where, entry in _each("operators", entries.operators):
            parent = _named(self._operators, entry.parent, "parent", where) if entry.parent is not None else None
            row = self._operators[entry.key]
            if parent is row or (parent is not None and parent.parent is row):
                raise ValueError(f"{where}: parent = {entry.parent!r}: an operator cannot stand below itself")
            if row.parent is not parent:
                row.parent = parent
                if row.operator_id is not None:
                    self._changed["operators"] += 1
        self._session.flush()

    def _load_tariffs(self, entries: MasterEntries) -> None:
        for where, entry in _each("tariffs", entries.tariffs):
            tariff = self._upsert(self._tariffs, models.Tariff, "tariffs", entry.key, {"name": entry.name}, where)
            for version in entry.versions:
                self._load_version(tariff, version, f"{where}, version {version.model_no!r}")
        self._session.flush()

    def _load_version(self, tariff: models.Tariff, entry: VersionEntry, where: str) -> None:
        values = {
            "from_ms": epoch_ms(entry.from_, "from"),
            "slot_classes": slot_classes(entry.slots),
            "electricity_price_e5yuan": prices_e5yuan(entry.electricity, "electricity"),
            "service_price_e5yuan": prices_e5yuan(entry.service, "service"),
        }
        known = self._versions.get(entry.model_no)
        if known is None:
            if any(other.from_ms == values["from_ms"] for other in tariff.versions):
                raise ValueError(f"{where}: from = {entry.from_.isoformat()}: another version begins at that moment")
            row = models.TariffVersion(model_no=entry.model_no, **values)
            tariff.versions.append(row)
            self._versions[entry.model_no] = row
            self._added["tariff_versions"] += 1
        elif known.tariff is not tariff:
            raise ValueError(f"{where}: model_no {entry.model_no!r} belongs to tariff {known.tariff.key!r}")
        else:
            changed = sorted(name for name, value in values.items() if getattr(known, name) != value)
            if changed:
                raise ValueError(
                    f"{where}: {', '.join(changed)} would change, and chargers may hold this version; "
                    "make a new version with a model_no of its own"
                )

    def _load_models(self, entries: MasterEntries) -> None:
        for where, entry in _each("models", entries.models):
            values = {
                "vendor": entry.vendor,
                "name": entry.name or entry.key,
                "protocol": entry.protocol,
                "current_kind": entry.current,
                "connectors": entry.connectors,
                "rated_power_w": entry.rated_power_w,
                "register_kind": entry.register_kind,
                "quantum_e4kwh": entry.quantum_e4kwh,
                "register_digits": entry.known_digits,
                "learns": entry.learns,
                "stops_offline": entry.stops_offline,
            }
            self._upsert(self._models, models.PileModel, "models", entry.key, values, where)
        self._session.flush()

    def _load_stations(self, entries: MasterEntries) -> None:
        for where, entry in _each("stations", entries.stations):
            values = {
                "operator_id": _named(self._operators, entry.operator, "operator", where).operator_id,
                "name": entry.name,
                "name_en": entry.name_en or entry.name,
                "aliases": entry.aliases,
                "zone": entry.zone,
                "latitude": float(entry.latitude),
                "longitude": float(entry.longitude),
                "profile": entry.profile,
                "occupancy_grace_ms": entry.occupancy_grace_ms,
            }
            row = self._upsert(self._stations, models.Station, "stations", entry.key, values, where)
            self._assign_tariffs(row, entry, where)
        self._session.flush()

    def _assign_tariffs(self, station: models.Station, entry: StationEntry, where: str) -> None:
        wanted = [
            (epoch_ms(item.from_, "from"), _named(self._tariffs, item.tariff, "tariffs.tariff", where).tariff_id)
            for item in entry.tariffs
        ]
        present = [(item.from_ms, item.tariff_id) for item in station.tariffs]
        if present == wanted:
            return
        if present:
            self._changed["station_tariffs"] += 1
            station.tariffs.clear()
            self._session.flush()
        else:
            self._added["station_tariffs"] += len(wanted)
        station.tariffs.extend(models.StationTariff(from_ms=ms, tariff_id=tariff_id) for ms, tariff_id in wanted)

    def _load_piles(self, entries: MasterEntries) -> None:
        seen: dict[str, str] = {}
        present = self._present_piles()
        for where, entry in _each("piles", entries.piles):
            station = _named(self._stations, entry.station, "station", where)
            model = _named(self._models, entry.model, "model", where)
            owners = self._owners(entry, station, where)
            if entry.gun_letters and model.protocol != "aaf5":
                raise ValueError(
                    f"{where}: gun_letters: only chargers of protocol aaf5 have them, not {model.protocol}"
                )
            rule = PLANNED_CODE_RULES[model.protocol]
            for code in entry.codes():
                if not rule.fits(code, entry.gun_letters):
                    raise ValueError(
                        f"{where}: charger {code!r}: the code of a {model.protocol} charger has {rule.meaning}"
                    )
                if code in seen:
                    raise ValueError(f"{where}: charger {code} stands in {seen[code]} as well")
                seen[code] = where
                self._load_pile(present.get(code), code, entry, station, model, owners)
        self._session.flush()
        self._refuse_ambiguous_letters()

    def _refuse_ambiguous_letters(self) -> None:
        """A charger whose code is that of another with a gun letter could not be told from that gun."""
        piles = self._present_piles()
        for code, pile in piles.items():
            whole = piles.get(code[:-1])
            if (
                whole is not None
                and whole.gun_letters
                and gun_of_letter(code[-1]) in range(1, len(whole.connectors) + 1)
            ):
                raise ValueError(
                    f"charger {pile.code!r} cannot be told from gun {code[-1]} of {whole.code!r}, which has gun_letters"
                )

    def _present_piles(self) -> dict[str, models.Pile]:
        query = select(models.Pile).options(
            selectinload(models.Pile.connectors), selectinload(models.Pile.owners), selectinload(models.Pile.model)
        )
        return {pile.code: pile for pile in self._session.scalars(query)}

    def _owners(self, entry: PileRange, station: models.Station, where: str) -> list[tuple[int, int | None, int]]:
        """(from_ms, to_ms, operator_id) of each owner of a range."""
        if not entry.owners:
            return [(epoch_ms(entry.commissioned, "commissioned"), None, station.operator_id)]
        starts = [epoch_ms(owner.from_, "owners.from") for owner in entry.owners]
        operators = [_named(self._operators, owner.operator, "owners.operator", where) for owner in entry.owners]
        return [
            (begins, ends, operator.operator_id)
            for (begins, ends), operator in zip(pairwise([*starts, None]), operators, strict=True)
            if begins is not None
        ]

    def _load_pile(
        self,
        pile: models.Pile | None,
        code: str,
        entry: PileRange,
        station: models.Station,
        model: models.PileModel,
        owners: list[tuple[int, int | None, int]],
    ) -> None:
        values = {
            "station_id": station.station_id,
            "pile_model_id": model.pile_model_id,
            "protocol": model.protocol,
            "commissioned_ms": epoch_ms(entry.commissioned, "commissioned"),
            "is_test": entry.is_test,
            "gun_letters": entry.gun_letters,
        }
        if pile is None:
            pile = models.Pile(code=code, **values)
            self._session.add(pile)
            self._added["piles"] += 1
            changed = False
        else:
            changed = _assign(pile, values)
        is_new = pile.pile_id is None
        changed |= _set_connectors(pile, model)
        present = [(owner.from_ms, owner.to_ms, owner.operator_id) for owner in pile.owners]
        if present != owners and (entry.owners or not present):
            if present:
                pile.owners.clear()
                self._session.flush()
            pile.owners.extend(
                models.PileOwnership(from_ms=begins, to_ms=ends, operator_id=operator_id)
                for begins, ends, operator_id in owners
            )
            changed = True
        if changed and not is_new:
            self._changed["piles"] += 1

    def _upsert(
        self, known: dict[str, Row], kind: type[Row], table: str, key: str, values: Mapping[str, Any], where: str
    ) -> Row:
        if key in RESERVED_KEYS.get(table, ()):
            raise ValueError(f"{where}: key {key!r} is reserved by the program")
        row = known.get(key)
        if row is None:
            row = known[key] = kind(key=key, **values)
            self._session.add(row)
            self._added[table] += 1
        elif _assign(row, values):
            self._changed[table] += 1
        return row


def _assign(row: models.Base, values: Mapping[str, Any]) -> bool:
    """Set what differs; gives whether anything did."""
    differing = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in differing.items():
        setattr(row, name, value)
    return bool(differing)


def _set_connectors(pile: models.Pile, model: models.PileModel) -> bool:
    """Connectors 1 to the model's number, with its power. One that facts may name already is never taken away."""
    changed = False
    for connector in pile.connectors:
        changed |= _assign(connector, {"rated_power_w": model.rated_power_w})
    for number in range(len(pile.connectors) + 1, model.connectors + 1):
        pile.connectors.append(models.Connector(number=number, rated_power_w=model.rated_power_w))
        changed = True
    return changed


def _each(table: str, items: Iterable[Any]) -> Iterable[tuple[str, Any]]:
    """Each entry with what messages call it; the same key twice is refused."""
    seen: set[str] = set()
    for number, entry in enumerate(items, start=1):
        where = entry_name(table, number, entry)
        key = getattr(entry, "key", None)
        if key is not None and key in seen:
            raise ValueError(f"{where}: this key stands in the file twice")
        seen.add(key or "")
        yield where, entry


def _named(known: Mapping[str, Row], key: str, field: str, where: str) -> Row:
    if key not in known:
        raise ValueError(f"{where}: {field} = {key!r} is not known; known are {', '.join(sorted(known))}")
    return known[key]


def _by(session: Session, kind: type[Row], key: Callable[[Row], str]) -> dict[str, Row]:
    return {key(row): row for row in session.scalars(select(kind))}
