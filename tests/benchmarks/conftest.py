"""A tiny scripted platform on a real socket: what a simulated charger talks to in these tests."""

import asyncio
import contextlib
import selectors
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from core.ykc.codec import decode_body, encode_raw, raw_fields
from core.ykc.cp56 import ms_to_cp56
from core.ykc.splitter import FRAME_BE, FRAME_LE, FrameSplitter

Frame = tuple[int, bytes, bytes]
Answer = Callable[[int, bytes, dict[str, Any]], list[bytes] | None]

NEW_TARIFF = {
    "model_no": "0777",
    **{f"{name}_energy_price": 100_000 for name in ("sharp", "peak", "flat", "valley")},
    **{f"{name}_service_price": 50_000 for name in ("sharp", "peak", "flat", "valley")},
    "loss_ratio": 0,
    "slot_rates": bytes([2] * 48),
}


class LeapingSelector(selectors.DefaultSelector):
    """Waits for nothing: when no socket is ready, time leaps to the next timer.

    Both ends of the loopback are in this process, so what one end wrote is ready at once for the other.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leapt_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout is None or timeout <= 0:
            return ready or (super().select(timeout) if timeout is None else [])
        self.leapt_s += timeout
        return []


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop with real sockets whose time leaps over every pause: hours pass in seconds."""

    def __init__(self) -> None:
        self._leaping = LeapingSelector()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.leapt_s


class ScriptedPlatform:
    """Answers as a platform does, except where `script` gives another answer (a list of frames, perhaps empty)."""

    def __init__(self, script: Answer | None = None) -> None:
        self.frames: list[Frame] = []
        self.orders: set[str] = set()
        self.noise: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._script = script
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def send(self, frame: bytes) -> None:
        self._writers[-1].write(frame)

    def of_type(self, frame_type: int) -> list[dict[str, Any]]:
        """The fields of the frames of one type received so far, in wire units."""
        return [raw_fields(kind, body) for kind, _, body in self.frames if kind == frame_type]

    async def until(self, condition: Callable[[], object], seconds: float = 7_200) -> None:
        """Wait until something is so; fails the test when it does not come."""
        for _ in range(int(seconds / 0.25)):
            if condition():
                return
            await asyncio.sleep(0.25)
        raise AssertionError(f"it did not come; received: {[hex(kind) for kind, _, _ in self.frames]}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        splitter = FrameSplitter()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                for i in range(splitter.feed_bytes(data)):
                    kind, span = splitter.span(i)
                    if kind not in (FRAME_LE, FRAME_BE):
                        self.noise.append(span)
                        continue
                    self.orders.add("le" if kind == FRAME_LE else "be")
                    frame_type, seq, body = span[5], span[2:4], span[6:-2]
                    assert decode_body(frame_type, body).layout_ok
                    self.frames.append((frame_type, seq, body))
                    for answer in self._answers(frame_type, seq, raw_fields(frame_type, body)):
                        writer.write(answer)

    def _answers(self, frame_type: int, seq: bytes, fields: dict[str, Any]) -> list[bytes]:
        scripted = None if self._script is None else self._script(frame_type, seq, fields)
        if scripted is not None:
            return scripted
        code = {"pile_code": fields["pile_code"]}
        match frame_type:
            case 0x01:
                time = {**code, "time": ms_to_cp56(1_795_363_200_000, "Asia/Shanghai")}
                return [
                    encode_raw("login_ack", {**code, "result": 0}, seq=seq),
                    encode_raw("time_sync", time, seq=b"\x07\x01"),
                ]
            case 0x03:
                return [encode_raw("heartbeat_ack", {**code, "gun_no": fields["gun_no"], "reserved": 0}, seq=seq)]
            case 0x05:
                ack = {**code, "model_no": fields["model_no"], "result": 0 if fields["model_no"] == "0777" else 1}
                return [encode_raw("tariff_check_ack", ack, seq=seq)]
            case 0x09:
                return [encode_raw("tariff_reply", {**code, **NEW_TARIFF}, seq=seq)]
            case 0x3B:
                return [encode_raw("record_ack", {"trade_no": fields["trade_no"], "result": 0}, seq=seq)]
        return []


@pytest.fixture
def leaping_loop() -> type[asyncio.SelectorEventLoop]:
    """The class of an event loop that waits for sockets but not for time."""
    return LeapingLoop


@pytest.fixture
def scripted_platform() -> "Callable[..., contextlib.AbstractAsyncContextManager[ScriptedPlatform]]":
    """`async with scripted_platform(script) as platform`: serves on a free port of the loopback."""

    @contextlib.asynccontextmanager
    async def serve(script: Answer | None = None) -> AsyncIterator[ScriptedPlatform]:
        platform = ScriptedPlatform(script)
        await platform.start()
        try:
            yield platform
        finally:
            await platform.stop()

    return serve
