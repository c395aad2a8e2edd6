"""From which networks chargers may connect: the operator's own, such as those of his SIM cards."""

import ipaddress
from collections.abc import Iterable

from ingest.errors import IngestError
from ingest.login_rules import ip_of


class NetworkError(IngestError):
    """A text that names no network; the message has it."""


class ChargerNetworks:
    """Networks such as "10.20.0.0/16" or "2001:db8::/32"; an address alone is a network of one. None given: all may.

    Raises `NetworkError` for anything else, also for a network with bits set behind its prefix: it may have been meant
    smaller.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for text in networks:
            try:
                self._networks.append(ipaddress.ip_network(text.strip()))
            except ValueError as error:
                raise NetworkError(f"{text!r} is no network: {error}") from error

    def admit(self, peer: str) -> bool:
        """Whether a peer "host:port" may connect. An IPv4 address in its IPv6 form is the IPv4 address."""
        if not self._networks:
            return True
        address = ip_of(peer)
        return address is not None and any(address in network for network in self._networks)
