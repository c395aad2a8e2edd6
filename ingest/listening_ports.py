"""The ports that a gateway listens on, and the TLS handshakes that nobody else counts."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ingest.tls import TlsFileError

PortKind = Literal["ykc", "aaf5", "detect", "tls"]
PORT_KINDS: Final[tuple[PortKind, ...]] = ("ykc", "aaf5", "detect", "tls")
CLOSED: Final = -1
SOCKETS_PER_SHARED_PORT: Final = 4
"""The kernel queues 4,096 newcomers for each socket (net.core.somaxconn) and drops the others, which try again after
1, 3, 7, 15 s. With several sockets each, workers take in a whole network that reconnects at once."""


class Ports(msgspec.Struct, frozen=True):
    """One port per protocol; `detect` takes either, and so does `tls` over TLS. -1: do not listen, 0: a free one."""

    ykc: int = CLOSED
    aaf5: int = CLOSED
    detect: int = CLOSED
    tls: int = CLOSED

    def wanted(self) -> dict[PortKind, int]:
        """The ports to listen on, by kind."""
        numbers = (self.ykc, self.aaf5, self.detect, self.tls)
        return {kind: number for kind, number in zip(PORT_KINDS, numbers, strict=True) if number != CLOSED}


class OpenPort:
    """One port that is listened on, by one socket or several."""

    def __init__(self, servers: list[asyncio.Server]) -> None:
        self._servers = servers

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Those that still listen."""
        return tuple(listening for server in self._servers for listening in server.sockets)

    def close(self) -> None:
        """Listen no more."""
        for server in self._servers:
            server.close()


async def open_ports(
    host: str,
    ports: Ports,
    connected: Callable[[PortKind], asyncio.BaseProtocol],
    *,
    backlog: int,
    tls: ssl.SSLContext | None,
    handshake_timeout_s: float,
    shared: bool = False,
) -> dict[PortKind, OpenPort]:
    """Listen on all of `ports`; `connected(kind)` makes the protocol of each connection.

    `shared`: other processes of this user may listen on them too, and the kernel spreads newcomers over all.

    Raises OSError for a port that cannot be had, and `TlsFileError` for a TLS port without a certificate; then nothing
    listens.
    """
    loop = asyncio.get_running_loop()
    opened: dict[PortKind, OpenPort] = {}
    servers: list[asyncio.Server] = []
    try:
        for kind, number in ports.wanted().items():
            if kind == "tls" and tls is None:
                raise TlsFileError("a port for TLS needs a certificate and its key")
            context = tls if kind == "tls" else None
            begin = len(servers)
            for _ in range(SOCKETS_PER_SHARED_PORT if shared else 1):
                server = await loop.create_server(
                    functools.partial(connected, kind),
                    host,
                    number,
                    backlog=backlog,
                    reuse_address=True,
                    reuse_port=shared or None,
                    ssl=context,
                    ssl_handshake_timeout=handshake_timeout_s if context is not None else None,
                )
                servers.append(server)
                number = server.sockets[0].getsockname()[1]
            opened[kind] = OpenPort(servers[begin:])
    except BaseException:
        for server in servers:
            server.close()
        raise
    return opened


class HandshakeCount:
    """TLS handshakes that came to nothing: the event loop drops those without a word.

    A connection is accepted, and opened once its handshake is done. What was not opened within `patience_ms` failed.
    Memory is one number per second.
    """

    def __init__(self, patience_ms: int) -> None:
        self.failed = 0
        self._patience_ms = patience_ms
        self._waiting: dict[int, int] = {}  # by the second of the accept

    def accepted(self, now_ms: int) -> None:
        """A socket was accepted."""
        second = now_ms // 1_000
        self._waiting[second] = self._waiting.get(second, 0) + 1

    def opened(self, accepted_ms: int) -> None:
        """The handshake of a socket accepted at that moment is done."""
        second = accepted_ms // 1_000
        if second in self._waiting:
            self._waiting[second] -= 1

    def count_failed(self, now_ms: int) -> int:
        """Count those that are overdue; gives how many failed since the last call."""
        due = [second for second in self._waiting if now_ms - second * 1_000 > self._patience_ms + 1_000]
        failed = sum(self._waiting.pop(second) for second in due)
        self.failed += failed
        return failed
