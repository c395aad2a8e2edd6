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
    attempts: int = 1


class SessionStart(msgspec.Struct, frozen=True, tag="session_starts"):
    """Who started a charge, or tried to, and how it is known (`source`: request, order, record, status).

    `method`: app, card, offline_card, vin, password, local_admin, or unknown. `account`: the card, VIN or account in
    question. `trade_no` is empty where the charger had none yet. `frame` is the frame that says so.
    """

    pile_id: int
    connector: int
    trade_no: str
    event_ms: int
    method: str
    account: str
    source: str
    granted: int
    reason: str
    frame: bytes
    reply: bytes = b""


class ChargerIdentity(msgspec.Struct, frozen=True, tag="charger_identities"):
    """What a charger said of itself when it logged in."""

    pile_id: int
    connection_id: int
    event_ms: int
    protocol: str
    protocol_version: str
    firmware: str
    connectors: int
    current_kind: str = ""
    sim: str = ""
    boot_count: int = 0
    record_count: int = 0


class Alarm(msgspec.Struct, frozen=True, tag="alarms"):
    """Something that a person should look at: duplicate_login, takeover, login_flood, clock_off, silent, and so on."""

    pile_id: int
    connector: int
    event_ms: int
    kind: str
    detail: str = ""
    peer: str = ""
    connection_id: int = 0


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


Event = (
    ConnectionEvent
    | Presence
    | ConnectorEvent
    | ClockOffset
    | CommandOutcome
    | SessionStart
    | ChargerIdentity
    | Alarm
    | TariffAck
    | PlatformOutage
)
