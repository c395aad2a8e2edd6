"""The chargers of the log's eleven months: makers, firmwares and what each does wrong, and their master data."""

from typing import Final

import msgspec

from benchmarks.historic.errors import HistoricError

GUNS: Final = 2
BILLS_PER_CONNECTOR: Final = 1_400
"""Of the log's period: 4.3 a day."""
FEWEST_CHARGERS: Final = 6
ZONE: Final = "Asia/Shanghai"
ZONE_OFFSET_MS: Final = 8 * 3_600_000
YKC_CODE: Final = 44_011_300_000_001
AAF5_CODE: Final = 44_011_300_040_000_300_001
WHOLE_KWH_CODE: Final = 44_011_300_040_000_900_001
PRICE_E5YUAN: Final = 120_000
"""Electricity and service, at any hour: the log's bills came out near 1.90 yuan/kWh; money decides no code."""


class Firmware(msgspec.Struct, frozen=True):
    """A version that some chargers of a make run. `weight`: how likely a bill of it is to be abnormal."""

    version: str
    weight: int


class Make(msgspec.Struct, frozen=True):
    """A maker's charger and its ways.

    `tells_start`: its 104 says where the register stood at the begin (`meter_before`), else that stays 0 and the
    charger counts the charge by itself. `serial`: its frames carry session numbers of 32 characters. `counts_seconds`:
    the duration on its record is counted, else taken from its clock. `power_w`: from, to.
    """

    key: str
    vendor: str
    protocol: str
    current: str
    rated_power_w: int
    power_w: tuple[int, int]
    firmwares: tuple[Firmware, ...]
    tells_start: bool = True
    serial: bool = True
    counts_seconds: bool = True


MAKES: Final = (
    Make(
        *("HX-150", "Hengxin", "aaf5", "dc", 150_000, (60_000, 125_000)),
        (Firmware("2.6.7.1", 6), Firmware("2.7.1.0", 2)),
    ),
    Make(
        *("NY-120", "Nanyuan", "aaf5", "dc", 120_000, (45_000, 100_000)),
        (Firmware("3.4.7.0", 5), Firmware("3.5.0.2", 1)),
        tells_start=False,
    ),
    Make(
        *("DK-60", "Dakai", "aaf5", "dc", 60_000, (25_000, 52_000)),
        (Firmware("1.9.0.4", 3),),
        serial=False,
        counts_seconds=False,
    ),
    Make(
        *("LT-120", "Litong", "ykc", "dc", 120_000, (45_000, 100_000)),
        (Firmware("V2.1.4", 3), Firmware("V2.2.0", 1)),
    ),
    Make(
        *("HX-80", "Hengxin", "aaf5", "dc", 80_000, (35_000, 68_000)),
        (Firmware("2.6.8.0", 5),),
    ),
    Make(
        *("SG-22", "Shengguang", "ykc", "ac", 22_000, (16_000, 21_000)),
        (Firmware("V1.1.2", 1),),
    ),
)
"""One charger of six is of each make. The makers are invented."""
WHOLE_KWH_MAKE: Final = Make(
    *("ZB-60", "Zhongbei", "aaf5", "dc", 60_000, (25_000, 52_000)),
    (Firmware("1.2.0.0", 1),),
)


class Charger(msgspec.Struct, frozen=True):
    """One charger: its place in the fleet and what it is."""

    number: int
    code: str
    make: Make
    firmware: Firmware
    whole_kwh: bool = False

    @property
    def protocol(self) -> str:
        """ykc or aaf5."""
        return self.make.protocol

    @property
    def quantum_e2kwh(self) -> int:
        """The step of its meters in 0.01 kWh."""
        return 100 if self.whole_kwh else 1


def fleet_for(bills: int, whole_kwh_bills: int) -> tuple[Charger, ...]:
    """As many chargers as the bills need, those with whole-kWh meters last. Raises `HistoricError` for no bill."""
    if bills < 1:
        raise HistoricError("a historic fleet needs a bill at least")
    usual = [_charger(number, MAKES[number % len(MAKES)]) for number in range(_count(bills))]
    first = len(usual)
    count = _count(whole_kwh_bills) if whole_kwh_bills else 0
    return (*usual, *(_whole_kwh_charger(first + i, WHOLE_KWH_CODE + i) for i in range(count)))


def master_file_text(chargers: tuple[Charger, ...]) -> str:
    """The chargers as a master data file: a public station, where a vehicle may stay plugged for 30 minutes."""
    models = {charger.make.key: charger for charger in chargers}
    return "\n".join((_HEAD, *map(_model, models.values()), *map(_pile, chargers)))


def _count(bills: int) -> int:
    """An even number, so that chargers come in twos."""
    chargers = max(FEWEST_CHARGERS, -(-bills // (GUNS * BILLS_PER_CONNECTOR)))
    return chargers + chargers % 2


def _charger(number: int, make: Make) -> Charger:
    first = YKC_CODE if make.protocol == "ykc" else AAF5_CODE
    firmware = make.firmwares[number // len(MAKES) % len(make.firmwares)]
    return Charger(number, str(first + number), make, firmware)


def _whole_kwh_charger(number: int, code: int) -> Charger:
    return Charger(number, str(code), WHOLE_KWH_MAKE, WHOLE_KWH_MAKE.firmwares[0], whole_kwh=True)


def _model(charger: Charger) -> str:
    make = charger.make
    kind = "session" if make.protocol == "ykc" else "lifetime"
    quantum = "1" if charger.whole_kwh else "0.01"
    return (
        f'[[models]]\nkey = "{make.key}"\nvendor = "{make.vendor}"\nname = "{make.key}"\nprotocol = "{make.protocol}"\n'
        f'current = "{make.current}"\nconnectors = {GUNS}\nrated_power_kw = {make.rated_power_w // 1000}\n'
        f'register = "{kind}"\nquantum_kwh = "{quantum}"\nregister_digits = 0\n'
    )


def _pile(charger: Charger) -> str:
    return (
        f'[[piles]]\nfirst_code = "{charger.code}"\nstation = "depot-1"\nmodel = "{charger.make.key}"\n'
        f"commissioned = 2018-06-01T00:00:00+08:00\n"
    )


_PRICES: Final = '{ sharp = "0.80", peak = "0.80", flat = "0.80", valley = "0.80" }'
_FEES: Final = '{ sharp = "0.40", peak = "0.40", flat = "0.40", valley = "0.40" }'
_HEAD: Final = f"""
[[operators]]
key = "buses"
name = "公交"
name_en = "Buses"

[[tariffs]]
key = "flat"
name = "平价"
[[tariffs.versions]]
model_no = "0001"
from = 2018-01-01T00:00:00+08:00
slots = "{"f" * 48}"
electricity = {_PRICES}
service = {_FEES}

[[stations]]
key = "depot-1"
name = "首末站充电站"
name_en = "Terminal"
operator = "buses"
latitude = 23.1
longitude = 113.3
profile = "public"
occupancy_grace_minutes = 30
tariffs = [{{ tariff = "flat", from = 2018-01-01T00:00:00+08:00 }}]
"""
