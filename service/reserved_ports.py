"""Ports that several processes of one platform share: chosen before the first of them starts, kept until the end."""

import socket

import msgspec

from service.errors import StartError
from service.settings import CLOSED, Settings

PORT_SETTINGS = ("ykc_port", "aaf5_port", "detect_port", "tls_port")


class ReservedPorts:
    """Sockets that are bound to the chargers' ports and never listen.

    Whoever listens on a port with SO_REUSEPORT shares it with every other process of the same user that asks for that,
    a second platform too. So a port must be free of everybody before it is reserved; then the workers, however many of
    them have just died, are the only ones that open it.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def reserve(self, settings: Settings) -> Settings:
        """The same settings with the numbers of all open ports; raises `StartError` for one that cannot be had."""
        found = {
            name: self._reserve(settings.bind, getattr(settings, name))
            for name in PORT_SETTINGS
            if getattr(settings, name) != CLOSED
        }
        return msgspec.structs.replace(settings, **found)

    def release(self) -> None:
        """Let others have the ports."""
        for reserved in self._sockets:
            reserved.close()
        self._sockets.clear()

    def _reserve(self, host: str, port: int) -> int:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            if port:
                # Without SO_REUSEPORT nobody else may listen there.
                with socket.socket(family, kind, protocol) as alone:
                    alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    alone.bind(address)
            shared = socket.socket(family, kind, protocol)
            self._sockets.append(shared)
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind(address)
        except OSError as error:
            self.release()
            raise StartError(f"the port {port} on {host} cannot be had: {error.strerror or error}") from error
        number: int = shared.getsockname()[1]
        return number
