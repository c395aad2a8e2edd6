"""Orders from other processes of the platform: a Unix socket, one JSON object a line, one line in answer.

{"command": "remote_start", "pile": "32010600019236", "connector": 1, "card": "0000001000000573", "balance_fen": 10000}
{"ok": true, "trade_no": "32010600019236012611221400000001"}

`command` is an order of `ingest.orders`, or `status` for the gateway's counters.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec

from ingest.command_result import CommandResult
from ingest.errors import IngestError
from ingest.order import NO_CARD
from ingest.unix_socket import listen_privately, short_address

LINE_LIMIT_BYTES: Final = 1 << 20  # thousands of offline cards
STATUS: Final = "status"
T = TypeVar("T")


class OrderDesk(Protocol):
    """Who takes orders: a gateway, or the hub of several."""

    async def give(self, name: str, pile: str, connector: int, arguments: dict[str, Any]) -> CommandResult:
        """Give an order and wait for its outcome."""


class ControlServer:
    """Serves the control socket. Only the user who runs the gateway may open it."""

    def __init__(self, path: Path, desk: OrderDesk, status: Callable[[], Awaitable[msgspec.Struct]]) -> None:
        self._path = path
        self._desk = desk
        self._status = status
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; takes the place of a socket that a dead gateway left. Raises `IngestError` when one is served."""
        listening = listen_privately(self._path)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LINE_LIMIT_BYTES)

    async def stop(self) -> None:
        """Close the socket and every connection to it."""
        if self._server is None:
            return
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                await writer.drain()
        except (ConnectionError, ValueError) as error:
            # ValueError: a line longer than the limit. The rest of it cannot be told from the next request.
            if isinstance(error, ValueError):
                refusal = CommandResult(ok=False, error="bad_request", detail=f"a line has {LINE_LIMIT_BYTES} bytes")
                writer.write(msgspec.json.encode(refusal) + b"\n")
        except asyncio.CancelledError:
            # The server stops; ending the task quietly is all that is left to do.
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> msgspec.Struct:
        try:
            request = msgspec.json.decode(line, type=dict[str, Any])
            name = _take(request, "command", str)
            if name == STATUS:
                return await self._status()
            pile, connector = _take(request, "pile", str), _take(request, "connector", int, 0)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            return CommandResult(ok=False, error="bad_request", detail=str(error))
        return await self._desk.give(name, pile, connector, request)


def _take(request: dict[str, Any], name: str, kind: type[T], default: T | None = None) -> T:
    """A member of the request, which loses it. Raises `ValidationError` when it is missing or of another kind."""
    if name not in request and default is None:
        raise msgspec.ValidationError(f"Object missing required field `{name}`")
    try:
        return msgspec.convert(request.pop(name, default), kind)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} - at `$.{name}`") from None


class ControlClient:
    """Sends orders to a running gateway. One order at a time per client; open several for orders side by side."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._lock = asyncio.Lock()

    async def connect(self) -> None:
        """Open the socket. Raises `IngestError` when no gateway serves it."""
        with short_address(self._path) as address:
            try:
                self._streams = await asyncio.open_unix_connection(address, limit=LINE_LIMIT_BYTES)
            except OSError as error:
                raise IngestError(f"no gateway serves {self._path} ({error}); is the platform running?") from error

    async def close(self) -> None:
        """Close the socket; may be called twice."""
        if self._streams is not None:
            self._streams[1].close()
            with contextlib.suppress(ConnectionError):
                await self._streams[1].wait_closed()
            self._streams = None

    async def __aenter__(self) -> "ControlClient":
        await self.connect()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    async def request(self, **request: Any) -> dict[str, Any]:
        """Send one JSON object, give the answer's. Raises `IngestError` when the gateway goes away meanwhile."""
        if self._streams is None:
            raise IngestError(f"the control client of {self._path} is not connected")
        reader, writer = self._streams
        async with self._lock:
            try:
                writer.write(msgspec.json.encode(request) + b"\n")
                await writer.drain()
                line = await reader.readline()
            except OSError as error:
                raise IngestError(f"the gateway closed {self._path} before it answered") from error
        if not line.endswith(b"\n"):
            raise IngestError(f"the gateway closed {self._path} before it answered")
        answer: dict[str, Any] = msgspec.json.decode(line)
        return answer

    async def order(self, name: str, pile: str, connector: int = 0, **fields: Any) -> dict[str, Any]:
        """Give an order of `ingest.orders` with its arguments, and wait for its outcome (a `CommandResult`)."""
        return await self.request(command=name, pile=pile, connector=connector, **fields)

    async def remote_start(self, pile: str, connector: int, *, balance_fen: int, card: str = NO_CARD) -> dict[str, Any]:
        """As `order`, for a start."""
        return await self.order("remote_start", pile, connector, card=card, balance_fen=balance_fen)

    async def remote_stop(self, pile: str, connector: int) -> dict[str, Any]:
        """As `order`, for a stop."""
        return await self.order("remote_stop", pile, connector)

    async def time_sync(self, pile: str) -> dict[str, Any]:
        """As `order`, for the clock."""
        return await self.order("time_sync", pile)

    async def status(self) -> dict[str, Any]:
        """The gateway's counters, as in its status file."""
        return await self.request(command="status")
