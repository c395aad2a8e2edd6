"""What the tests of the gateway need: a directory of chargers, frames that chargers send, spool records by kind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from core.directory import Ownership, Pile, PileDirectory
from core.tariff_version import TariffVersion
from core.ykc.codec import encode_raw
from ingest.events import Event
from ingest.record_buffer import EVENT, FRAME_DOWN, FRAME_UP, QUARANTINE, scan_records
from ingest.segment import SEGMENT_HEADER_BYTES, list_segments

FRAMES_FILE = Path(__file__).parents[1] / "data" / "frames.jsonl"
CODE = "32010600019236"
OTHER_CODE = "32010600019237"
ZONE = "Asia/Shanghai"
NOW_MS = 1_795_300_000_000
OLD_TARIFF = TariffVersion(7, 1, "0007", 0, (2,) * 48, (100, 90, 80, 70), (10, 10, 10, 10))
TARIFF = TariffVersion(
    8,
    1,
    "0008",
    NOW_MS - 86_400_000,
    (3,) * 14 + (2,) * 6 + (0,) * 8 + (1,) * 20,
    (120_000, 100_000, 80_000, 40_000),
    (40_000, 40_000, 40_000, 40_000),
)


def make_pile(code: str = CODE, pile_id: int = 11, **changes: Any) -> Pile:
    pile = Pile(
        pile_id=pile_id,
        code=code,
        protocol="ykc",
        station_id=3,
        zone=ZONE,
        connectors=2,
        rated_power_w=120_000,
        register_kind="session",
        quantum_e4kwh=1,
        register_digits=0,
        occupancy_grace_ms=1_800_000,
        commissioned_ms=0,
        current_kind="dc",
        owners=(Ownership(2, 0),),
        tariffs=(OLD_TARIFF, TARIFF),
    )
    return msgspec.structs.replace(pile, **changes)


def make_directory() -> PileDirectory:
    return PileDirectory([make_pile(), make_pile(OTHER_CODE, 12)])


def login(code: str = CODE, seq: bytes = b"\1\0", guns: int = 2, protocol_version: int = 0x10) -> bytes:
    fields = {
        "pile_code": code,
        "pile_type": 0,
        "gun_count": guns,
        "protocol_version": protocol_version,
        "firmware": "V1.0",
        "network_type": 0,
        "sim": "0" * 20,
        "operator": 0,
    }
    return encode_raw("login", fields, seq=seq)


def heartbeat(code: str = CODE, seq: bytes = b"\2\0", order: Any = "le") -> bytes:
    fields = {"pile_code": code, "gun_no": "01", "gun_fault": 0}
    return encode_raw("heartbeat", fields, seq=seq, checksum_order=order)


def realtime(code: str = CODE, trade_no: str = "0" * 32, seq: bytes = b"\3\0", **changes: Any) -> bytes:
    fields = {
        "trade_no": trade_no,
        "pile_code": code,
        "gun_no": "01",
        "state": 2,
        "gun_home": 1,
        "plugged": 0,
        "voltage": 0,
        "current": 0,
        "cable_temp": 70,
        "cable_id": "0" * 16,
        "soc": 0,
        "battery_temp_max": 0,
        "charge_minutes": 0,
        "remain_minutes": 0,
        "energy": 0,
        "loss_energy": 0,
        "amount": 0,
        "fault_bits": 0,
    }
    return encode_raw("realtime", fields | changes, seq=seq)


def charging(trade_no: str, energy: int, minutes: int, code: str = CODE, **changes: Any) -> bytes:
    fields = {"state": 3, "plugged": 1, "voltage": 4000, "current": 1000, "soc": 40}
    return realtime(code, trade_no, energy=energy, charge_minutes=minutes, **(fields | changes))


def record(trade_no: str, code: str = CODE, seq: bytes = b"\4\0", **changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "trade_no": trade_no,
        "pile_code": code,
        "gun_no": "01",
        "start_time": bytes(7),
        "end_time": bytes(7),
        "meter_start": 0,
        "meter_end": 0,
        "energy": 10_000,
        "loss_energy": 0,
        "amount": 0,
        "vin": "",
        "start_mode": 1,
        "trade_time": bytes(7),
        "stop_reason": 0x40,
        "physical_card": "0" * 16,
    }
    for rate in ("sharp", "peak", "flat", "valley"):
        fields |= {f"{rate}_price": 0, f"{rate}_energy": 0, f"{rate}_loss_energy": 0, f"{rate}_amount": 0}
    return encode_raw("record", fields | changes, seq=seq)


def trade_no_of(code: str = CODE, number: int = 1) -> str:
    return f"{code}01261122120000{number:04d}"


def sample_frames() -> Iterator[dict[str, Any]]:
    """The YKC lines of frames.jsonl."""
    for line in FRAMES_FILE.read_text("utf-8").splitlines():
        sample = json.loads(line)
        if sample["protocol"] == "ykc":
            yield sample


class SpoolContent:
    """Every record of a spool folder, read back from its segment files."""

    def __init__(self, folder: Path) -> None:
        self.up: list[bytes] = []
        self.down: list[bytes] = []
        self.quarantine: list[tuple[int, bytes]] = []
        self.events: list[Event] = []
        self.headers: list[dict[str, int]] = []
        for segment in list_segments(folder):
            data = segment.path.read_bytes()
            records = scan_records(data, SEGMENT_HEADER_BYTES)
            assert records.stop == "end", records.stop
            for i in range(records.count):
                start = int(records.payload_offset[i])
                payload = data[start : start + int(records.payload_length[i])]
                self._add(int(records.kind[i]), int(records.reason[i]), payload)
                names = ("kind", "pile_id", "connector", "receive_ms", "event_ms", "flags", "live_accepted_e4kwh")
                header = {name: int(getattr(records, name)[i]) for name in (*names, "live_amount_fen", "frame_type")}
                self.headers.append(header)

    def _add(self, kind: int, reason: int, payload: bytes) -> None:
        if kind == FRAME_UP:
            self.up.append(payload)
        elif kind == FRAME_DOWN:
            self.down.append(payload)
        elif kind == QUARANTINE:
            self.quarantine.append((reason, payload))
        else:
            assert kind == EVENT
            self.events.append(msgspec.msgpack.decode(payload, type=Event))

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def all_bytes(self) -> set[bytes]:
        return {*self.up, *self.down, *(data for _, data in self.quarantine)}
