"""Low-rate facts that the gateway hands to the loader through the spool.

Each type's tag is the ClickHouse table it belongs to and its fields are that table's columns; the loader adds
`operator_id`, `segment_id` and `segment_offset`.
"""

import msgspec


class ConnectionEvent(msgspec.Struct, frozen=True, tag="connection_events"):
    """A connection was opened, logged in, refused or closed."""

    pile_id: int
    connection_id: int
    event_ms: int
    event: str
    detail: str = ""
    peer: str = ""
    pile: str = ""
    bytes_in: int = 0
    frames_in: int = 0
    quarantined_bytes: int = 0


class Presence(msgspec.Struct, frozen=True, tag="presence"):
    """What was heard over one connection in one minute."""

    pile_id: int
    connection_id: int
    first_ms: int
    last_ms: int
    frames: int
    heartbeats: int
    bytes: int


class ConnectorEvent(msgspec.Struct, frozen=True, tag="connector_events"):
    """A connector changed: plugged, unplugged, started, charging, stopped, billed, fault, recovered, first_seen."""

    pile_id: int
    connector: int
    event_ms: int
    event: str
    state: int
    plugged: int
    trade_no: str = ""
    detail: str = ""


class ClockOffset(msgspec.Struct, frozen=True, tag="clock_offsets"):
    """Charger clock minus platform clock, as one frame showed it."""

    pile_id: int
    event_ms: int
    pile_ms: int
    offset_ms: int
    source: str


class CommandOutcome(msgspec.Struct, frozen=True, tag="commands"):
    """An order to a charger and what became of it."""

    pile_id: int
    connector: int
    command: str
    trade_no: str
    sent_ms: int
    answered_ms: int
    outcome: str
    detail: str
    request: bytes
    reply: bytes


class TariffAck(msgspec.Struct, frozen=True, tag="tariff_acks"):
    """A charger showed which tariff version it holds."""

    pile_id: int
    event_ms: int
    model_no: str
    tariff_version_id: int
    source: str


class PlatformOutage(msgspec.Struct, frozen=True, tag="platform_outages"):
    """The platform could not hear between `from_ms` and `to_ms`."""

    node: str
    from_ms: int
    to_ms: int
    cause: str


Event = ConnectionEvent | Presence | ConnectorEvent | ClockOffset | CommandOutcome | TariffAck | PlatformOutage
