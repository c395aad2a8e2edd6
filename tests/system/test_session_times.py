"""Times that are hard or cannot be, as frames: 30 days, midnight, a new tariff, summer time, clocks years off."""

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from analytics.client import ClickHouseAddress
from core.aaf5.bcd_time import ms_to_bcd8
from core.ykc.cp56 import ms_to_cp56
from tests.system.charger_stories import HOUR, KWH, MINUTE, SECOND, ZONE, Aaf5Story, Line, YkcStory, at, rising
from tests.system.replayed import Replayed, replayed

pytestmark = pytest.mark.server

BERLIN: Final = "Europe/Berlin"
HALF_HOUR: Final = 30 * MINUTE
SLOTS: Final = "v" * 16 + "f" * 16 + "p" * 12 + "f" * 4
CLASSES: Final = {"p": "peak", "f": "flat", "v": "valley"}
NEW_TARIFF_MS: Final = at("2026-06-01 00:00:00")
OLD_YUAN: Final = {"p": "1.00000", "f": "0.60000", "v": "0.25000"}
NEW_YUAN: Final = {"p": "1.30000", "f": "0.75000", "v": "0.31250"}
SERVICE_YUAN: Final = "0.40000"
BASE: Final = 30_000 * KWH
YEAR: Final = 365 * 24 * HOUR


class Told(NamedTuple):
    """A charge at constant power as it truly was."""

    number: str
    start_ms: int
    end_ms: int
    energy_e4kwh: int
    zone: str


LINES: list[Line] = []
TOLD: dict[str, Told] = {}
PILES: dict[tuple[str, str], list[str]] = {}


def tell(
    case: str,
    start_ms: int,
    minutes: int,
    *,
    zone: str = ZONE,
    power_w: int = 60_000,
    every_s: int = 15,
    clock_off_ms: int = 0,
    charging: dict[str, Any] | None = None,
    record: dict[str, Any] | None = None,
) -> None:
    """Write a charge down, at a charger of its own; `charging` and `record` change what its frames say.

    The case begins with the protocol.
    """
    protocol = case.partition(" ")[0]
    codes = PILES.setdefault((protocol, zone), [])
    code = f"4401139{len(TOLD):07d}"
    codes.append(code)
    end_ms, energy = start_ms + minutes * MINUTE, power_w * minutes // 6
    number = f"{code}-1" if protocol == "aaf5" else f"{code}01260101000000{len(TOLD):04d}"
    told = TOLD[case] = Told(number, start_ms, end_ms, energy, zone)
    if protocol == "aaf5":
        aaf5 = Aaf5Story(code, zone=zone, clock_off_ms=clock_off_ms)
        aaf5.login(start_ms - 2 * MINUTE)
        aaf5.idle(start_ms - MINUTE, start_ms - 30 * SECOND, plugged=True, meter_now=BASE // 100)
        shown = rising(minutes * 60, power_w, base_e4kwh=BASE, every_s=every_s)
        aaf5.charge(number, start_ms, shown, before_e4kwh=BASE, **(charging or {}))
        values: dict[str, Any] = {"energy_e4kwh": energy, "before_e4kwh": BASE} | (record or {})
        aaf5.record(end_ms + 4 * SECOND, number, start_ms, end_ms, **values)
        aaf5.idle(end_ms + 10 * SECOND, end_ms + 3 * MINUTE, meter_now=(BASE + energy) // 100)
        LINES.extend(aaf5.lines)
        return
    ykc = YkcStory(code, zone=zone, clock_off_ms=clock_off_ms)
    ykc.login(start_ms - 2 * MINUTE)
    ykc.idle(start_ms - MINUTE, start_ms - 30 * SECOND, plugged=True)
    ykc.charge(number, start_ms, rising(minutes * 60, power_w, quantum_e4kwh=1, every_s=every_s))
    classes = by_class(told)
    values = {"energy_e4kwh": energy} | {f"{CLASSES[name]}_energy": classes[name] for name in CLASSES} | (record or {})
    ykc.record(end_ms + 4 * SECOND, number, start_ms, end_ms, **values)
    ykc.idle(end_ms + 10 * SECOND, end_ms + 3 * MINUTE)
    LINES.extend(ykc.lines)


def slots_of(told: Told) -> dict[int, int]:
    """Energy by the begin of the half-hour, the plain way."""
    slots, reached, edge = {}, 0, told.start_ms
    while edge < told.end_ms:
        begin = edge // HALF_HOUR * HALF_HOUR
        edge = min(begin + HALF_HOUR, told.end_ms)
        until = told.energy_e4kwh * (edge - told.start_ms) // (told.end_ms - told.start_ms)
        slots[begin], reached = until - reached, until
    return slots


def class_of(begin_ms: int, zone: str) -> str:
    """The rate class of a half-hour by the clock on the wall."""
    local = datetime.fromtimestamp(begin_ms / SECOND, ZoneInfo(zone))
    return SLOTS[local.hour * 2 + local.minute // 30]


def by_class(told: Told) -> Counter[str]:
    """Energy by rate class."""
    found: Counter[str] = Counter()
    for begin, energy in slots_of(told).items():
        found[class_of(begin, told.zone)] += energy
    return found


def price_fen(told: Told) -> int:
    """What the half-hours cost: each fee rounded half up to 1e-5 yuan, the total once to fen."""
    total = Decimal(0)
    for begin, energy in slots_of(told).items():
        prices = NEW_YUAN if begin >= NEW_TARIFF_MS else OLD_YUAN
        for price in (prices[class_of(begin, told.zone)], SERVICE_YUAN):
            total += (Decimal(energy) / KWH * Decimal(price)).quantize(Decimal("0.00001"), ROUND_HALF_UP)
    return int((total * 100).quantize(Decimal(1), ROUND_HALF_UP))


NOON: Final = at("2026-05-11 12:00:00")
for _protocol, _no_time in (("aaf5", bytes(8)), ("ykc", bytes(7))):
    tell(f"{_protocol} 30 days", at("2026-03-02 10:00:00"), 30 * 24 * 60, power_w=400, every_s=900)
    tell(f"{_protocol} over midnight", at("2026-05-11 23:20:00"), 80)
    tell(f"{_protocol} over a new tariff", at("2026-05-31 23:00:00"), 120)
    tell(f"{_protocol} into summer time", at("2026-03-29 01:30:00", BERLIN), 60, zone=BERLIN)
    tell(f"{_protocol} out of summer time", at("2026-10-25 01:30:00", BERLIN), 150, zone=BERLIN)
    tell(f"{_protocol} clock in 2099", NOON, 20, clock_off_ms=73 * YEAR)
    tell(f"{_protocol} no times", NOON, 20, charging={"start_time": _no_time},
         record={"start_time": _no_time, "end_time": _no_time})  # fmt: skip
    _hour_before = ms_to_bcd8(NOON - HOUR, ZONE) if _protocol == "aaf5" else ms_to_cp56(NOON - HOUR, ZONE)
    tell(f"{_protocol} record ends before it starts", NOON, 20, record={"end_time": _hour_before})
tell("aaf5 clock in 1999", NOON, 20, clock_off_ms=-27 * YEAR)
tell("ykc clock in 2000", NOON, 20, clock_off_ms=-26 * YEAR)
FAULTLESS: Final = [
    case
    for case in TOLD
    if case.endswith(("over midnight", "over a new tariff", "into summer time", "out of summer time"))
]
WRONG_TIMES: Final = [case for case in TOLD if TOLD[case].start_ms == NOON]
CASES: Final = {case: told.number for case, told in TOLD.items()}


def _version(number: int, since: str, yuan: dict[str, str]) -> str:
    electricity = ", ".join(f'{CLASSES[name]} = "{price}"' for name, price in yuan.items())
    service = ", ".join(f'{name} = "{SERVICE_YUAN}"' for name in ("sharp", *CLASSES.values()))
    return f"""
[[tariffs.versions]]
model_no = "{number:04d}"
from = {since}
slots = "{SLOTS}"
electricity = {{ sharp = "9", {electricity} }}
service = {{ {service} }}
"""


def _stations() -> str:
    text = ""
    for number, ((protocol, zone), codes) in enumerate(PILES.items()):
        text += f"""
[[stations]]
key = "station-{number}"
name = "站{number}"
operator = "times"
zone = "{zone}"
latitude = 23.0
longitude = 113.3
tariffs = [{{ tariff = "times", from = 2018-01-01T00:00:00+08:00 }}]
"""
        for code in codes:
            text += f'\n[[piles]]\nfirst_code = "{code}"\nstation = "station-{number}"\nmodel = "{protocol}-120"\n'
            text += "commissioned = 2018-01-01T00:00:00+08:00\n"
    return text


def _model(protocol: str, register: str, quantum: str) -> str:
    return f"""
[[models]]
key = "{protocol}-120"
vendor = "R"
protocol = "{protocol}"
current = "dc"
connectors = 1
rated_power_kw = 120
register = "{register}"
quantum_kwh = "{quantum}"
"""


MASTER_DATA: Final = (
    '[[operators]]\nkey = "times"\nname = "时间"\n\n[[tariffs]]\nkey = "times"\nname = "分时电价"\n'
    + _version(601, "2018-01-01T00:00:00+08:00", OLD_YUAN)
    + _version(602, "2026-06-01T00:00:00+08:00", NEW_YUAN)
    + _model("aaf5", "lifetime", "0.01")
    + _model("ykc", "session", "0.0001")
    + _stations()
)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, clickhouse: ClickHouseAddress) -> Iterator[Replayed]:
    """All of them in one capture."""
    with replayed(tmp_path_factory.mktemp("times"), clickhouse, LINES, MASTER_DATA) as here:
        yield here


def test_every_charge_has_one_bill(here: Replayed) -> None:
    assert here.table().bills == len(TOLD)


@pytest.mark.parametrize("case", FAULTLESS)
def test_a_charge_over_a_border_of_time_is_billed_to_the_fen(here: Replayed, case: str) -> None:
    told = TOLD[case]
    bill, money = here.bill(told.number), here.money(told.number)
    assert (bill["codes_raw"], bill["codes"], bill["held"], bill["quality"]) == ([], [], False, "VALID")
    assert money["final_energy_e4kwh"] == told.energy_e4kwh
    assert money["amount_fen"] == price_fen(told)
    classes = by_class(told)
    assert money["class_energy_e4kwh"] == [0, classes["p"], classes["f"], classes["v"]]
    session = here.session(told.number)
    assert dict(zip(session["slot_start_ms"], session["slot_energy_e4kwh"], strict=True)) == slots_of(told)
    assert bill["start"] == local(told.start_ms, told.zone)


@pytest.mark.parametrize("protocol", ["aaf5", "ykc"])
def test_a_charge_over_midnight_belongs_to_the_day_of_its_end(here: Replayed, protocol: str) -> None:
    assert here.session(CASES[f"{protocol} over midnight"])["local_day"] == date(2026, 5, 12)
    assert here.session(CASES[f"{protocol} out of summer time"])["local_day"] == date(2026, 10, 25)


@pytest.mark.parametrize("protocol", ["aaf5", "ykc"])
def test_the_doubled_hour_has_its_half_hours_twice(here: Replayed, protocol: str) -> None:
    """01:30 summer time to 03:00 winter time are two and a half hours; 02:00 to 03:00 comes twice."""
    session = here.session(CASES[f"{protocol} out of summer time"])
    assert session["slot_of_day"] == [3, 4, 5, 4, 5]
    spring = here.session(CASES[f"{protocol} into summer time"])
    assert spring["slot_of_day"] == [3, 6], "02:00 to 03:00 does not exist"


@pytest.mark.parametrize("protocol", ["aaf5", "ykc"])
def test_thirty_days_are_billed_whole_and_named(here: Replayed, protocol: str) -> None:
    told = TOLD[f"{protocol} 30 days"]
    bill, money = here.bill(told.number), here.money(told.number)
    assert money["final_energy_e4kwh"] == told.energy_e4kwh == 288 * KWH
    assert (bill["codes_raw"], bill["codes"], bill["held"]) == ([5], [5], False), "codes 5 and 9 alone hold nothing"
    assert len(money["slot_energy_e4kwh"]) == 30 * 48
    assert sum(money["slot_energy_e4kwh"]) == told.energy_e4kwh
    assert money["amount_fen"] == price_fen(told)


@pytest.mark.parametrize("case", WRONG_TIMES)
def test_a_clock_that_cannot_be_moves_no_energy_and_no_day(here: Replayed, case: str) -> None:
    told = TOLD[case]
    bill, session = here.bill(told.number), here.session(told.number)
    assert bill["final_energy_kwh"] == "20.0000"
    assert (3 in bill["codes_raw"], 3 in bill["codes"], bill["held"]) == (True, True, True)
    assert session["local_day"] == date(2026, 5, 11)
    assert abs(session["start_ms"] - told.start_ms) <= 15 * SECOND
    assert here.money(told.number)["amount_fen"] == price_fen(told)


def local(ms: int, zone: str) -> str:
    """As `pilestream bill` writes a moment."""
    return datetime.fromtimestamp(ms / SECOND, ZoneInfo(zone)).isoformat(timespec="seconds")
