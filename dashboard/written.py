"""How figures are written: energy, money, power, time. Integers in, text out; no float near energy or money."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from dashboard.catalogue import Catalogue

E4_PER_KWH = 10_000
E5_PER_YUAN = 100_000
SECOND_MS, MINUTE_MS, HOUR_MS, DAY_MS = 1_000, 60_000, 3_600_000, 86_400_000
MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


def decimal(value: int, scale: int, places: int) -> str:
    """`value` / 10**`scale` with `places` decimals, rounded half away from zero, thousands grouped."""
    size = abs(value)
    if places < scale:
        step = 10 ** (scale - places)
        size = (size + step // 2) // step
    else:
        size *= 10 ** (places - scale)
    whole, part = divmod(size, 10**places)
    sign = MINUS if value < 0 and size else ""
    return f"{sign}{whole:,}" + (f".{part:0{places}d}" if places else "")


def energy(value_e4kwh: int | None, places: int = 2) -> str:
    """Energy in kWh without its unit."""
    return NOTHING if value_e4kwh is None else decimal(value_e4kwh, 4, places)


def money(amount_fen: int | None) -> str:
    """Money in yuan with two decimals, without its unit."""
    return NOTHING if amount_fen is None else decimal(amount_fen, 2, 2)


def money_e4(amount_e4yuan: int | None, places: int = 2) -> str:
    """Money given in 1e-4 yuan, as chargers do."""
    return NOTHING if amount_e4yuan is None else decimal(amount_e4yuan, 4, places)


def money_e5(amount_e5yuan: int, places: int = 5) -> str:
    """Fees and prices given in 1e-5 yuan."""
    return decimal(amount_e5yuan, 5, places)


def kilowatts(power_w: int, places: int = 1) -> str:
    """Power in kW without its unit."""
    return decimal(power_w, 3, places)


def percent(part: int, whole: int, places: int = 0) -> str:
    """A share as a percentage; of nothing it is unknown."""
    if whole <= 0:
        return NOTHING
    scale = 10**places
    return decimal((part * 100 * scale + whole // 2) // whole, places, places) + " %"


def signed(text: str, value: int) -> str:
    """A difference with its sign always shown."""
    return f"+{text}" if value > 0 else text


def moment(ms: int, zone: str) -> datetime:
    """Epoch milliseconds as local time of `zone`."""
    return datetime.fromtimestamp(ms // 1000, tz=UTC).astimezone(ZoneInfo(zone))


def clock(ms: int, zone: str) -> str:
    """Time of day, to the second; unknown times are 0."""
    return moment(ms, zone).strftime("%H:%M:%S") if ms else NOTHING


def day_and_clock(ms: int, zone: str) -> str:
    """Month, day and time of day."""
    return moment(ms, zone).strftime("%m-%d %H:%M:%S") if ms else NOTHING


def full_time(ms: int, zone: str) -> str:
    """Date and time of day."""
    return moment(ms, zone).strftime("%Y-%m-%d %H:%M:%S") if ms else NOTHING


def local_day(ms: int, zone: str) -> date:
    """The calendar day in `zone`."""
    return moment(ms, zone).date()


def day_start_ms(day: date, zone: str) -> int:
    """The first moment of a calendar day in `zone`."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def length(ms: int, words: Catalogue) -> str:
    """A length of time in its two largest units."""
    size = abs(ms)
    sign = MINUS if ms <= -SECOND_MS else ""
    units = ((DAY_MS, "word.days"), (HOUR_MS, "word.hours"), (MINUTE_MS, "word.minutes"), (SECOND_MS, "word.seconds"))
    parts: list[str] = []
    for unit_ms, word in units:
        count, size = divmod(size, unit_ms)
        if count or (unit_ms == SECOND_MS and not parts):
            parts.append(f"{count} {words.text(word)}")
    return sign + " ".join(parts[:2])


def codes(numbers: list[int]) -> str:
    """A set of codes in its display order, which is the stored order."""
    return ",".join(str(number) for number in numbers)
