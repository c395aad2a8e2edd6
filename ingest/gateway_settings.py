"""What may be set on a gateway, each with its default."""

from pathlib import Path

import msgspec

from ingest.facts_guard import FactLimits
from ingest.login_rules import PROBE_MS, LoginLimits
from ingest.tls import TlsFiles

HEARTBEATS_MISSED = 3


class GatewaySettings(msgspec.Struct, frozen=True):
    """Limits that keep one charger, or a flood of them, from harming the rest (DESIGN invariant 4).

    `idle_timeout_ms`: 0 = silent is who missed three heartbeats of its protocol (of its own period, where the login
    names one) and `silence_grace_ms` more; anything else is the limit for all.
    `login_timeout_ms`: a connection that never says who it is. `frames_before_login`: what it may say instead.
    `max_connections` of all, and `unidentified_per_address` of one address without a login (0 = no limit), counted
    against those that had `unidentified_grace_ms` to log in (`ingest.connection_slots`).
    `fact_limits`: what one charger may bring to the part of the spool that is never shed.
    `login_limits`: logins per charger and per address. `probe_ms`: how long the living connection of an id may take to
    answer when the same id logs in again.
    `garbage_limit_bytes`: consecutive bytes without one good frame before hanging up; `encrypted_reads`: reads with
    nothing but encrypted frames; `half_frame_ms`: age of a frame whose rest does not come.
    `evidence_bytes_per_minute`: quarantined bytes kept per connection and minute; the rest is counted only.
    `turn_bytes`: bytes handled in one turn of the event loop before the connections that flood are paused.
    `drain_timeout_ms`: how long a stop waits for the disk, and any end of a connection for its charger to read the last
    answers.
    `time_sync_interval_ms`: clocks are set after each login and this often. `clock_limit_ms`: a clock that is off by
    more is an alarm.
    `tariff_grace_ms`: time for a charger that has logged in to fetch the valid tariff by itself; then, and every
    `tariff_push_ms`, it is sent when nothing charges.
    `start_timeout_ms`: how long the decision about a start at the charger may take.
    `charger_networks`: the only networks that chargers may connect from; none = any.
    `tls`: the files of the TLS port. `handshake_timeout_ms`: how long its handshake may take.
    `worker` is the number of this gateway among `workers` that share the ports; with `hub_path` they share the rest too
    (`ingest.registry`), and limits are those of all together.
    `status_path`, `beat_path`, `control_path`: files of the running gateway, None to do without.
    """

    node: str = "gateway-1"
    worker: int = 0
    workers: int = 1
    hub_path: Path | None = None
    idle_timeout_ms: int = 0
    silence_grace_ms: int = 5_000
    login_timeout_ms: int = 30_000
    frames_before_login: int = 10
    fact_limits: FactLimits = FactLimits()
    login_limits: LoginLimits = LoginLimits()
    probe_ms: int = PROBE_MS
    garbage_limit_bytes: int = 4_096
    encrypted_reads: int = 5
    half_frame_ms: int = 20_000
    evidence_bytes_per_minute: int = 65_536
    turn_bytes: int = 1_048_576
    backlog: int = 4_096
    max_connections: int = 50_000
    unidentified_per_address: int = 200
    unidentified_grace_ms: int = 10_000
    drain_timeout_ms: int = 500
    time_sync_interval_ms: int = 86_400_000
    clock_limit_ms: int = 180_000
    tariff_grace_ms: int = 60_000
    tariff_push_ms: int = 300_000
    start_timeout_ms: int = 5_000
    charger_networks: tuple[str, ...] = ()
    tls: TlsFiles | None = None
    handshake_timeout_ms: int = 10_000
    status_path: Path | None = None
    beat_path: Path | None = None
    control_path: Path | None = None

    @property
    def name(self) -> str:
        """Of this gateway, among all there are."""
        return self.node if self.workers == 1 else f"{self.node}/{self.worker}"
