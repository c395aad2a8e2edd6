"""The protocols that chargers speak, by the name in tables and captures and by the number in spool records."""

from typing import Final

from ingest.aaf5_protocol import AAF5
from ingest.charger_protocol import ChargerProtocol
from ingest.ykc_protocol import YKC

_ALL: Final[tuple[ChargerProtocol, ...]] = (YKC, AAF5)
BY_NAME: Final[dict[str, ChargerProtocol]] = {protocol.name: protocol for protocol in _ALL}
BY_NUMBER: Final[dict[int, ChargerProtocol]] = {protocol.number: protocol for protocol in _ALL}
