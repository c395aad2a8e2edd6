"""The fleet of a master data file, as far as chargers themselves know of it: codes, ratings, zones, tariffs."""

import tomllib
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.piles import AAF5, DEFAULT_TARIFF, PILE_CODE_DIGITS, YKC, SimPile
from core.tariff_version import CLASS_NAMES, TariffVersion

CLASS_LETTERS: Final = "spfv"
QUANTUM_KWH: Final = {YKC: "0.0001", AAF5: "0.01"}
DEFAULT_ZONE: Final = "Asia/Shanghai"


def fleet_of(path: Path) -> tuple[SimPile, ...]:
    """All chargers of a master data file (TOML), in its order. Raises `FleetError` when it cannot be read so."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
        tariffs = {tariff["key"]: _versions(tariff) for tariff in data.get("tariffs", ())}
        models = {model["key"]: model for model in data["models"]}
        stations = {station["key"]: station for station in data["stations"]}
        return tuple(
            pile for group in data["piles"] for pile in _piles(group, models[group["model"]], stations, tariffs)
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise FleetError(f"{path}: no fleet can be read from it ({type(error).__name__}: {error})") from error


def some_of(fleet: tuple[SimPile, ...], piles: int) -> tuple[SimPile, ...]:
    """That many chargers, spread over the whole fleet. Raises `FleetError` when there are fewer."""
    if not 1 <= piles <= len(fleet):
        raise FleetError(f"{piles} chargers asked for; the file has {len(fleet)}")
    return tuple(fleet[i * len(fleet) // piles] for i in range(piles))


def _piles(
    group: dict[str, Any],
    model: dict[str, Any],
    stations: dict[str, dict[str, Any]],
    tariffs: dict[str, tuple[TariffVersion, ...]],
) -> list[SimPile]:
    protocol = model.get("protocol", YKC)
    station = stations[group["station"]]
    dated = sorted(station.get("tariffs", ()), key=lambda entry: entry["from"])
    return [
        SimPile(
            code=f"{int(group['first_code']) + i:0{PILE_CODE_DIGITS}d}",
            current_kind=model["current"],
            connectors=model["connectors"],
            rated_power_w=int(Decimal(str(model["rated_power_kw"])) * 1000),
            quantum_e4kwh=int(Decimal(model.get("quantum_kwh", QUANTUM_KWH[protocol])) * 10_000),
            zone=station.get("zone", DEFAULT_ZONE),
            vendor=model["vendor"],
            model=model["key"],
            station=station["key"],
            depot=station.get("profile") == "depot",
            # A charger that serves under several tariffs is rare; the simulation follows the last one.
            tariffs=tariffs[dated[-1]["tariff"]] if dated else (DEFAULT_TARIFF,),
            protocol=protocol,
            gun_letters=group.get("gun_letters", False),
        )
        for i in range(group.get("count", 1))
    ]


def _versions(tariff: dict[str, Any]) -> tuple[TariffVersion, ...]:
    versions = [
        TariffVersion(
            tariff_version_id=0,
            tariff_id=0,
            model_no=version["model_no"],
            from_ms=_ms(version["from"]),
            slot_classes=tuple(CLASS_LETTERS.index(sign) for sign in version["slots"].replace(" ", "")),
            electricity_price_e5yuan=_prices(version["electricity"]),
            service_price_e5yuan=_prices(version["service"]),
        )
        for version in tariff["versions"]
    ]
    return tuple(sorted(versions, key=lambda version: version.from_ms))


def _prices(written: dict[str, str]) -> tuple[int, int, int, int]:
    sharp, peak, flat, valley = (int(Decimal(written[name]) * 100_000) for name in CLASS_NAMES)
    return sharp, peak, flat, valley


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
