"""What may be set on a gateway, each with its default."""

from pathlib import Path

import msgspec


class GatewaySettings(msgspec.Struct, frozen=True):
    """Limits that keep one charger, or a flood of them, from harming the rest (DESIGN invariant 4).

    `idle_timeout_ms`: 3 missed heartbeats (30 s, ykc.md section 5) and 60 s of patience with radio links.
    `login_timeout_ms`: a connection that never says who it is.
    `garbage_limit_bytes`: consecutive bytes without one good frame before hanging up.
    `evidence_bytes_per_minute`: quarantined bytes kept per connection and minute; the rest is counted only.
    `turn_bytes`: bytes handled in one turn of the event loop before the connections that flood are paused.
    `drain_timeout_ms`: how long a stop waits for the disk, and any end of a connection for its charger to read the last
    answers.
    `status_path`, `beat_path`, `control_path`: files of the running gateway, None to do without.
    """

    node: str = "gateway-1"
    idle_timeout_ms: int = 90_000
    login_timeout_ms: int = 30_000
    garbage_limit_bytes: int = 4_096
    evidence_bytes_per_minute: int = 65_536
    turn_bytes: int = 1_048_576
    backlog: int = 4_096
    max_connections: int = 50_000
    drain_timeout_ms: int = 500
    time_sync_interval_ms: int = 86_400_000
    status_path: Path | None = None
    beat_path: Path | None = None
    control_path: Path | None = None
