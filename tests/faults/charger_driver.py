"""Chargers in a process of their own that write down all that they send and hear: the witness of the fault suite.

`python -m tests.faults.charger_driver PORT LOG PILES RUN SEED [RATE]` logs in the chargers PILES (codes with commas),
and sends readings, heartbeats and records until SIGTERM; then it waits for the acknowledgements that are missing, at
the longest as long as the first line on standard input says, in seconds. RUN makes trade numbers and counters new.
RATE: bursts a second of each charger. Times are CLOCK_MONOTONIC in ns, which all processes of a machine share.

A record is sent again over each new connection, and every five seconds, until it is acknowledged. Readings and
heartbeats are sent once.
"""

import asyncio
import random
import signal
import socket
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.faults.sender_log import DIGITS_OF_NUMBER, Line
from tests.faults.wire_check import (
    HEARTBEAT_ANSWER,
    LOGIN_ANSWER,
    RECORD_ANSWER,
    TRADE_NO,
    GarbledError,
    is_whole,
    take_frames,
)
from tests.ingest.charger_frames import charging, heartbeat, login, record

NUMBERS_OF_A_RUN: Final = 100_000
AGAIN_AFTER_NS: Final = 5_000_000_000
LOGIN_WITHIN_S: Final = 10.0
RECORDS_PER_BURST: Final = 0.4
DRAIN_S: Final = 40.0


class Log:
    """Lines of JSON, on the file when `add` returns."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        self._encode = msgspec.json.Encoder().encode

    def add(self, line: Line) -> None:
        """Write one line."""
        self._file.write(self._encode(line) + b"\n")


class Charger:
    """One charger: its connection, its counters, and the records that nobody has acknowledged yet."""

    def __init__(self, code: str, port: int, log: Log, run: int, chance: random.Random) -> None:
        self._code = code
        self._port = port
        self._log = log
        self._run = run
        self._chance = chance
        self._number = 0
        self._connection = 0
        self.unacknowledged: dict[str, tuple[bytes, int]] = {}

    async def live(self, pause_s: float, stopped: asyncio.Event, settled: asyncio.Event) -> None:
        """Stay connected until `stopped`, and then until every record is acknowledged or `settled` is set."""
        while not settled.is_set() and not (stopped.is_set() and not self.unacknowledged):
            line = socket.socket()
            line.setblocking(False)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connection += 1
            try:
                await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", self._port))
                await self._talk(line, pause_s, stopped, settled)
            except (OSError, GarbledError, TimeoutError) as error:
                self._note("down", text=repr(error))
                await asyncio.sleep(0.02 + self._chance.random() * 0.1)
            finally:
                line.close()

    async def _talk(self, line: socket.socket, pause_s: float, stopped: asyncio.Event, settled: asyncio.Event) -> None:
        logged_in = asyncio.Event()
        hearing = asyncio.ensure_future(self._hear(line, logged_in))
        try:
            await self._send(line, login(self._code), "login")
            await self._either(hearing, logged_in.wait(), LOGIN_WITHIN_S)
            for trade_no in list(self.unacknowledged):
                await self._send_record(line, trade_no)
            while not settled.is_set() and not (stopped.is_set() and not self.unacknowledged):
                if not stopped.is_set():
                    await self._burst(line)
                await self._repeat(line)
                await self._either(hearing, asyncio.sleep(pause_s * 2 * self._chance.random()), 60.0)
        finally:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)

    async def _either(self, hearing: "asyncio.Future[None]", other: Awaitable[object], limit_s: float) -> None:
        """Wait for `other`; raises what ended the hearing when that comes first."""
        task = asyncio.ensure_future(other)
        waiting: set[asyncio.Future[Any]] = {hearing, task}
        done, _ = await asyncio.wait(waiting, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        if task not in done:
            task.cancel()
        if hearing in done:
            hearing.result()
        if not done:
            raise TimeoutError("no answer to the login")

    async def _burst(self, line: socket.socket) -> None:
        """Some readings and a heartbeat in one piece, perhaps a record."""
        frames = []
        for _ in range(self._chance.randrange(1, 6)):
            number = self._next()
            trade_no = self._trade_no(number - number % 50)
            frames.append((charging(trade_no, number, 0, self._code, amount=number), "reading", number))
        number = self._next()
        frames.append((heartbeat(self._code, seq=(number & 0xFFFF).to_bytes(2, "little")), "beat", number))
        for frame, kind, number in frames:
            self._note(kind, number=number, data=frame)
        await asyncio.get_running_loop().sock_sendall(line, b"".join(frame for frame, _, _ in frames))
        if self._chance.random() < RECORDS_PER_BURST:
            number = self._next()
            trade_no = self._trade_no(number)
            self.unacknowledged[trade_no] = (record(trade_no, self._code, energy=number, amount=number), 0)
            await self._send_record(line, trade_no)

    async def _repeat(self, line: socket.socket) -> None:
        now = time.monotonic_ns()
        for trade_no, (_, sent) in list(self.unacknowledged.items()):
            if now - sent > AGAIN_AFTER_NS:
                await self._send_record(line, trade_no)

    async def _send_record(self, line: socket.socket, trade_no: str) -> None:
        if trade_no in self.unacknowledged:
            data, _ = self.unacknowledged[trade_no]
            self.unacknowledged[trade_no] = (data, time.monotonic_ns())
            await self._send(line, data, "record", trade_no)

    async def _send(self, line: socket.socket, data: bytes, kind: str, text: str = "") -> None:
        self._note(kind, data=data, text=text)
        await asyncio.get_running_loop().sock_sendall(line, data)

    async def _hear(self, line: socket.socket, logged_in: asyncio.Event) -> None:
        buffer = bytearray()
        while True:
            data = await asyncio.get_running_loop().sock_recv(line, 65_536)
            if not data:
                raise ConnectionResetError("the platform hung up")
            buffer += data
            for frame in take_frames(buffer):
                if not is_whole(frame):
                    raise GarbledError(frame.hex())
                if frame[5] == LOGIN_ANSWER:
                    if frame[13] != 0:
                        raise ConnectionRefusedError("login refused")
                    logged_in.set()
                elif frame[5] == HEARTBEAT_ANSWER:
                    self._note("heard")
                elif frame[5] == RECORD_ANSWER:
                    trade_no = frame[TRADE_NO].hex().upper()
                    if frame[22] == 0 and trade_no in self.unacknowledged:
                        del self.unacknowledged[trade_no]
                        self._note("ack", text=trade_no)

    def _note(self, kind: str, *, number: int = 0, data: bytes = b"", text: str = "") -> None:
        self._log.add(Line(kind, self._code, self._connection, time.monotonic_ns(), number, data.hex(), text))

    def _next(self) -> int:
        self._number += 1
        return self._run * NUMBERS_OF_A_RUN + self._number

    def _trade_no(self, number: int) -> str:
        return f"{self._code}01{number:0{DIGITS_OF_NUMBER}d}"


async def drive(port: int, path: Path, codes: list[str], run: int, seed: int, rate: float) -> None:
    """Run the chargers until SIGTERM, and a while longer for the acknowledgements that are missing."""
    log = Log(path)
    chance = random.Random(seed)
    stopped, settled = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    chargers = [Charger(code, port, log, run, random.Random(chance.random())) for code in codes]
    lives = [asyncio.create_task(charger.live(1 / rate, stopped, settled)) for charger in chargers]
    print("ready", flush=True)
    await stopped.wait()
    waited_s = float(await asyncio.to_thread(sys.stdin.readline) or DRAIN_S)
    await asyncio.wait(lives, timeout=waited_s)
    settled.set()
    await asyncio.wait(lives, timeout=5.0)
    for life in lives:
        if life.done():
            life.result()
        else:
            life.cancel()


if __name__ == "__main__":
    _, _port, _path, _codes, _run, _seed, *_rate = sys.argv
    asyncio.run(
        drive(int(_port), Path(_path), _codes.split(","), int(_run), int(_seed), float(_rate[0]) if _rate else 10.0)
    )
