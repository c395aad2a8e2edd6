"""Chargers that log in, say what chargers say after a login, and then only send heartbeats."""

import selectors
import socket
import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.sockets.processes import HOST, BenchmarkError
from benchmarks.sockets.traffic import SEQ, TARIFF, ZONE, code_of, heartbeat_frame, login_frame
from core.ykc.codec import encode_raw
from core.ykc.cp56 import ms_to_cp56

AT_ONCE: Final = 200
HEARTBEAT_EVERY_S: Final = 10.0
PATIENCE_S: Final = 60.0
LENGTH_AT: Final = 1
TYPE_AT: Final = 5
ENVELOPE_BYTES: Final = 4
LOGIN_ACK: Final = 0x02
TARIFF_CHECK_ACK: Final = 0x06
TIME_SYNC: Final = 0x56
IDLE_STATE: Final = 2
NO_SESSION: Final = "0" * 32


class IdleChargers:
    """So many logged-in connections to one server; to be used with `with`.

    Each has shown its tariff, has had its clock set, and has told once that nothing charges.
    """

    def __init__(self, port: int, count: int, *, talks: bool) -> None:
        """`talks` is False for a server that answers logins and heartbeats and nothing else."""
        self._port = port
        self._talks = talks
        self._open = ExitStack()
        self._selector = self._open.enter_context(selectors.DefaultSelector())
        self._lines: list[_Line] = []
        self._next_heartbeat = 0.0
        for first in range(0, count, AT_ONCE):
            self._connect(range(first, min(first + AT_ONCE, count)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    def idle(self, seconds: float) -> None:
        """Send nothing but heartbeats for so long; raises `BenchmarkError` when a line ends."""
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            if now >= self._next_heartbeat:
                self._next_heartbeat = now + HEARTBEAT_EVERY_S
                for line in self._lines:
                    line.socket.send(line.heartbeat)
            self._hear(min(until, self._next_heartbeat) - now)

    def _connect(self, numbers: range) -> None:
        for number in numbers:
            line = _Line(number, self._open.enter_context(socket.create_connection((HOST, self._port))), self._talks)
            self._selector.register(line.socket, selectors.EVENT_READ, line)
            self._lines.append(line)
            line.socket.send(login_frame(number))
        until = time.monotonic() + PATIENCE_S
        while not all(line.is_served for line in self._lines[-len(numbers) :]):
            if time.monotonic() > until:
                raise BenchmarkError("not every charger was served after its login")
            self._hear(1.0)

    def _hear(self, patience_s: float) -> None:
        for key, _ in self._selector.select(max(0.0, patience_s)):
            key.data.hear()


class _Line:
    """One charger's socket."""

    def __init__(self, number: int, line: socket.socket, talks: bool) -> None:
        self.socket = line
        self.heartbeat = heartbeat_frame(number)
        self._code = code_of(number)
        self._rest = b""
        self._awaited = {LOGIN_ACK, TARIFF_CHECK_ACK, TIME_SYNC} if talks else {LOGIN_ACK}

    @property
    def is_served(self) -> bool:
        """Whether everything that follows a login has come."""
        return not self._awaited

    def hear(self) -> None:
        """Take what has come, and answer it."""
        data = self.socket.recv(65_536)
        if not data:
            raise BenchmarkError(f"the line of charger {self._code} ended")
        data = self._rest + data
        at = 0
        while len(data) - at > TYPE_AT and len(data) - at >= data[at + LENGTH_AT] + ENVELOPE_BYTES:
            self._answer(data[at + TYPE_AT])
            at += data[at + LENGTH_AT] + ENVELOPE_BYTES
        self._rest = data[at:]

    def _answer(self, frame_type: int) -> None:
        talks = len(self._awaited) > 1
        self._awaited.discard(frame_type)
        if frame_type == LOGIN_ACK and talks:
            self._send("tariff_check", {"model_no": TARIFF.model_no})
            self._send("realtime", _idle_reading())
        elif frame_type == TIME_SYNC:
            self._send("time_sync_reply", {"time": ms_to_cp56(time.time_ns() // 1_000_000, ZONE)})

    def _send(self, message: str, fields: dict[str, Any]) -> None:
        self.socket.send(encode_raw(message, {"pile_code": self._code, **fields}, seq=SEQ, checksum_order="le"))


def _idle_reading() -> dict[str, Any]:
    numbers = (
        "gun_home voltage current cable_temp soc battery_temp_max charge_minutes remain_minutes energy loss_energy "
        "amount fault_bits"
    )
    return {
        "trade_no": NO_SESSION,
        "gun_no": "01",
        "state": IDLE_STATE,
        "plugged": 0,
        "cable_id": "0" * 16,
        **dict.fromkeys(numbers.split(), 0),
    }
