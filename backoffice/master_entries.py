"""The shape of a master data file, and what its values mean; whatever does not fit is named with what is allowed."""

import difflib
import tomllib
import types
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from backoffice.errors import MasterFileError
from backoffice.models import NOT_WATCHED_MS
from backoffice.pile_codes import split_number
from core.tariff_version import CLASS_NAMES, SLOTS_PER_DAY

CLASS_LETTERS: Final = "".join(name[0] for name in CLASS_NAMES)
MS_PER_MINUTE: Final = 60_000
E4_PER_KWH: Final = 10_000
E5_PER_YUAN: Final = 100_000
MAX_PRICE_YUAN: Final = 100
LEARNED: Final = "learned"
ASSUMED_POWER_W: Final = {"dc": 180_000, "ac": 44_000}  # anomaly-codes.md, "Pmax"

Key = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
PileCode = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
ModelNo = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}$")]
RatedPower = Annotated[int, msgspec.Meta(ge=1, le=2000)] | Annotated[float, msgspec.Meta(ge=1, le=2000)]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An entry of the file; a key that it does not know is an error."""


class OperatorEntry(Entry, frozen=True, kw_only=True):
    """`[[operators]]`"""

    key: Key
    name: Name
    name_en: str = ""
    parent: str | None = None
    settle_first: bool = False


class ClassPrices(Entry, frozen=True, kw_only=True):
    """Yuan per kWh in text, one for each rate class."""

    sharp: str
    peak: str
    flat: str
    valley: str


class VersionEntry(Entry, frozen=True, kw_only=True):
    """`[[tariffs.versions]]`"""

    model_no: ModelNo
    from_: datetime = msgspec.field(name="from")
    slots: str
    electricity: ClassPrices
    service: ClassPrices


class TariffEntry(Entry, frozen=True, kw_only=True):
    """`[[tariffs]]`"""

    key: Key
    name: Name
    versions: Annotated[list[VersionEntry], msgspec.Meta(min_length=1)]


class StationTariffEntry(Entry, frozen=True, kw_only=True):
    """One of a station's `tariffs`."""

    tariff: str
    from_: datetime = msgspec.field(name="from")


class StationEntry(Entry, frozen=True, kw_only=True):
    """`[[stations]]`"""

    key: Key
    name: Name
    name_en: str = ""
    aliases: list[Name] = []
    operator: str
    zone: str = "Asia/Shanghai"
    latitude: Annotated[float, msgspec.Meta(ge=-90, le=90)]
    longitude: Annotated[float, msgspec.Meta(ge=-180, le=180)]
    profile: Literal["public", "depot"] = "public"
    occupancy_grace_minutes: Annotated[int, msgspec.Meta(ge=0, le=1440)] | None = None
    tariffs: Annotated[list[StationTariffEntry], msgspec.Meta(min_length=1)]

    @property
    def occupancy_grace_ms(self) -> int:
        """How long a vehicle may stay plugged after its charge; -1 when nobody watches."""
        minutes = self.occupancy_grace_minutes
        return NOT_WATCHED_MS if minutes is None else minutes * MS_PER_MINUTE


class ModelEntry(Entry, frozen=True, kw_only=True):
    """`[[models]]`; `rated_power_kw` is that of one connector.

    What is left out, or set to "learned", of `rated_power_kw`, `register`, `quantum_kwh` and `register_digits` is
    learned from the readings of each connector (anomaly-codes.md, "Common definitions"). Until then it is taken to be
    180 kW DC or 44 kW AC, and what the protocol carries: YKC a session counter of 0.0001 kWh, AAF5 an absolute register
    of 0.01 kWh. `register_digits` 0: it is known not to roll over. `stops_offline`: a connector stops within 30 s after
    its link was lost, so that a charge that was never heard of again took no more (metering.md, "gap at tail").
    """

    key: Key
    vendor: Name
    name: str = ""
    protocol: Literal["ykc", "aaf5"] = "ykc"
    current: Literal["dc", "ac"]
    connectors: Annotated[int, msgspec.Meta(ge=1, le=99)]
    rated_power_kw: RatedPower | Literal["learned"] = LEARNED
    register: Literal["lifetime", "session", "boot", "learned"] = LEARNED
    quantum_kwh: str = LEARNED
    register_digits: Annotated[int, msgspec.Meta(ge=0, le=12)] | Literal["learned"] = LEARNED
    stops_offline: bool = False

    @property
    def rated_power_w(self) -> int:
        """Watts of one connector, assumed where they are learned: then rather too much than too little."""
        if self.rated_power_kw == LEARNED:
            return ASSUMED_POWER_W[self.current]
        return round(self.rated_power_kw * 1000)

    @property
    def register_kind(self) -> str:
        """What the register that bills are measured by counts."""
        if self.register == LEARNED:
            return "lifetime" if self.protocol == "aaf5" else "session"
        return self.register

    @property
    def quantum_e4kwh(self) -> int:
        """The smallest step of that register in 1e-4 kWh; raises `ValueError`."""
        if self.quantum_kwh == LEARNED:
            return quantum_e4kwh("0.01" if self.protocol == "aaf5" else "0.0001")
        return quantum_e4kwh(self.quantum_kwh)

    @property
    def known_digits(self) -> int:
        """Whole-kWh digits before the register rolls over, 0 = not known."""
        return 0 if self.register_digits == LEARNED else self.register_digits

    @property
    def learns(self) -> list[str]:
        """Which of these values nobody gave; a session counter has no last digit to roll over."""
        given = {
            "quantum": self.quantum_kwh,
            "rated_power": self.rated_power_kw,
            "register": self.register,
            "digits": 0 if self.register == "session" else self.register_digits,
        }
        return [name for name, value in given.items() if value == LEARNED]


class OwnerEntry(Entry, frozen=True, kw_only=True):
    """One of a charger's `owners`; it ends where the next one begins."""

    operator: str
    from_: datetime = msgspec.field(name="from")


class PileRange(Entry, frozen=True, kw_only=True):
    """`[[piles]]`: `count` chargers with consecutive codes from `first_code`, whose last digits are counted up.

    `gun_letters`: the guns of these AAF5 chargers log in by themselves, each with a letter behind the code.
    """

    first_code: PileCode
    count: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    station: str
    model: str
    commissioned: datetime
    is_test: bool = False
    gun_letters: bool = False
    owners: list[OwnerEntry] = []

    def codes(self) -> list[str]:
        """The ids on the wire, each as long as the first."""
        if self.count == 1:
            return [self.first_code]
        prefix, digits = split_number(self.first_code)
        return [f"{prefix}{number:0{len(digits)}d}" for number in range(int(digits), int(digits) + self.count)]


class MasterEntries(Entry, frozen=True, kw_only=True):
    """Everything in one file."""

    operators: list[OperatorEntry] = []
    tariffs: list[TariffEntry] = []
    models: list[ModelEntry] = []
    stations: list[StationEntry] = []
    piles: list[PileRange] = []


def read_master_file(path: Path) -> MasterEntries:
    """Read and check a file as far as that goes without a database.

    Raises `MasterFileError` naming the file, the entry, the key and what is allowed.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise MasterFileError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MasterFileError(f"{path}: not valid TOML: {error}") from error
    try:
        _refuse_unknown_keys(content, MasterEntries, "")
        entries = msgspec.convert(content, MasterEntries)
    except msgspec.ValidationError as error:
        raise MasterFileError(f"{path}: {error}") from error
    for table in msgspec.structs.fields(MasterEntries):
        for number, entry in enumerate(getattr(entries, table.name), start=1):
            try:
                _check_values(entry)
            except ValueError as error:
                raise MasterFileError(f"{path}: {entry_name(table.name, number, entry)}: {error}") from error
    return entries


def entry_name(table: str, number: int, entry: Any) -> str:
    """How a message calls an entry: its table and its key, or its place."""
    key = getattr(entry, "key", None) or getattr(entry, "first_code", None)
    return f"[[{table}]] {key!r}" if key else f"[[{table}]] number {number}"


def epoch_ms(moment: datetime, key: str) -> int:
    """UTC epoch milliseconds; raises `ValueError` for a time without an offset."""
    if moment.tzinfo is None:
        raise ValueError(f"{key} = {moment.isoformat()}: a time needs an offset, such as {moment.isoformat()}+08:00")
    return round(moment.timestamp() * 1000)


def slot_classes(slots: str) -> list[int]:
    """The 48 rate classes of a text such as `vvvvffff …`; raises `ValueError`."""
    letters = slots.replace(" ", "")
    wrong = sorted(set(letters) - set(CLASS_LETTERS))
    if wrong or len(letters) != SLOTS_PER_DAY:
        raise ValueError(
            f"slots: {SLOTS_PER_DAY} letters of s (sharp), p (peak), f (flat), v (valley) are needed, "
            f"here are {len(letters)}" + (f", among them {', '.join(wrong)}" if wrong else "")
        )
    return [CLASS_LETTERS.index(letter) for letter in letters]


def prices_e5yuan(prices: ClassPrices, key: str) -> list[int]:
    """The four prices in 1e-5 yuan per kWh; raises `ValueError` when one has more than five decimals."""
    return [
        _scaled(getattr(prices, name), E5_PER_YUAN, MAX_PRICE_YUAN, f"{key}.{name}", minimum=0) for name in CLASS_NAMES
    ]


def quantum_e4kwh(quantum_kwh: str) -> int:
    """The smallest step of a register in 1e-4 kWh; raises `ValueError`."""
    return _scaled(quantum_kwh, E4_PER_KWH, 1000, "quantum_kwh", minimum=1)


def _scaled(text: str, scale: int, maximum: int, key: str, minimum: int) -> int:
    try:
        number = Decimal(text)
        scaled = int(number * scale)
        exact = scaled == number * scale
    except (InvalidOperation, OverflowError, ValueError):
        exact, scaled = False, 0
    if not exact or not minimum <= scaled <= maximum * scale:
        decimals = len(str(scale)) - 1
        raise ValueError(
            f"{key} = {text!r}: a decimal number in quotes from {Decimal(minimum) / scale} to {maximum} with at most "
            f"{decimals} decimals is needed"
        )
    return scaled


def _check_values(entry: Any) -> None:
    """Whatever the types alone do not say; raises `ValueError`."""
    if isinstance(entry, TariffEntry):
        for version in entry.versions:
            epoch_ms(version.from_, "from")
            slot_classes(version.slots)
            prices_e5yuan(version.electricity, "electricity")
            prices_e5yuan(version.service, "service")
    elif isinstance(entry, ModelEntry):
        _ = entry.quantum_e4kwh
    elif isinstance(entry, StationEntry):
        _check_zone(entry.zone)
        _check_rising([epoch_ms(assigned.from_, "tariffs.from") for assigned in entry.tariffs], "tariffs")
    elif isinstance(entry, PileRange):
        commissioned_ms = epoch_ms(entry.commissioned, "commissioned")
        if commissioned_ms < 0:
            raise ValueError(f"commissioned = {entry.commissioned.isoformat()}: 1970 is the earliest")
        _check_rising([epoch_ms(owner.from_, "owners.from") for owner in entry.owners], "owners")
        _, digits = split_number(entry.first_code)
        if entry.count > 1 and int(digits or "0") + entry.count > 10 ** len(digits):
            raise ValueError(f"count = {entry.count}: the last code would be longer than {entry.first_code!r}")


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"zone = {zone!r}: an IANA zone such as 'Asia/Shanghai' is needed") from error


def _check_rising(moments: list[int], key: str) -> None:
    if any(later <= earlier for earlier, later in pairwise(moments)):
        raise ValueError(f"{key}: each `from` must be later than the one before")


def _refuse_unknown_keys(content: Mapping[str, Any], kind: type[msgspec.Struct], where: str) -> None:
    """Name a key that does not exist with the nearest right one; wrong types are left to msgspec."""
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in content.items():
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
            raise msgspec.ValidationError(f"{where or 'at the top'}: unknown key {key!r}; {hint}")
        inner = _struct_in(known[key])
        items = value if isinstance(value, list) else [value]
        for number, item in enumerate(items, start=1):
            if inner is not None and isinstance(item, Mapping):
                name = item.get("key") or item.get("first_code") or item.get("model_no")
                place = f"{key} {name!r}" if name else key if item is value else f"{key} number {number}"
                _refuse_unknown_keys(item, inner, f"{where}, {place}" if where else place)


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    """The entry type in `list[X]`, `Annotated[list[X], …]` or `X`."""
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and issubclass(kind, Entry):
        return kind
    for part in get_args(kind):
        found = _struct_in(part)
        if found is not None:
            return found
    return None
