from collections.abc import Sequence
from typing import Final, NamedTuple

from core.meter.calculator import MeterCalculator
from core.meter.profile import MeterProfile

EVENT_FIRST_SEEN: Final[int]
EVENT_PLUGGED: Final[int]
EVENT_UNPLUGGED: Final[int]
EVENT_STARTED: Final[int]
EVENT_CHARGING: Final[int]
EVENT_STOPPED: Final[int]
EVENT_FAULT: Final[int]
EVENT_RECOVERED: Final[int]
EVENT_BILLED: Final[int]
EVENT_REGISTER_BROKEN: Final[int]
"""A new connection names the session that was running, but its register does not go on. Not in EVENT_NAMES."""
EVENT_NAMES: Final[dict[int, str]]
LIFE_NAMES: Final[tuple[str, ...]]

def event_time(receive_ms: int, charge_minutes: int, session_start_ms: int) -> tuple[int, bool]: ...
def split_trade_no(trade_no: str) -> tuple[int, int]: ...

class CycleMemory(NamedTuple):
    last_ms: int
    state: int
    plugged: bool
    faulty: bool
    life: int
    trade_hi: int
    trade_lo: int
    session_start_ms: int
    last_charging_ms: int
    started_hi: int
    started_lo: int
    started_ms: int
    billed_ms: int
    accepted_e4kwh: int
    fee_e5yuan: int
    flags: int
    minutes_origin_ms: int
    register_ms: int
    register_value: int

class ConnectorCycle:
    meter: MeterCalculator
    seen: bool
    last_ms: int
    state: int
    plugged: bool
    faulty: bool
    life: int
    trade_hi: int
    trade_lo: int
    previous_trade_hi: int
    previous_trade_lo: int
    session_start_ms: int
    last_charging_ms: int
    started_hi: int
    started_lo: int
    started_ms: int
    billed_ms: int
    accepted_e4kwh: int
    amount_fen: int
    flags: int
    reading_flags: int
    def __init__(self, profile: MeterProfile) -> None: ...
    @property
    def trade_no(self) -> str: ...
    @property
    def previous_trade_no(self) -> str: ...
    @property
    def life_name(self) -> str: ...
    def set_prices(
        self, first_slot_ms: int, electricity_e5yuan: Sequence[int], service_e5yuan: Sequence[int]
    ) -> None: ...
    def reconnected(self) -> None: ...
    def memory(self) -> CycleMemory: ...
    def recall(self, memory: CycleMemory) -> None: ...
    def started(self, trade_no: str, at_ms: int) -> int: ...
    def billed(self, trade_no: str, at_ms: int) -> int: ...
    def time_of(self, receive_ms: int, state: int, trade_no: str, charge_minutes: int) -> tuple[int, bool]: ...
    def take(
        self,
        event_ms: int,
        state: int,
        plugged: int,
        trade_no: str,
        counter_e4kwh: int,
        power_w: int,
        charge_minutes: int,
    ) -> int: ...
