"""The least that a server on uvloop can do: `python -m benchmarks.sockets.uvloop_alone FILE`.

Reads into one buffer, answers logins and heartbeats with bytes made beforehand, looks at nothing but the type of the
first frame, and stores nothing. What it costs is what uvloop itself costs: no gateway on uvloop can cost less. Prints
its port, and serves until SIGTERM.
"""

import asyncio
import signal
from typing import cast

import uvloop

from benchmarks.sockets.plain_python import ANSWER_FRAMES

TYPE_AT = 5
BUFFER = memoryview(bytearray(65_536))


class AnsweringServer(asyncio.BufferedProtocol):
    """One connection."""

    __slots__ = ("_write",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A charger has connected."""
        self._write = cast(asyncio.WriteTransport, transport).write

    def get_buffer(self, sizehint: int) -> memoryview:
        """The buffer of all."""
        return BUFFER

    def buffer_updated(self, nbytes: int) -> None:
        """One frame has come."""
        answer = ANSWER_FRAMES.get(BUFFER[TYPE_AT])
        if answer is not None:
            self._write(answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(AnsweringServer, "127.0.0.1", 0, backlog=4_096)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()


if __name__ == "__main__":
    uvloop.run(_serve())
