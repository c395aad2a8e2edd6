"""A crowd of chargers in a process of its own: thousands that come at once, that never read, or that vanish.

`python -m tests.faults.crowd_driver PORT LOG FIRST COUNT RUN MANNER` prepares COUNT chargers with codes from FIRST on,
says `ready`, and obeys standard input:

- `go SECONDS`: all connect at once. Manner `backlog`: each logs in and sends ten readings of a charge that it had
  stored, and the record of it; then heartbeats. Manner `deaf`: each logs in, reads nothing from then on, and sends
  heartbeats for as long as the line takes them. When all have their acknowledgement, or the time is up, it says
  `served COUNT SECONDS LONGEST_LOGIN LONGEST_ACK`.
- `vanish`: every socket is forgotten by the kernel without a word to the other side (needs the right to administer the
  network), and nobody comes back. Says `vanished`.
- `finish`: the chargers hang up, and the process ends.

What is sent and heard is written down as by `charger_driver`, so that the same judge reads it.
"""

import asyncio
import random
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import uvloop

from tests.faults.charger_driver import NUMBERS_OF_A_RUN, Log
from tests.faults.sender_log import DIGITS_OF_NUMBER, Line
from tests.faults.wire_check import LOGIN_ANSWER, RECORD_ANSWER, TRADE_NO, GarbledError, is_whole, take_frames
from tests.ingest.charger_frames import charging, heartbeat, login, record

STORED_READINGS: Final = 10
AGAIN_AFTER_S: Final = 20.0
HEARTBEAT_S: Final = 10.0
BACK_WITHIN_S: Final = 1.0
CONNECTING_AT_ONCE: Final = 500
"""Of one process: it must say who each charger is before it lets more connect, or they come late by its own fault."""
LAST_ANSWERS_S: Final = 1.0
DEAF_BUFFER_BYTES: Final = 4096
DEAF_BEATS: Final = 20_000
BEATS_AT_ONCE: Final = 100
TCP_REPAIR: Final = 19
"""Linux: a socket that is closed in this state goes without a FIN."""


class Crowd:
    """All chargers of this process."""

    def __init__(self, port: int, log: Log, codes: list[str], run: int, *, deaf: bool) -> None:
        self.log = log
        self.run = run
        self.deaf = deaf
        self.ended = False
        self.served = asyncio.Event()
        self.began_s = 0.0
        self.longest_login_s = 0.0
        self.longest_ack_s = 0.0
        self._port = port
        self._acknowledged = 0
        self._connecting = asyncio.Semaphore(CONNECTING_AT_ONCE)
        self.chargers = [Charger(self, code) for code in codes]

    def go(self) -> None:
        """Let all of them connect now."""
        self.began_s = time.monotonic()
        for charger in self.chargers:
            asyncio.get_running_loop().create_task(self.connect(charger))

    async def connect(self, charger: "Charger", pause_s: float = 0.0) -> None:
        """Connect until the platform takes it."""
        loop = asyncio.get_running_loop()
        while not self.ended:
            await asyncio.sleep(pause_s)
            async with self._connecting:
                line = socket.socket()
                if self.deaf:
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DEAF_BUFFER_BYTES)
                line.setblocking(False)
                try:
                    await loop.sock_connect(line, ("127.0.0.1", self._port))
                    await loop.create_connection(lambda: charger, sock=line)
                    return
                except OSError:
                    line.close()
                    pause_s = random.random() * BACK_WITHIN_S

    def logged_in(self) -> None:
        """One more has been let in."""
        self.longest_login_s = time.monotonic() - self.began_s

    def acknowledged(self) -> None:
        """One more has the acknowledgement of its record."""
        self.longest_ack_s = time.monotonic() - self.began_s
        self._acknowledged += 1
        if self._acknowledged == len(self.chargers):
            self.served.set()

    async def until_served(self, limit_s: float) -> str:
        """Wait for the last acknowledgement; gives the line that tells it."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.served.wait(), limit_s)
        took_s = time.monotonic() - self.began_s
        return f"served {self._acknowledged} {took_s:.3f} {self.longest_login_s:.3f} {self.longest_ack_s:.3f}"

    def vanish(self) -> None:
        """No socket says goodbye."""
        self.ended = True
        for charger in self.chargers:
            charger.vanish()

    async def finish(self) -> None:
        """Hang up when the last answers are in."""
        self.ended = True
        await asyncio.sleep(LAST_ANSWERS_S)
        for charger in self.chargers:
            charger.hang_up()
        await asyncio.sleep(LAST_ANSWERS_S)


class Charger(asyncio.Protocol):
    """One of them, on its present connection."""

    def __init__(self, crowd: Crowd, code: str) -> None:
        self._crowd = crowd
        self._code = code
        self._number = crowd.run * NUMBERS_OF_A_RUN
        self._connection = 0
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._record_sent_s = 0.0
        self._full = False
        number = self._next()
        self._trade_no = f"{code}01{number:0{DIGITS_OF_NUMBER}d}"
        self._record = record(self._trade_no, code, energy=number, amount=number)
        self._readings = [self._reading() for _ in range(0 if crowd.deaf else STORED_READINGS)]
        self._is_acknowledged = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who it is."""
        self._transport = cast(asyncio.Transport, transport)
        self._connection += 1
        self._received.clear()
        self._send([("login", 0, login(self._code), "")])

    def data_received(self, data: bytes) -> None:
        """Take answers."""
        self._received += data
        try:
            for frame in take_frames(self._received):
                if not is_whole(frame):
                    raise GarbledError(frame.hex())
                self._answered(frame)
        except (GarbledError, ConnectionRefusedError) as error:
            self._note("down", text=repr(error))
            self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back, unless all have ended."""
        self._transport = None
        self._stop_timer()
        if not self._crowd.ended:
            self._note("down", text=repr(exc))
            pause_s = random.random() * BACK_WITHIN_S
            asyncio.get_running_loop().create_task(self._crowd.connect(self, pause_s))

    def pause_writing(self) -> None:
        """The line takes no more."""
        self._full = True

    def resume_writing(self) -> None:
        """It does again."""
        self._full = False

    def hang_up(self) -> None:
        """As a charger that restarts."""
        if self._transport is not None:
            self._transport.close()

    def vanish(self) -> None:
        """As a charger that loses its power."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
            self._transport.abort()

    def _answered(self, frame: bytes) -> None:
        if frame[5] == LOGIN_ANSWER:
            if frame[13] != 0:
                raise ConnectionRefusedError("login refused")
            self._crowd.logged_in()
            if self._crowd.deaf and self._transport is not None:
                self._transport.pause_reading()
                self._talk_on()
            else:
                self._send_backlog()
        elif frame[5] == RECORD_ANSWER and frame[22] == 0 and frame[TRADE_NO].hex().upper() == self._trade_no:
            self._told_that_it_is_stored()

    def _told_that_it_is_stored(self) -> None:
        if not self._is_acknowledged:
            self._is_acknowledged = True
            self._note("ack", text=self._trade_no)
            self._crowd.acknowledged()

    def _send_backlog(self) -> None:
        stored = [("reading", number, data, "") for number, data in self._readings]
        self._readings = []
        if not self._is_acknowledged:
            self._record_sent_s = time.monotonic()
            stored.append(("record", 0, self._record, self._trade_no))
        self._send(stored)
        self._later(HEARTBEAT_S * random.random(), self._live_on)

    def _live_on(self) -> None:
        if not self._is_acknowledged and time.monotonic() - self._record_sent_s > AGAIN_AFTER_S:
            self._send_backlog()
            return
        self._send([self._beat()])
        self._later(HEARTBEAT_S, self._live_on)

    def _talk_on(self) -> None:
        if not self._full and self._number % NUMBERS_OF_A_RUN < DEAF_BEATS:
            self._send([self._beat() for _ in range(BEATS_AT_ONCE)])
        self._later(0.01, self._talk_on)

    def _beat(self) -> tuple[str, int, bytes, str]:
        number = self._next()
        return ("beat", number, heartbeat(self._code, seq=(number & 0xFFFF).to_bytes(2, "little")), "")

    def _send(self, frames: list[tuple[str, int, bytes, str]]) -> None:
        if self._transport is None or self._transport.is_closing() or self._crowd.ended:
            return
        for kind, number, data, text in frames:
            self._note(kind, number, data, text)
        self._transport.write(b"".join(data for _, _, data, _ in frames))

    def _note(self, kind: str, number: int = 0, data: bytes = b"", text: str = "") -> None:
        line = Line(kind, self._code, self._connection, time.monotonic_ns(), number, data.hex(), text)
        self._crowd.log.add(line)

    def _reading(self) -> tuple[int, bytes]:
        number = self._next()
        return number, charging(self._trade_no, number, 0, self._code, amount=number)

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _later(self, delay_s: float, then: Callable[[], None]) -> None:
        self._timer = asyncio.get_running_loop().call_later(delay_s, then)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def codes_from(first: str, count: int) -> list[str]:
    """As `[[piles]]` of the master data counts them."""
    return [f"{int(first) + place:0{len(first)}d}" for place in range(count)]


async def obey(crowd: Crowd) -> None:
    """Do what standard input says, until it says `finish`, or ends."""
    print("ready", flush=True)
    while words := (await asyncio.to_thread(sys.stdin.readline)).split():
        if words[0] == "go":
            crowd.go()
            print(await crowd.until_served(float(words[1])), flush=True)
        elif words[0] == "vanish":
            crowd.vanish()
            print("vanished", flush=True)
        else:
            break
    await crowd.finish()


if __name__ == "__main__":
    _, _port, _path, _first, _count, _run, _manner = sys.argv
    _codes = codes_from(_first, int(_count))
    uvloop.run(obey(Crowd(int(_port), Log(Path(_path)), _codes, int(_run), deaf=_manner == "deaf")))
