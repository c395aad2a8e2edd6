"""The metering incidents of the requirements as captures: what the chargers sent, and the master data they stand in.

G1 to G6 are the golden cases of the requirements, C… the cases of the support log behind them. Where the log names no
charger, one is made up; figures that the log gives are exact.
"""

from typing import Any, Final

from tests.system.charger_stories import (
    FINISHED,
    KWH,
    MINUTE,
    SECOND,
    Aaf5Story,
    Line,
    Shown,
    at,
    rising,
)


def _numbers(text: str) -> tuple[str, ...]:
    return tuple(text.split())


G1_TRADE_NO: Final = "20191024144331381526"
G1_PILE: Final = "44011300040000200071"
G1_START_MS: Final = at("2019-10-24 14:43:31")
G1_LAST_HEARD_MS: Final = at("2019-10-24 15:10:28")
G1_BACK_MS: Final = at("2019-10-24 15:17:30")
STATUS_8: Final = 8
"""The state of a charge that broke off, as the charger of C5a reported it after the silence."""

G2_TRADE_NO: Final = "20191112001934329341"
G2_PILE: Final = "44011300040000200061"

G3_TRADE_NOS: Final = _numbers(
    """
    20200113131916994301 20200113130454355822 20200113130336691650 20200113130240664036 20200113125312202217
    20200113125311761057 20200113125203914204 20200113124854037470 20200113124637079267 20200113124544419307
    20200113123331114379 20200113123029340160 20200113122916302241 20200113122040542106 20200113120748494182
    20200113120300119547 20200113115846103652 20200113115828334527 20200113114219467743 20200113113813352135
    """
)
G3_PILES: Final = _numbers(
    """
    44011300040000200055 44011300040000250003 44011300040000240001 44011300040000210006 44011300040000200085
    44011300040000200054 44011300040000210005 44011300040000200083 44011300040000240002 44011300040000200053
    44011300040000200093
    """
)

G4_TRADE_NOS: Final = _numbers(
    """
    20191108112557047049 20191109045929266559 20191112002225771301 20191116000001501830 20191125001902046919
    20191127001635518809 20191106044333115970 20191109000104273153
    """
)
G5_TRADE_NOS: Final = (
    *("20191027034932615917", "20191027142506967167", "20191027140716525520", "20191024124035938813"),
    G1_TRADE_NO,
)
LOST_PILES: Final = tuple(f"440113000400002002{number:02d}" for number in range(12))

HUGE_JUMP, HUGE_SPIKE, HUGE_BASELINE, HUGE_RECORD, HUGE_END = HUGE_TRADE_NOS = tuple(
    f"2019112008{number}00000100" for number in range(10, 15)
)
HUGE_PILES: Final = tuple(f"440113000400002003{number:02d}" for number in range(5))
RS485_TRADE_NOS: Final = {20: "20191105093000004851", 5: "20191105093000004852", 3: "20191105093000004853"}
"""By how many readings there are to one that is lost."""
RS485_PILES: Final = tuple(f"440113000400002004{number:02d}" for number in range(len(RS485_TRADE_NOS)))
PEAK_POWER_KW: Final = 120

MASTER_DATA: Final = f"""
[[operators]]
key = "bus"
name = "公交充电"

[[tariffs]]
key = "one-price"
name = "统一电价"

[[tariffs.versions]]
model_no = "0301"
from = 2018-01-01T00:00:00+08:00
slots = "{"f" * 48}"
electricity = {{ sharp = "1.2", peak = "1.2", flat = "1.2", valley = "1.2" }}
service = {{ sharp = "0.7", peak = "0.7", flat = "0.7", valley = "0.7" }}

[[tariffs]]
key = "four-classes"
name = "峰平谷电价"

[[tariffs.versions]]
model_no = "0302"
from = 2018-01-01T00:00:00+08:00
slots = "{"v" * 16}{"f" * 4}{"p" * 4}{"s" * 4}{"f" * 8}{"p" * 8}{"f" * 4}"
electricity = {{ sharp = "1.2", peak = "1.0", flat = "0.6", valley = "0.25" }}
service = {{ sharp = "0.4", peak = "0.4", flat = "0.4", valley = "0.4" }}

[[models]]
key = "R-120"
vendor = "R"
protocol = "aaf5"
current = "dc"
connectors = 1
rated_power_kw = {PEAK_POWER_KW}
register = "lifetime"
quantum_kwh = "0.01"
register_digits = 6
"""


def station_data(key: str, name: str, tariff: str, piles: tuple[str, ...]) -> str:
    """A station of the operator with these chargers of model R-120."""
    station = f"""
[[stations]]
key = "{key}"
name = "{name}"
operator = "bus"
latitude = 22.9
longitude = 113.4
tariffs = [{{ tariff = "{tariff}", from = 2018-01-01T00:00:00+08:00 }}]
"""
    return station + "".join(
        f'\n[[piles]]\nfirst_code = "{pile}"\nstation = "{key}"\nmodel = "R-120"\n'
        "commissioned = 2018-06-01T00:00:00+08:00\n"
        for pile in piles
    )


def master_data() -> str:
    """The master data file of all incidents."""
    return (
        MASTER_DATA
        + station_data("qiaonan", "桥南公交站", "one-price", (G1_PILE,))
        + station_data(
            "dagang", "大岗公交车站", "four-classes", (G2_PILE, *G3_PILES, *LOST_PILES, *HUGE_PILES, *RS485_PILES)
        )
    )


def created_at(number: str) -> int:
    """When the order of a 20-digit number was created: its first 14 digits (requirement A05)."""
    date, time = number[:8], number[8:14]
    return at(f"{date[:4]}-{date[4:6]}-{date[6:]} {time[:2]}:{time[2:4]}:{time[4:]}")


def g1_lines(pile: str = G1_PILE, number: str = G1_TRADE_NO, *, zero_s: int = 0) -> list[Line]:
    """C5a: a register of 0 before the start, 92.27 to 128.63 kWh, 422 s of silence, a broken charge, and no bill.

    `zero_s`: for so long the register stays 0 in the charge; nothing flows until then.
    """
    gun = Aaf5Story(pile)
    gun.login(G1_START_MS - 10 * MINUTE)
    gun.idle(G1_START_MS - 9 * MINUTE, G1_START_MS - 2 * MINUTE)
    gun.idle(G1_START_MS - 2 * MINUTE, G1_START_MS, plugged=True)
    gun.order(G1_START_MS, number)
    seconds = (G1_LAST_HEARD_MS - G1_START_MS) // SECOND
    power_w = 36_360 * 3_600 // (seconds - zero_s)
    shown = [Shown(moment, 0, power_w=0, late_ms=400) for moment in range(0, zero_s, 15)]
    for moment in [*range(zero_s, seconds, 15), seconds]:
        register = 922_700 + 363_600 * (moment - zero_s) // (seconds - zero_s)
        shown.append(Shown(moment, register, power_w, late_ms=400))
    gun.charge(number, G1_START_MS, shown)
    gun.login(G1_BACK_MS - 2 * SECOND)
    gun.idle(G1_BACK_MS, G1_BACK_MS + 30 * SECOND, state=STATUS_8, plugged=True)
    gun.idle(G1_BACK_MS + 30 * SECOND, G1_BACK_MS + 60 * MINUTE)
    return gun.lines


def g2_lines() -> list[Line]:
    """C6a: three and a half hours over an RS-485 that loses frames, the last one too; the record is right."""
    gun = Aaf5Story(G2_PILE)
    start_ms, end_ms = at("2019-11-12 00:23:38"), at("2019-11-12 03:50:36")
    before = 23_456_78 * 100
    gun.login(start_ms - 30 * MINUTE)
    gun.order(at("2019-11-12 00:19:34"), G2_TRADE_NO)
    true = rising((end_ms - start_ms) // SECOND, 42_000, base_e4kwh=before)
    lost = [i % 19 == 7 or i % 53 in (20, 21) for i in range(len(true))]
    shown = [one._replace(register_e4kwh=0) if gone else one for one, gone in zip(true, lost, strict=True)]
    shown[-1] = shown[-1]._replace(register_e4kwh=0)
    gun.charge(G2_TRADE_NO, start_ms, shown, before_e4kwh=before)
    energy = true[-1].register_e4kwh - before
    gun.idle(end_ms + 15 * SECOND, end_ms + 5 * MINUTE, state=FINISHED, plugged=True)
    gun.record(end_ms + 20 * SECOND, G2_TRADE_NO, start_ms, end_ms, energy_e4kwh=energy, before_e4kwh=before)
    gun.idle(end_ms + 5 * MINUTE, end_ms + 8 * MINUTE)
    return gun.lines


def g3_lines(*, until_charging: bool = False) -> list[Line]:
    """C7: twenty charges at eleven chargers whose register is 0 before the start, then the true one.

    The zero is still there in the first status of the charge, unless it is told `until_charging` only.
    """
    lines: list[Line] = []
    registers = {pile: (7_000 + 1_311 * i) * KWH for i, pile in enumerate(G3_PILES)}
    for i, number in enumerate(sorted(G3_TRADE_NOS)):
        pile = G3_PILES[i % len(G3_PILES)]
        created_ms = created_at(number)
        start_ms = created_ms + 20 * SECOND
        seconds, power_w = 900 + 45 * (i % 7), 40_000 + 2_500 * i
        gun = Aaf5Story(pile)
        gun.login(created_ms - 3 * MINUTE)
        gun.idle(created_ms - 2 * MINUTE, created_ms, plugged=True)
        gun.order(created_ms, number)
        gun.prepare(number, created_ms + 2 * SECOND, start_ms)
        true = rising(seconds, power_w, base_e4kwh=registers[pile], from_s=0 if until_charging else 15)
        before = true[0].register_e4kwh
        gun.charge(number, start_ms, true if until_charging else [Shown(0, 0, power_w=0), *true])
        end_ms = start_ms + seconds * SECOND
        registers[pile] = true[-1].register_e4kwh
        energy = registers[pile] - before
        gun.idle(end_ms + 5 * SECOND, end_ms + 2 * MINUTE, state=FINISHED, plugged=True)
        gun.record(end_ms + 8 * SECOND, number, start_ms, end_ms, energy_e4kwh=energy, before_e4kwh=before)
        gun.idle(end_ms + 2 * MINUTE, end_ms + 4 * MINUTE)
        lines += gun.lines
    return lines


def lost_bill_lines(number: str, pile: str, *, minutes: int = 75, power_w: int = 60_000) -> list[Line]:
    """C4, C5b, C6b: a charge whose bill never comes, although its charger stays online."""
    created_ms = created_at(number)
    start_ms = created_ms + 12 * SECOND
    before = 48_711_30 * 100
    gun = Aaf5Story(pile)
    gun.login(start_ms - 4 * MINUTE)
    gun.idle(start_ms - 2 * MINUTE, start_ms - 15 * SECOND, plugged=True, meter_now=before // 100)
    gun.order(created_ms, number)
    shown = rising(minutes * 60, power_w, base_e4kwh=before)
    gun.charge(number, start_ms, shown, before_e4kwh=before)
    end_ms = start_ms + minutes * MINUTE
    rest: dict[str, Any] = {"meter_before": before // 100, "meter_now": shown[-1].register_e4kwh // 100}
    gun.idle(end_ms + 10 * SECOND, end_ms + 3 * MINUTE, state=FINISHED, plugged=True, serial=number, **rest)
    gun.idle(end_ms + 3 * MINUTE, end_ms + 60 * MINUTE, **rest)
    return gun.lines


def g4_lines() -> list[Line]:
    """C6b: eight lost bills, most of them over a change of the rate class."""
    return [line for i, number in enumerate(G4_TRADE_NOS) for line in lost_bill_lines(number, LOST_PILES[i])]


def g5_lines() -> list[Line]:
    """C4: four lost bills beside G1."""
    return [
        line
        for i, number in enumerate(G5_TRADE_NOS[:-1])
        for line in lost_bill_lines(number, LOST_PILES[8 + i], minutes=31 + i)
    ]


def huge_lines() -> list[Line]:
    """C6b: five charges of 30 kWh for which something says tens of thousands of kWh (`HUGE_TRADE_NOS`)."""
    lines: list[Line] = []
    for i, (number, pile) in enumerate(zip(HUGE_TRADE_NOS, HUGE_PILES, strict=True)):
        start_ms = created_at(number)
        end_ms = start_ms + 30 * MINUTE
        before = (31_402 + 977 * i) * KWH
        gun = Aaf5Story(pile)
        gun.login(start_ms - 2 * MINUTE)
        shown = rising(1_800, 60_000, base_e4kwh=before)
        told_before, told_energy = before, 30 * KWH
        if number == HUGE_JUMP:
            shown[60:] = [one._replace(register_e4kwh=one.register_e4kwh + 52_311 * KWH) for one in shown[60:]]
            told_energy += 52_311 * KWH
        elif number == HUGE_SPIKE:
            shown[60] = shown[60]._replace(register_e4kwh=shown[60].register_e4kwh + 61_000 * KWH)
        elif number == HUGE_BASELINE:
            shown = [one._replace(before_e4kwh=0) for one in [shown[0]._replace(register_e4kwh=0), *shown[1:]]]
            told_before, told_energy = 0, before + 30 * KWH
        elif number == HUGE_RECORD:
            told_energy += 40_000 * KWH
        gun.charge(number, start_ms, shown, before_e4kwh=before)
        if number == HUGE_END:
            last = shown[-1]._replace(at_s=1_815, register_e4kwh=shown[-1].register_e4kwh + 23_456 * KWH)
            gun.charge(number, start_ms, [last], before_e4kwh=before)
        else:
            gun.record(
                end_ms + 9 * SECOND, number, start_ms, end_ms, energy_e4kwh=told_energy, before_e4kwh=told_before
            )
        gun.idle(end_ms + 30 * SECOND, end_ms + 50 * MINUTE)
        lines += gun.lines
    return lines


def rs485_lines() -> list[Line]:
    """C5b, C6a: charges over an RS-485 that loses readings at three rates."""
    charges = zip(RS485_TRADE_NOS.items(), RS485_PILES, strict=True)
    return [line for (every, number), pile in charges for line in _lossy_lines(number, pile, every)]


def _lossy_lines(number: str, pile: str, every: int) -> list[Line]:
    """Of the readings one in `every` is lost and told as 0, the last one too."""
    start_ms = created_at(number)
    before = 60_100_40 * 100
    gun = Aaf5Story(pile)
    gun.login(start_ms - 2 * MINUTE)
    shown = rising(3_600, 48_000, base_e4kwh=before)
    shown = [
        one._replace(register_e4kwh=0) if i % every == 1 or i == len(shown) - 1 else one for i, one in enumerate(shown)
    ]
    gun.charge(number, start_ms, shown, before_e4kwh=before)
    end_ms = start_ms + 3_600 * SECOND
    gun.idle(end_ms + 15 * SECOND, end_ms + 2 * MINUTE, state=FINISHED, plugged=True)
    gun.record(end_ms + 20 * SECOND, number, start_ms, end_ms, energy_e4kwh=48 * KWH, before_e4kwh=before)
    gun.idle(end_ms + 2 * MINUTE, end_ms + 4 * MINUTE)
    return gun.lines
