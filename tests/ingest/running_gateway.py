"""A real gateway on a free port, and chargers that speak to it, for one test."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import uvloop

from core.aaf5.splitter import Aaf5Splitter
from core.directory import PileDirectory
from core.ykc.splitter import FrameSplitter
from ingest.disk import Disk
from ingest.gateway import Gateway, GatewaySettings, Ports
from ingest.group_commit import GroupCommit
from ingest.spool import DEFAULT_MAX_BYTES, Spool
from ingest.start_decision import DecideStart
from tests.ingest.charger_frames import SpoolContent, login, make_directory

T = TypeVar("T")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def run(test: Coroutine[Any, Any, T]) -> T:
    """On the event loop of the product, with a bound on the time."""

    async def bounded() -> T:
        return await asyncio.wait_for(test, 45)

    return uvloop.run(bounded())


class Charger:
    """One connection of a charger: sends bytes, collects whole frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: str = "ykc") -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = FrameSplitter() if protocol == "ykc" else Aaf5Splitter()
        self._frames: list[bytes] = []

    @classmethod
    async def connect(
        cls, gateway: Gateway, port: str = "", protocol: str = "ykc", tls: ssl.SSLContext | None = None
    ) -> "Charger":
        """Connect to the port of that kind, the first one by default."""
        number = gateway.ports[port] if port else gateway.port
        return cls(*await asyncio.open_connection("127.0.0.1", number, ssl=tls), protocol)

    @classmethod
    async def logged_in(cls, gateway: Gateway, **fields: Any) -> "Charger":
        """Log in and read past the greeting: 0x02 and 0x56."""
        charger = await cls.connect(gateway)
        await charger.send(login(**fields))
        assert [frame[5] for frame in await charger.receive(2)] == [0x02, 0x56]
        return charger

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self, count: int = 1) -> list[bytes]:
        """The next `count` frames; fails when they do not come within 15 s."""
        async with asyncio.timeout(15):
            while len(self._frames) < count:
                data = await self._reader.read(32_768)
                assert data, f"the gateway hung up; got only {[frame.hex() for frame in self._frames]}"
                self._splitter.feed_bytes(data)
                for i in range(self._splitter.count):
                    kind, frame = self._splitter.span(i)
                    assert kind == 1, frame.hex()
                    self._frames.append(frame)
        taken, self._frames = self._frames[:count], self._frames[count:]
        return taken

    async def silent(self, seconds: float) -> bool:
        """Whether nothing comes for so long."""
        if self._frames:
            return False
        try:
            async with asyncio.timeout(seconds):
                data = await self._reader.read(65_536)
        except TimeoutError:
            return True
        self._splitter.feed_bytes(data)
        self._frames += [self._splitter.span(i)[1] for i in range(self._splitter.count)]
        return False

    async def hung_up(self) -> bytes:
        """Wait for the end of the connection; gives what came before it."""
        async with asyncio.timeout(15):
            try:
                return b"".join(self._frames) + await self._reader.read(-1)
            except ConnectionResetError:
                return b""

    @property
    def peer(self) -> str:
        """Its address as the gateway sees it."""
        host, port = self._writer.get_extra_info("sockname")[:2]
        return f"{host}:{port}"

    async def close(self) -> None:
        self._writer.close()

    def cut(self) -> None:
        """As when the radio link dies under it: a reset."""
        self._writer.transport.abort()


class Running:
    """A gateway, and after its end what its spool holds."""

    def __init__(self, gateway: Gateway, spool: Spool, group_commit: GroupCommit) -> None:
        self.gateway = gateway
        self.spool = spool
        self.group_commit = group_commit

    async def content(self) -> SpoolContent:
        """What the spool holds now."""
        await self.group_commit.drain()
        return SpoolContent(self.spool.folder)

    async def until(self, condition: Any) -> None:
        """Wait until `condition()` holds; fails after 15 s."""
        async with asyncio.timeout(15):
            while not condition():
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    folder: Path,
    *,
    directory: PileDirectory | None = None,
    disk: Disk | None = None,
    clock: Any = now_ms,
    group_commit: type[GroupCommit] = GroupCommit,
    drained: bool = True,
    ports: Ports | int = 0,
    decide_start: DecideStart | None = None,
    spool_bytes: int = DEFAULT_MAX_BYTES,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Start a gateway; at the end stop it and check that it left nothing behind."""
    spool = Spool(folder / "spool", clock=clock, disk=disk, max_bytes=spool_bytes)
    commit = group_commit(spool)
    commit.start()
    gateway = Gateway(
        directory or make_directory(), spool, commit, clock, GatewaySettings(**settings), decide_start=decide_start
    )
    await gateway.start("127.0.0.1", ports)
    try:
        yield Running(gateway, spool, commit)
    finally:
        await gateway.stop()
        await commit.close()
        spool.close()
    assert gateway.status().connections == 0
    assert gateway.status().logged_in == 0
    assert not drained or spool.buffer.pending == 0
