"""What a user would write otherwise: asyncio or uvloop, struct, a checksum in C.

`python -m benchmarks.sockets.plain_python asyncio|uvloop FILE` prints its port and serves until SIGTERM. It checks
every frame, takes the values of a reading apart, writes the bytes of what it read to FILE and answers logins,
heartbeats and records. It does less than the gateway: no sessions, no meters, no quarantine, no sync of the disk.
"""

import asyncio
import signal
import struct
import sys
from io import FileIO
from typing import cast

import fastcrc
import uvloop

READING = struct.Struct("<16s7sBBBBHHB8sBBHHIIIH")
LOGIN, HEARTBEAT, REALTIME, RECORD = 0x01, 0x03, 0x13, 0x3B
ANSWERS = {LOGIN: 0x02, HEARTBEAT: 0x04, RECORD: 0x40}
START = 0x68
HEADER_BYTES, ENVELOPE_BYTES = 6, 4


def _answer(frame_type: int) -> bytes:
    body = bytes((0, 0, 0, frame_type)) + bytes(9)
    return bytes((START, len(body))) + body + struct.pack("<H", fastcrc.crc16.modbus(body))


ANSWER_FRAMES = {asked: _answer(answer) for asked, answer in ANSWERS.items()}


class PlainServer(asyncio.Protocol):
    """One connection."""

    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._rest = b""
        self.readings: list[tuple[object, ...]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A charger has connected."""
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        """Take all whole frames apart, keep the rest."""
        data = self._rest + data
        at, answers = 0, []
        while len(data) - at > 1 and len(data) - at >= data[at + 1] + ENVELOPE_BYTES:
            end = at + data[at + 1] + ENVELOPE_BYTES
            told = data[end - 2] | data[end - 1] << 8
            if data[at] != START or fastcrc.crc16.modbus(data[at + 2 : end - 2]) != told:
                self._transport.close()
                return
            frame_type = data[at + 5]
            if frame_type == REALTIME:
                self.readings.append(READING.unpack_from(data, at + HEADER_BYTES))
            elif frame_type in ANSWER_FRAMES:
                answers.append(ANSWER_FRAMES[frame_type])
            at = end
        self._file.write(data[:at])
        self._rest = data[at:]
        self.readings.clear()
        if answers:
            self._transport.write(b"".join(answers))


async def _serve(path: str) -> None:
    file = FileIO(path, "w")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: PlainServer(file), "127.0.0.1", 0, backlog=4_096)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        uvloop.run(_serve(sys.argv[2]))
    else:
        asyncio.run(_serve(sys.argv[2]))
