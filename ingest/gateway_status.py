"""The gateway's counters, as its status file and its control socket show them."""

from typing import Final

import msgspec

from ingest.reactions import Reason
from ingest.stream_totals import StreamTotals


class GatewayStatus(msgspec.Struct):
    """Since the gateway's start, unless the name says otherwise.

    `ports` by kind (ykc, aaf5, detect, tls), `port` is the first of them. `quarantined` is bytes by reason, `closed`
    ends of connections by reason. `incidents` counts what went wrong by kind: reads with bad input (encrypted, garbage,
    bad_length, bad_checksum, not_logged_in, foreign_pile), failed TLS handshakes, connections given up (half_frame,
    slow_sender, silent, no_login, unknown_protocol), floods of logins, decisions of starts that failed, and every
    occasion of an alarm; `alarms` counts those that were raised, each at most every ten minutes per charger.
    `logins_refused` and `starts_refused` are by reason; `logins_waiting` is now, `probes` and `takeovers` come from
    second logins of an id. `tariff_differences` is the number of chargers that hold another tariff than the valid one.
    `records_repeated` were acknowledged again without being stored again, `records_put_off` were neither, because one
    charger sent too many. `facts_known` said nothing new and were left out; `facts_shed` went with the telemetry,
    because one charger brought too many or the limit of the spool is near.
    `spool_bytes` is what waits on disk for the loader, `spool_facts_bytes` the part of it that is never shed.
    `commit_failures` counts commits of the spool that the disk refused, `commit_error` is the last of them;
    `file_errors` and `file_error` tell the same of the status and beat files; `housekeeping_errors` counts connections
    and rounds whose regular work broke. Of several workers all this is the sum, and `workers` has them one by one.
    """

    node: str = ""
    worker: int = 0
    now_ms: int = 0
    started_ms: int = 0
    port: int = 0
    ports: dict[str, int] = msgspec.field(default_factory=dict)
    connections: int = 0
    logged_in: int = 0
    connections_opened: int = 0
    bytes_in: int = 0
    frames: int = 0
    frames_per_second: float = 0.0
    readings: int = 0
    heartbeats: int = 0
    bills_received: int = 0
    bills_acked: int = 0
    records_repeated: int = 0
    records_put_off: int = 0
    facts_known: int = 0
    facts_shed: int = 0
    quarantined_bytes: int = 0
    evidence_dropped_bytes: int = 0
    refused_records: int = 0
    pending_bytes: int = 0
    spool_bytes: int = 0
    spool_facts_bytes: int = 0
    commit_failures: int = 0
    commit_error: str = ""
    file_errors: int = 0
    file_error: str = ""
    housekeeping_errors: int = 0
    logins_accepted: int = 0
    logins_waiting: int = 0
    probes: int = 0
    takeovers: int = 0
    handshakes_failed: int = 0
    starts_granted: int = 0
    tariff_differences: int = 0
    logins_refused: dict[str, int] = msgspec.field(default_factory=dict)
    starts_refused: dict[str, int] = msgspec.field(default_factory=dict)
    incidents: dict[str, int] = msgspec.field(default_factory=dict)
    alarms: dict[str, int] = msgspec.field(default_factory=dict)
    quarantined: dict[str, int] = msgspec.field(default_factory=dict)
    closed: dict[str, int] = msgspec.field(default_factory=dict)
    workers: list["GatewayStatus"] = msgspec.field(default_factory=list)

    def take_totals(self, totals: StreamTotals) -> None:
        """Show what all connections brought."""
        self.bytes_in = totals.bytes_in
        self.frames = totals.frames
        self.readings = totals.readings
        self.heartbeats = totals.heartbeats
        self.quarantined_bytes = totals.quarantined_bytes
        self.evidence_dropped_bytes = totals.evidence_dropped_bytes
        self.quarantined = {Reason(reason).name.lower(): nbytes for reason, nbytes in totals.quarantined.items()}


def sum_of(node: str, now_ms: int, workers: list[GatewayStatus]) -> GatewayStatus:
    """The counters of all workers of a node in one; without any, those of a node that does not serve."""
    total = GatewayStatus(node=node, now_ms=now_ms)
    total.workers = sorted(workers, key=lambda status: status.worker)
    for status in total.workers:
        for name in SUMMED:
            setattr(total, name, getattr(total, name) + getattr(status, name))
        for name in COUNTED:
            counts = getattr(total, name)
            for kind, count in getattr(status, name).items():
                counts[kind] = counts.get(kind, 0) + count
        total.started_ms = min(total.started_ms or status.started_ms, status.started_ms)
        total.port, total.ports = total.port or status.port, total.ports or status.ports
        total.commit_error = total.commit_error or status.commit_error
        total.file_error = total.file_error or status.file_error
    total.frames_per_second = round(total.frames_per_second, 1)
    return total


_NOT_SUMMED: Final = {
    "node",
    "worker",
    "now_ms",
    "started_ms",
    "port",
    "ports",
    "workers",
    "commit_error",
    "file_error",
}
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(GatewayStatus) if field.name not in _NOT_SUMMED}
COUNTED: Final = tuple(name for name, field in _FIELDS.items() if field.type == dict[str, int])
SUMMED: Final = tuple(name for name in _FIELDS if name not in COUNTED)
