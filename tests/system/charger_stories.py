"""Frames of one connector as they came in, written down step by step: what captures of incidents are made of.

Moments are true times in ms; a charger's clock agrees with them unless `clock_off_ms` says otherwise. Registers and
energies are 1e-4 kWh here and become what the wire carries (AAF5: 0.01 kWh, rounded down).
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from core.aaf5.bcd_time import ms_to_bcd8
from core.aaf5.codec import encode_raw as encode_aaf5
from core.ykc.codec import encode_raw as encode_ykc
from core.ykc.cp56 import ms_to_cp56
from tests.ingest.aaf5_frames import aaf5_login, aaf5_record
from tests.ingest.aaf5_status import status
from tests.ingest.charger_frames import realtime, record

ZONE: Final = "Asia/Shanghai"
SECOND: Final = 1_000
MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
KWH: Final = 10_000
PERIOD_MS: Final = 15 * SECOND
IDLE, PREPARING, CHARGING, FINISHED, FAULT = 0, 1, 2, 3, 6
"""AAF5 work states."""
_E4_PER_WIRE: Final = 100
_HALF_HOUR_MS: Final = 30 * MINUTE
_VOLTS: Final = 600


class Line(NamedTuple):
    """One line of a capture."""

    ts: int
    conn: str
    protocol: str
    frame: bytes


class Shown(NamedTuple):
    """What a status of a charge shows so many seconds after its begin; None = what follows from the others."""

    at_s: float
    register_e4kwh: int
    power_w: int = 60_000
    energy_e4kwh: int | None = None
    before_e4kwh: int | None = None
    late_ms: int = 0


def at(text: str, zone: str = ZONE) -> int:
    """A local time such as `2019-10-24 14:43:31` in ms."""
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def write_capture(path: Path, lines: Iterable[Line]) -> Path:
    """The lines as `pilestream replay` takes them, in the order given."""
    texts = [
        json.dumps({"ts": line.ts, "conn": line.conn, "protocol": line.protocol, "hex": line.frame.hex()})
        for line in lines
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{text}\n" for text in texts), "utf-8")
    return path


def rising(
    seconds: float,
    power_w: int,
    *,
    base_e4kwh: int = 0,
    quantum_e4kwh: int = 100,
    from_s: float = 0,
    every_s: float = 15,
) -> list[Shown]:
    """A register under constant power from `from_s` to `seconds`, both included, cut to its quantum."""
    moments = [from_s + i * every_s for i in range(int((seconds - from_s) / every_s) + 1)]
    if moments[-1] < seconds:
        moments.append(seconds)
    return [
        Shown(moment, (base_e4kwh + round((moment - from_s) * power_w / 360)) // quantum_e4kwh * quantum_e4kwh, power_w)
        for moment in moments
    ]


class Story:
    """The lines of one connector; `conn` names its connection."""

    protocol: str

    def __init__(self, code: str, gun: int = 1, *, conn: str = "", zone: str = ZONE, clock_off_ms: int = 0) -> None:
        self.code = code
        self.gun = gun
        self.conn = conn or f"{code}-{gun}"
        self.zone = zone
        self.clock_off_ms = clock_off_ms
        self.lines: list[Line] = []
        self._seq = 0

    def add(self, ts: int, frame: bytes) -> None:
        """A frame that arrived, or was sent, at `ts`."""
        self.lines.append(Line(ts, self.conn, self.protocol, frame))

    def _next_seq(self) -> bytes:
        self._seq = (self._seq + 1) % 65_536
        return self._seq.to_bytes(2, "little")


class Aaf5Story(Story):
    """A gun of an AAF5 charger."""

    protocol = "aaf5"

    def login(self, ts: int, firmware: str = "3.1.0700") -> None:
        """106, by which its firmware is known."""
        major, minor, patch = firmware.split(".")
        versions: dict[str, Any] = {"ver_major": int(major), "ver_minor": int(minor), "ver_patch": patch}
        self.add(ts, aaf5_login(self.code, ts + self.clock_off_ms, gun_count=1, **versions))

    def order(self, ts: int, number: str, card: str = "0012345678") -> None:
        """7, the platform's order to charge."""
        fields: dict[str, Any] = {
            **{"reserved1": 0, "reserved2": 0, "gun_no": self.gun, "effective": 0, "reserved3": 0, "strategy": 0},
            **{"strategy_param": 0, "start_time": bytes(8), "appt_timeout": 0, "card": card, "value1": 0, "value2": 0},
            "serial": number,
        }
        self.add(ts, encode_aaf5("start", fields, seq=b"\x01"))

    def idle(self, from_ms: int, to_ms: int, *, state: int = IDLE, plugged: bool = False, **fields: Any) -> None:
        """104 every 15 s of a gun where nothing flows; `fields` in wire units (a register is one of them)."""
        shown = {"meter_before": 0, "meter_now": 0, "car_conn": 2 * plugged, **fields}
        for ts in range(from_ms, to_ms, PERIOD_MS):
            self.add(ts, status(self.code, gun_no=self.gun, work_state=state, **{"serial": "", **shown}))

    def prepare(self, number: str, from_ms: int, to_ms: int, *, start_ms: int = 0, **fields: Any) -> None:
        """104 every 10 s of a charge that was ordered and does not flow yet; its register is 0 unless told."""
        told = {"start_time": self._bcd(start_ms)} if start_ms else {}
        for ts in range(from_ms, to_ms, 10 * SECOND):
            shown = {"meter_before": 0, "meter_now": 0, "car_conn": 2, "start_mode": 1, **told, **fields}
            self.add(ts, status(self.code, gun_no=self.gun, work_state=PREPARING, serial=number, **shown))

    def charge(
        self, number: str, start_ms: int, shown: Iterable[Shown], *, before_e4kwh: int = 0, **fields: Any
    ) -> None:
        """104 of a charge: `energy` is the difference of both registers, as firmware computes it, unless told."""
        for one in shown:
            before = before_e4kwh if one.before_e4kwh is None else one.before_e4kwh
            energy = max(one.register_e4kwh - before, 0) if one.energy_e4kwh is None else one.energy_e4kwh
            event_ms = start_ms + round(one.at_s * SECOND)
            frame = status(
                self.code,
                gun_no=self.gun,
                serial=number,
                **{
                    **{"work_state": CHARGING, "car_conn": 2, "soc": 40, "start_mode": 1, "card": "0012345678"},
                    **{"dc_voltage": _VOLTS * 10, "dc_current": round(one.power_w * 10 / _VOLTS)},
                    **{"power": one.power_w // 100, "duration": int(one.at_s), "start_time": self._bcd(start_ms)},
                    **{"meter_before": before // _E4_PER_WIRE, "meter_now": one.register_e4kwh // _E4_PER_WIRE},
                    "energy": energy // _E4_PER_WIRE,
                    **fields,
                },
            )
            self.add(event_ms + one.late_ms, frame)

    def record(
        self,
        ts: int,
        number: str | None,
        start_ms: int,
        end_ms: int,
        *,
        energy_e4kwh: int,
        before_e4kwh: int = 0,
        after_e4kwh: int | None = None,
        **fields: Any,
    ) -> None:
        """202; its half-hours are spread by time over the charge, in their 16 bits, unless `fields` says otherwise."""
        after = before_e4kwh + energy_e4kwh if after_e4kwh is None else after_e4kwh
        wire: dict[str, Any] = {
            **{"gun_no": self.gun, "start_time": self._bcd(start_ms), "end_time": self._bcd(end_ms)},
            **{"duration": (end_ms - start_ms) // SECOND, "energy": energy_e4kwh // _E4_PER_WIRE},
            **{"meter_before": before_e4kwh // _E4_PER_WIRE, "meter_after": after // _E4_PER_WIRE, "amount": 0},
            "half_hour_energy": [
                slot & 0xFFFF for slot in half_hours(energy_e4kwh // _E4_PER_WIRE, start_ms, end_ms, self.zone)
            ],
            "serial": number,
        }
        self.add(ts, aaf5_record(self.code, **(wire | fields)))

    def _bcd(self, ms: int) -> bytes:
        return ms_to_bcd8(ms + self.clock_off_ms, self.zone)


class YkcStory(Story):
    """A gun of a YKC charger, whose realtime frames carry a session counter."""

    protocol = "ykc"

    def login(self, ts: int, firmware: str = "V1.0") -> None:
        """0x01, by which its firmware is known."""
        fields = {"pile_code": self.code, "pile_type": 0, "gun_count": 2, "protocol_version": 0x10}
        more = {"firmware": firmware, "network_type": 0, "sim": "0" * 20, "operator": 0}
        self.add(ts, encode_ykc("login", fields | more, seq=self._next_seq()))

    def heartbeats(self, from_ms: int, to_ms: int, every_ms: int = PERIOD_MS) -> None:
        """0x03: the charger is online."""
        fields = {"pile_code": self.code, "gun_no": f"{self.gun:02d}", "gun_fault": 0}
        for ts in range(from_ms, to_ms, every_ms):
            self.add(ts, encode_ykc("heartbeat", fields, seq=self._next_seq()))

    def idle(self, from_ms: int, to_ms: int, *, plugged: bool = False, **fields: Any) -> None:
        """0x13 every 15 s of a connector where nothing flows."""
        for ts in range(from_ms, to_ms, PERIOD_MS):
            shown = {"gun_no": f"{self.gun:02d}", "plugged": int(plugged), **fields}
            self.add(ts, realtime(self.code, seq=self._next_seq(), **shown))

    def charge(self, number: str, start_ms: int, shown: Iterable[Shown], **fields: Any) -> None:
        """0x13 of a charge: `register_e4kwh` is the session counter."""
        for one in shown:
            event_ms = start_ms + round(one.at_s * SECOND)
            values: dict[str, Any] = {
                **{"gun_no": f"{self.gun:02d}", "state": 3, "gun_home": 0, "plugged": 1, "soc": 40},
                **{"voltage": _VOLTS * 10, "current": round(one.power_w * 10 / _VOLTS)},
                **{"energy": one.register_e4kwh, "charge_minutes": int(one.at_s // 60)},
            }
            frame = realtime(self.code, number, seq=self._next_seq(), **(values | fields))
            self.add(event_ms + one.late_ms, frame)

    def record(
        self,
        ts: int,
        number: str,
        start_ms: int,
        end_ms: int,
        *,
        energy_e4kwh: int,
        before_e4kwh: int = 0,
        after_e4kwh: int | None = None,
        rate: str = "flat",
        **fields: Any,
    ) -> None:
        """0x3B with all its energy in one rate class."""
        after = before_e4kwh + energy_e4kwh if after_e4kwh is None and before_e4kwh else after_e4kwh or 0
        wire: dict[str, Any] = {
            **{"gun_no": f"{self.gun:02d}", "start_time": self._cp56(start_ms), "end_time": self._cp56(end_ms)},
            **{"trade_time": self._cp56(end_ms), "meter_start": before_e4kwh, "meter_end": after},
            **{"energy": energy_e4kwh, f"{rate}_energy": energy_e4kwh},
        }
        self.add(ts, record(number, self.code, self._next_seq(), **(wire | fields)))

    def _cp56(self, ms: int) -> bytes:
        return ms_to_cp56(ms + self.clock_off_ms, self.zone)


def half_hours(energy: int, start_ms: int, end_ms: int, zone: str = ZONE) -> list[int]:
    """An energy spread over the 48 half-hours of the local day by time; the parts sum to it.

    Half-hours begin with those of UTC, as they do in every zone that the tests have.
    """
    slots = [0] * 48
    told, edge = 0, start_ms
    while edge < end_ms:
        following = min(edge // _HALF_HOUR_MS * _HALF_HOUR_MS + _HALF_HOUR_MS, end_ms)
        reached = energy * (following - start_ms) // (end_ms - start_ms)
        local = datetime.fromtimestamp(edge / SECOND, ZoneInfo(zone))
        slots[local.hour * 2 + local.minute // 30] += reached - told
        told, edge = reached, following
    return slots
