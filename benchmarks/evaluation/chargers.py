"""The chargers of an evaluation: every kind of register, quantum, rating and protocol, in equal parts."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from typing import Final, Literal
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from benchmarks.fleet.piles import AAF5, YKC, SimPile
from core.tariff_version import TariffVersion

ZONE: Final = "Asia/Shanghai"
STATION: Final = "evaluation"
CHARGES_EACH: Final = 10
KWH_E4: Final = 10_000
FIRST_CODE: Final = 44_019_900_000_000
CODES_OF_A_MODEL: Final = 1_000_000
POWER_GAIN_E4: Final = 200
CLOCK_PLAY_MS: Final = 3_000
CHANGE_DAY: Final = datetime(2025, 7, 1, tzinfo=ZoneInfo(ZONE))

EVERYTHING: Final = ("quantum", "rated_power", "register", "digits")

RegisterKind = Literal["session", "lifetime", "boot"]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A make of chargers with one connector.

    `register`, `quantum_e4kwh`: its meter; `wraps_at_digits`: where that rolls over, 0 = never. `learns`: which of
    quantum, rated_power, register and digits its operator left out of the master data. `period_ms`: of its readings
    while charging. `final_reading`: it tells the register once more when the charge stops. `counts_record`: the energy
    of its record is counted apart from the meter, to the wire's last digit; else it is the difference of two registers.
    `counts_energy` (AAF5): so is the energy of its status. `counter_by_register` (YKC): its session counter is the
    difference of two whole registers. `serial`, `gun_letters` (AAF5): as in `benchmarks.fleet.traits`.
    """

    key: str
    vendor: str
    protocol: Literal["ykc", "aaf5"]
    current: Literal["dc", "ac"]
    rated_kw: int
    register: RegisterKind
    quantum_e4kwh: int
    wraps_at_digits: int = 0
    learns: tuple[str, ...] = ()
    period_ms: int = 15_000
    final_reading: bool = True
    counts_record: bool = True
    counts_energy: bool = False
    counter_by_register: bool = False
    serial: bool = True
    gun_letters: bool = False

    @property
    def rated_power_w(self) -> int:
        """Watts of its connector."""
        return self.rated_kw * 1_000

    @property
    def wire_e4kwh(self) -> int:
        """The smallest energy that its protocol can tell."""
        return 100 if self.protocol == AAF5 else 1


def _ykc(key: str, current: Literal["dc", "ac"], rated_kw: int, quantum: int, **more: object) -> Model:
    kind = {"register": "session", **more}
    return Model(
        key=key,
        vendor=key[0],
        protocol=YKC,
        current=current,
        rated_kw=rated_kw,
        quantum_e4kwh=quantum,
        **kind,  # type: ignore[arg-type]
    )


def _aaf5(key: str, current: Literal["dc", "ac"], rated_kw: int, quantum: int, **more: object) -> Model:
    kind = {"register": "lifetime", **more}
    return Model(
        key=key,
        vendor=key[0],
        protocol=AAF5,
        current=current,
        rated_kw=rated_kw,
        quantum_e4kwh=quantum,
        **kind,  # type: ignore[arg-type]
    )


MODELS: Final = (
    _ykc("R-120", "dc", 120, 1),
    _ykc("S-60", "dc", 60, 100, counts_record=False),
    _ykc("T-180", "dc", 180, 1_000, period_ms=30_000),
    _ykc("U-360", "dc", 360, KWH_E4, final_reading=False),
    _ykc("U-90", "dc", 90, KWH_E4, counter_by_register=True, counts_record=False),
    _ykc("V-7", "ac", 7, 100, final_reading=False, period_ms=30_000),
    _ykc("V-22", "ac", 22, KWH_E4, counter_by_register=True, period_ms=30_000),
    _ykc("V-44", "ac", 44, 1_000, period_ms=30_000),
    _ykc("B-120", "dc", 120, 100, register="boot"),
    _aaf5("W-120", "dc", 120, 100, counts_record=False, wraps_at_digits=6),
    _aaf5("W-30", "dc", 30, 100, wraps_at_digits=5, serial=False, learns=("digits",)),
    _aaf5("X-60", "dc", 60, KWH_E4, wraps_at_digits=6, serial=False, gun_letters=True),
    _aaf5("X-240", "dc", 240, KWH_E4, counts_record=False, wraps_at_digits=6, period_ms=30_000),
    _aaf5("Y-180", "dc", 180, 1_000, counts_energy=True, wraps_at_digits=6, learns=("digits",)),
    _aaf5("Y-360", "dc", 360, 100, counts_energy=True, wraps_at_digits=5, serial=False),
    _aaf5("Z-7", "ac", 7, 100, wraps_at_digits=6, period_ms=30_000),
    _aaf5("Z-22", "ac", 22, KWH_E4, wraps_at_digits=5, period_ms=30_000),
    _aaf5("Q-150", "dc", 150, 100, register="boot"),
    _aaf5("P-80", "dc", 80, 100, register="session", counts_energy=True),
    _ykc("G-100", "dc", 100, 100, learns=EVERYTHING),
    _ykc("G-50", "dc", 50, KWH_E4, counter_by_register=True, counts_record=False, learns=EVERYTHING),
    _aaf5("H-60", "dc", 60, KWH_E4, wraps_at_digits=6, learns=EVERYTHING),
)


class Charger(msgspec.Struct, frozen=True, dict=True):
    """One charger. `power_gain_e4`: how much its voltage and current measure too high, 1e-4.

    `clock_error_ms`: how far its clock is ahead. `charges`: how many it has in this evaluation.
    """

    number: int
    model: Model
    power_gain_e4: int
    clock_error_ms: int
    charges: int

    @cached_property
    def pile(self) -> SimPile:
        """The charger as the encoders of frames know it."""
        model = self.model
        return SimPile(
            code=charger_code(self.number),
            current_kind=model.current,
            connectors=1,
            rated_power_w=model.rated_power_w,
            quantum_e4kwh=model.quantum_e4kwh,
            zone=ZONE,
            vendor=model.vendor,
            model=model.key,
            station=STATION,
            tariffs=TARIFFS,
            protocol=model.protocol,
            gun_letters=model.gun_letters,
        )


def charger_code(number: int) -> str:
    """The id on the wire: chargers of one model have consecutive ones."""
    return f"{FIRST_CODE + number % len(MODELS) * CODES_OF_A_MODEL + number // len(MODELS):014d}"


def charger(seed: int, number: int, charges: int = CHARGES_EACH) -> tuple[Charger, np.random.Generator]:
    """The charger of that number, and the generator from which all of its charges are drawn."""
    random = np.random.default_rng((seed, number))
    drawn = Charger(
        number=number,
        model=MODELS[number % len(MODELS)],
        power_gain_e4=int(random.integers(-POWER_GAIN_E4, POWER_GAIN_E4 + 1)),
        clock_error_ms=int(random.integers(-CLOCK_PLAY_MS, CLOCK_PLAY_MS + 1)),
        charges=charges,
    )
    return drawn, random


def shares(sessions: int) -> Iterator[tuple[int, int]]:
    """The numbers of the chargers for so many sessions, each with how many of them it has."""
    for number in range(-(-sessions // CHARGES_EACH)):
        yield number, min(CHARGES_EACH, sessions - number * CHARGES_EACH)


def _version(model_no: str, from_ms: int, slots: str, electricity: tuple[int, ...], service: int) -> TariffVersion:
    sharp, peak, flat, valley = electricity
    return TariffVersion(
        tariff_version_id=0,
        tariff_id=0,
        model_no=model_no,
        from_ms=from_ms,
        slot_classes=tuple("spfv".index(letter) for letter in slots.replace(" ", "")),
        electricity_price_e5yuan=(sharp, peak, flat, valley),
        service_price_e5yuan=(service, service, service, service),
    )


TARIFFS: Final = (
    _version(
        "9901",
        round(datetime(2024, 1, 1, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1_000,
        "vvvvvvvv vvvvvvvv ffffpppp ppppffff pppppppp ppffffff",
        (124_300, 103_500, 62_400, 25_600),
        60_000,
    ),
    _version(
        "9902",
        round(CHANGE_DAY.timestamp()) * 1_000,
        "vvvvvvvv vvvvvvvv ffffppss sspfffpp sspppppp ffffffff",
        (131_250, 105_500, 63_900, 24_875),
        55_000,
    ),
)


def master_data(models: Iterable[Model], counts: dict[str, int]) -> str:
    """The master data file (TOML) of the operator of these chargers; `counts` has the number of each model."""
    parts = [
        '[[operators]]\nkey = "evaluation"\nname = "Evaluation"\n',
        '[[tariffs]]\nkey = "evaluation"\nname = "Evaluation"\n',
    ]
    for version in TARIFFS:
        prices = {
            "electricity": version.electricity_price_e5yuan,
            "service": version.service_price_e5yuan,
        }
        told = "\n".join(f"{name} = {_prices(values)}" for name, values in prices.items())
        slots = "".join("spfv"[number] for number in version.slot_classes)
        moment = datetime.fromtimestamp(version.from_ms / 1_000, ZoneInfo(ZONE)).isoformat()
        parts.append(
            f'[[tariffs.versions]]\nmodel_no = "{version.model_no}"\nfrom = {moment}\nslots = "{slots}"\n{told}\n'
        )
    parts.append(
        f'[[stations]]\nkey = "{STATION}"\nname = "Evaluation"\noperator = "evaluation"\nzone = "{ZONE}"\n'
        "latitude = 23.1\nlongitude = 113.3\noccupancy_grace_minutes = 30\n"
        'tariffs = [{ tariff = "evaluation", from = 2024-01-01T00:00:00+08:00 }]\n'
    )
    for place, model in enumerate(models):
        if not counts.get(model.key):
            continue
        values = {
            "rated_power": f"rated_power_kw = {model.rated_kw}",
            "register": f'register = "{model.register}"',
            "quantum": f'quantum_kwh = "{model.quantum_e4kwh / KWH_E4:.4f}"',
            "digits": f"register_digits = {model.wraps_at_digits}",
        }
        parts.append(
            f'[[models]]\nkey = "{model.key}"\nvendor = "{model.vendor}"\nprotocol = "{model.protocol}"\n'
            f'current = "{model.current}"\nconnectors = 1\n'
            + "".join(f"{line}\n" for name, line in values.items() if name not in model.learns)
        )
        parts.append(
            f'[[piles]]\nfirst_code = "{charger_code(place)}"\ncount = {counts[model.key]}\nstation = "{STATION}"\n'
            f'model = "{model.key}"\ncommissioned = 2024-01-01T00:00:00+08:00\n'
            f"gun_letters = {str(model.gun_letters).lower()}\n"
        )
    return "\n".join(parts)


def _prices(values: Iterable[int]) -> str:
    named = zip(("sharp", "peak", "flat", "valley"), values, strict=True)
    return "{ " + ", ".join(f'{name} = "{value / 100_000:.5f}"' for name, value in named) + " }"
