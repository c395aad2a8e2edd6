"""A tiny scripted platform on a real socket: what a simulated charger talks to in these tests."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from benchmarks.fleet.clock import Clock
from benchmarks.fleet.live import LiveFleet
from benchmarks.fleet.plan import Plan
from benchmarks.leaping_loop import LeapingLoop
from core.aaf5 import codec as aaf5
from core.aaf5.splitter import FRAME_LE as AAF5_FRAME
from core.aaf5.splitter import Aaf5Splitter
from core.ykc.codec import decode_body, encode_raw, raw_fields
from core.ykc.cp56 import ms_to_cp56
from core.ykc.splitter import FRAME_BE, FRAME_LE, FrameSplitter

Frame = tuple[int, bytes, bytes]
Answer = Callable[[int, bytes, dict[str, Any]], list[bytes] | None]

Serve = Callable[..., contextlib.AbstractAsyncContextManager["ScriptedPlatform"]]
Play = Callable[..., LiveFleet]

LIVE_MS = 1_795_363_200_000

NEW_TARIFF = {
    "model_no": "0777",
    **{f"{name}_energy_price": 100_000 for name in ("sharp", "peak", "flat", "valley")},
    **{f"{name}_service_price": 50_000 for name in ("sharp", "peak", "flat", "valley")},
    "loss_ratio": 0,
    "slot_rates": bytes([2] * 48),
}


YLC_FRAMES = {(0x03, 18), (0x13, 149)}  # type and bytes of the longer heartbeat and realtime frame


class ScriptedPlatform:
    """Answers as a platform does, except where `script` gives another answer (a list of frames, perhaps empty)."""

    def __init__(self, script: Answer | None = None) -> None:
        self.frames: list[Frame] = []
        self.orders: set[str] = set()
        self.noise: list[bytes] = []
        self.bytes_by_type: dict[int, list[bytes]] = {}
        self.by_connection: list[tuple[asyncio.StreamWriter, int]] = []
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
        return [self.fields_of(kind, body) for kind, _, body in self.frames if kind == frame_type]

    async def until(self, condition: Callable[[], object], seconds: float = 7_200) -> None:
        """Wait until something is so; fails the test when it does not come."""
        for _ in range(int(seconds / 0.25)):
            if condition():
                return
            await asyncio.sleep(0.25)
        raise AssertionError(f"it did not come; received: {Counter(kind for kind, _, _ in self.frames)}")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        splitter = self.make_splitter()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                for i in range(splitter.feed_bytes(data)):
                    frame = self.frame_of(*splitter.span(i))
                    if frame is None:
                        self.noise.append(splitter.span(i)[1])
                        continue
                    self.frames.append(frame)
                    self.bytes_by_type.setdefault(frame[0], []).append(splitter.span(i)[1])
                    self.by_connection.append((writer, frame[0]))
                    for answer in self._answers(*frame):
                        writer.write(answer)

    def _answers(self, frame_type: int, seq: bytes, body: bytes) -> list[bytes]:
        fields = self.fields_of(frame_type, body)
        scripted = None if self._script is None else self._script(frame_type, seq, fields)
        return self.usual_answers(frame_type, seq, fields) if scripted is None else scripted

    # What YKC is, and what its platform answers; AAF5 differs in these.

    def make_splitter(self) -> Any:
        return FrameSplitter()

    def frame_of(self, kind: int, span: bytes) -> Frame | None:
        if kind not in (FRAME_LE, FRAME_BE):
            return None
        self.orders.add("le" if kind == FRAME_LE else "be")
        assert decode_body(span[5], span[6:-2]).layout_ok or (span[5], len(span)) in YLC_FRAMES
        return span[5], span[2:4], span[6:-2]

    def fields_of(self, frame_type: int, body: bytes) -> dict[str, Any]:
        return raw_fields(frame_type, body)

    def usual_answers(self, frame_type: int, seq: bytes, fields: dict[str, Any]) -> list[bytes]:
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


class ScriptedAaf5Platform(ScriptedPlatform):
    """The same for chargers that speak AAF5."""

    def make_splitter(self) -> Any:
        return Aaf5Splitter()

    def frame_of(self, kind: int, span: bytes) -> Frame | None:
        if kind != AAF5_FRAME:
            return None
        command = int.from_bytes(span[6:8], "little")
        assert aaf5.decode_body(command, span[8:-1]).layout_ok
        return command, span[5:6], span[8:-1]

    def fields_of(self, frame_type: int, body: bytes) -> dict[str, Any]:
        return aaf5.raw_fields(frame_type, body)

    def usual_answers(self, frame_type: int, seq: bytes, fields: dict[str, Any]) -> list[bytes]:
        head = {"reserved1": 0, "reserved2": 0}
        match frame_type:
            case 106:
                return [aaf5.encode_raw("login_ack", {**head, "random": fields["random"], "result": 0}, seq=seq)]
            case 102:
                return [aaf5.encode_raw("heartbeat_ack", {**head, "counter": fields["counter"]}, seq=seq)]
            case 104:
                echo = {"gun_no": fields["gun_no"], "value1": 0, "value2": 0, "serial": fields.get("serial", "")}
                return [aaf5.encode_raw("status_ack", {**head, **echo}, seq=seq)]
            case 202:
                return [record_ack(fields, seq)]
            case 204:
                reply = {"result": 0, "reserved3": "000000", "balance": 10_000}
                return [aaf5.encode_raw("account_reply", {**head, **reply}, seq=seq)]
        return []


def record_ack(record: dict[str, Any], seq: bytes = b"\0") -> bytes:
    """201 that echoes a record."""
    echo = {"gun_no": record["gun_no"], "card": record["card"], "record_index": record["record_index"]}
    echo |= {"value1": 0, "serial": record.get("serial", ""), "reserved1": 0, "reserved2": 0}
    return aaf5.encode_raw("record_ack", echo, seq=seq)


@pytest.fixture
def leaping_loop() -> type[asyncio.SelectorEventLoop]:
    """The class of an event loop that waits for sockets but not for time."""
    return LeapingLoop


@pytest.fixture
def scripted_platform() -> "Callable[..., contextlib.AbstractAsyncContextManager[ScriptedPlatform]]":
    """`async with scripted_platform(script) as platform`: serves on a free port of the loopback."""

    return _serving(ScriptedPlatform)


@pytest.fixture
def scripted_aaf5_platform() -> "Callable[..., contextlib.AbstractAsyncContextManager[ScriptedPlatform]]":
    """The same for AAF5."""
    return _serving(ScriptedAaf5Platform)


def _serving(
    kind: type[ScriptedPlatform],
) -> "Callable[..., contextlib.AbstractAsyncContextManager[ScriptedPlatform]]":
    @contextlib.asynccontextmanager
    async def serve(script: Answer | None = None) -> AsyncIterator[ScriptedPlatform]:
        platform = kind(script)
        await platform.start()
        try:
            yield platform
        finally:
            await platform.stop()

    return serve


@pytest.fixture
def play(scripted_platform: Serve, leaping_loop: type[asyncio.SelectorEventLoop]) -> Play:
    """`play(plan, scenario)` runs a fleet against the scripted platform until the scenario ends.

    Errors in the fleet fail the test.
    """
    return _playing(scripted_platform, leaping_loop)


@pytest.fixture
def play_aaf5(scripted_aaf5_platform: Serve, leaping_loop: type[asyncio.SelectorEventLoop]) -> Play:
    """The same for AAF5."""
    return _playing(scripted_aaf5_platform, leaping_loop)


def _playing(serve: Serve, loop_factory: type[asyncio.SelectorEventLoop]) -> Play:
    def run(
        plan: Plan,
        scenario: Callable[[LiveFleet, ScriptedPlatform], Coroutine[Any, Any, None]],
        *,
        script: Answer | None = None,
        orders: Any = None,
        with_bms: bool = False,
    ) -> LiveFleet:
        errors: list[dict[str, Any]] = []

        async def main() -> LiveFleet:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: errors.append(context))
            async with serve(script) as platform:
                clock = Clock(start_ms=LIVE_MS, monotonic_ns=lambda: int(loop.time() * 1e9))
                port = platform.port
                fleet = LiveFleet(
                    plan, "127.0.0.1", port, aaf5_port=port, clock=clock, orders=orders, with_bms=with_bms
                )
                fleet.start()
                try:
                    await scenario(fleet, platform)
                finally:
                    await fleet.stop()
                return fleet

        with asyncio.Runner(loop_factory=loop_factory) as runner:
            fleet = runner.run(main())
        assert not errors, errors
        return fleet

    return run
