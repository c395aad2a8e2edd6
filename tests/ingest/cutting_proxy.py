"""A TCP proxy before ClickHouse that loses answers: what was sent arrives, what comes back does not."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec

from analytics.client import ClickHouseAddress


class CuttingProxy:
    """Forwards connections to `target`; while `losing`, answers are thrown away, and `cut` ends every connection."""

    def __init__(self, target: ClickHouseAddress) -> None:
        self.losing = threading.Event()
        self.lost = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> ClickHouseAddress:
        """Where clients find the server through the proxy."""
        return msgspec.structs.replace(self._target, port=self._listener.getsockname()[1])

    def cut(self) -> None:
        """End every connection."""
        for end in self._sockets:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def close(self) -> None:
        """Take no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._target.host, self._target.port))
                self._sockets += [client, server]
                threading.Thread(target=self._forward, args=(client, server, lambda: False), daemon=True).start()
                threading.Thread(target=self._forward, args=(server, client, self.losing.is_set), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket, lose: Callable[[], bool]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if lose():
                    self.lost += len(data)
                else:
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def cutting_proxy(target: ClickHouseAddress) -> Iterator[CuttingProxy]:
    """A proxy for as long as this lasts."""
    proxy = CuttingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
