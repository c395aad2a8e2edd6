"""The filters of the list, as they stand in the address, and the parameters of the question that they make."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import msgspec

from dashboard.context import LIVE_WINDOW_MS
from dashboard.written import DAY_MS, day_start_ms, local_day

RANGES = ("today", "yesterday", "7d", "30d", "all")
DEFAULT_RANGE = "7d"
READINGS = ("corrected", "raw")
STATES = ("open", "provisional", "final", "held", "abnormal", "explained")
CODES = ("1", "2", "3", "4", "5", "7", "8", "9", "11", "6")
START_MODES = ("1", "2", "4", "5", "9")
SORTS = (
    "start_ms",
    "end_ms",
    "duration_ms",
    "energy_e4kwh",
    "pile_energy_e4kwh",
    "platform_energy_e4kwh",
    "amount_fen",
)
FOR_EVER_MS = 2**62
_LISTS = ("stations", "owners", "states", "codes", "modes")


class Filters(msgspec.Struct, frozen=True):
    """What the reader asked for; an empty list or text means any."""

    range: str = DEFAULT_RANGE
    stations: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    reading: str = "corrected"
    modes: tuple[str, ...] = ()
    pile: str = ""
    vin: str = ""
    trade: str = ""

    @classmethod
    def from_search(cls, search: str) -> "Filters":
        """The filters in an address's query; what is not known there is left out, whatever was typed."""
        given = parse_qs(search.removeprefix("?"))

        def many(name: str, allowed: tuple[str, ...] | None) -> tuple[str, ...]:
            values = [value for text in given.get(name, []) for value in text.split(",")]
            return tuple(value for value in values if (value.isdecimal() if allowed is None else value in allowed))

        def one(name: str, default: str, allowed: tuple[str, ...]) -> str:
            value = given.get(name, [default])[0]
            return value if value in allowed else default

        def text(name: str, most: int) -> str:
            return given.get(name, [""])[0].strip()[:most]

        return cls(
            range=one("range", DEFAULT_RANGE, RANGES),
            stations=many("stations", None),
            owners=many("owners", None),
            states=many("states", STATES),
            codes=many("codes", CODES),
            reading=one("reading", "corrected", READINGS),
            modes=many("modes", START_MODES),
            pile=text("pile", 20),
            vin=text("vin", 17),
            trade=text("trade", 40),
        )

    def to_search(self) -> str:
        """The query of the address that gives these filters again; empty when nothing is filtered."""
        standard = Filters()
        values: dict[str, str] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value != getattr(standard, name):
                values[name] = ",".join(value) if name in _LISTS else value
        return f"?{urlencode(values, safe=',')}" if values else ""

    def parameters(self, now_ms: int, zone: str) -> dict[str, object]:
        """What question `sessions` needs, but for order and page."""
        from_ms, to_ms = self._window(now_ms, zone)
        codes = [int(code) for code in self.codes]
        return {
            "from_ms": from_ms,
            "to_ms": to_ms,
            "now_ms": now_ms,
            "window_ms": LIVE_WINDOW_MS,
            "trade_tail": "".join(self.trade.split()).upper(),
            "pile": self.pile,
            "vin": self.vin,
            "station_ids": [int(number) for number in self.stations],
            "owner_ids": [int(number) for number in self.owners],
            "codes_any": codes if self.reading == "corrected" else [],
            "codes_raw_any": codes if self.reading == "raw" else [],
            "start_modes": [int(mode) for mode in self.modes],
            "states": list(self.states),
        }

    def _window(self, now_ms: int, zone: str) -> tuple[int, int]:
        """From which start to before which one; whole local days."""
        today = local_day(now_ms, zone)
        if self.range == "all":
            return 0, FOR_EVER_MS
        if self.range == "yesterday":
            return day_start_ms(today - timedelta(days=1), zone), day_start_ms(today, zone)
        back = {"today": 0, "7d": 6, "30d": 29}[self.range]
        return day_start_ms(today - timedelta(days=back), zone), now_ms + DAY_MS


def order_of(sort_model: list[dict[str, Any]] | None) -> dict[str, object]:
    """The grid's wish for an order as parameters; the newest start first when it has none."""
    for wish in sort_model or []:
        if wish.get("colId") in SORTS:
            return {"sort": wish["colId"], "descending": int(wish.get("sort") == "desc")}
    return {"sort": "start_ms", "descending": 1}
