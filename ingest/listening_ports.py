"""The ports that a gateway listens on, and the TLS handshakes that nobody else counts."""

import asyncio
import functools
import ssl
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from ingest.tls import TlsFileError

PortKind = Literal["ykc", "aaf5", "detect", "tls"]
PORT_KINDS: Final[tuple[PortKind, ...]] = ("ykc", "aaf5", "detect", "tls")
CLOSED: Final = -1


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


async def open_ports(
    host: str,
    ports: Ports,
    connected: Callable[[PortKind], asyncio.BaseProtocol],
    *,
    backlog: int,
    tls: ssl.SSLContext | None,
    handshake_timeout_s: float,
    shared: bool = False,
) -> dict[PortKind, asyncio.Server]:
    """Listen on all of `ports`; `connected(kind)` makes the protocol of each connection.

    `shared`: other processes of this user may listen on them too, and the kernel spreads newcomers over all.

    Raises OSError for a port that cannot be had, and `TlsFileError` for a TLS port without a certificate; then nothing
    listens.
    """
    loop = asyncio.get_running_loop()
    servers: dict[PortKind, asyncio.Server] = {}
    try:
        for kind, number in ports.wanted().items():
            if kind == "tls" and tls is None:
                raise TlsFileError("a port for TLS needs a certificate and its key")
            context = tls if kind == "tls" else None
            servers[kind] = await loop.create_server(
                functools.partial(connected, kind),
                host,
                number,
                backlog=backlog,
                reuse_address=True,
                reuse_port=shared or None,
                ssl=context,
                ssl_handshake_timeout=handshake_timeout_s if context is not None else None,
            )
    except BaseException:
        for server in servers.values():
            server.close()
        raise
    return servers


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
