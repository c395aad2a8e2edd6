"""A TCP proxy between chargers and gateway that cuts, delays, duplicates and garbles, by a seed."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

CUT, DELAY, DUPLICATE, GARBLE = "cut", "delay", "duplicate", "garble"
ALL: Final = (CUT, DELAY, DUPLICATE, GARBLE)
READ_BYTES: Final = 4096
OFTEN: Final = 0.03
LONGEST_DELAY_S: Final = 0.25


class LineProxy:
    """Forwards connections to `target`; a fault hits a piece of what passes, either way, with a chance of `OFTEN`.

    `delivered` counts bytes handed to the gateway, `done` the faults by kind. Cut: the charger's side is reset, the
    gateway's ended. Garble: bits of one byte flip, which a checksum of 16 bits always shows.
    """

    def __init__(self, target: int, kinds: Sequence[str], seed: int) -> None:
        self.delivered = 0
        self.done: Counter[str] = Counter()
        self.port = 0
        self._target = target
        self._kinds = kinds
        self._chance = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="line proxy", daemon=True)

    def __enter__(self) -> "LineProxy":
        self._thread.start()
        assert self._opened.wait(10.0)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10.0)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._opened.set()
        self._loop.run_forever()
        server.close()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ways = (self._forward(reader, back, up=True), self._forward(there, writer, up=False))
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(OSError):
            back.close()
        writer.transport.abort()

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, up: bool) -> None:
        with suppress(OSError):
            while data := await source.read(READ_BYTES):
                kind = self._chance.choice(self._kinds) if self._chance.random() < OFTEN else ""
                if kind:
                    self.done[kind] += 1
                    data = await self._harmed(kind, data)
                target.write(data)
                await target.drain()
                self.delivered += len(data) if up else 0
                if kind == CUT:
                    return

    async def _harmed(self, kind: str, data: bytes) -> bytes:
        if kind == CUT:
            return data[: self._chance.randrange(len(data))]
        if kind == DUPLICATE:
            return data + data
        if kind == GARBLE:
            place = self._chance.randrange(len(data))
            return data[:place] + bytes([data[place] ^ self._chance.randrange(1, 256)]) + data[place + 1 :]
        await asyncio.sleep(self._chance.random() * LONGEST_DELAY_S)
        return data
