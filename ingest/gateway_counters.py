"""What a gateway counts since its start, put together from all that counts."""

from typing import TYPE_CHECKING, Final

from ingest.gateway_status import GatewayStatus
from ingest.stream_totals import StreamTotals

if TYPE_CHECKING:
    from ingest.charger_connection import ChargerConnection
    from ingest.gateway import Gateway

MS_PER_S: Final = 1_000


class GatewayCounters:
    """What connections brought is counted here as it comes, the rest is asked of the gateway's parts.

    Nothing here goes through the connections: ten thousand of them cost no more to count than one.
    """

    def __init__(self, gateway: "Gateway") -> None:
        self.opened = 0
        self.housekeeping_errors = 0
        self._gateway = gateway
        self.totals = StreamTotals()
        self._closed: dict[str, int] = {}
        self._last_frames = (gateway.started_ms, 0)
        self._frames_per_second = 0.0

    def closed(self, connection: "ChargerConnection") -> None:
        """A connection is over."""
        reason = connection.close_reason
        self._closed[reason] = self._closed.get(reason, 0) + 1

    def measure_rate(self, now_ms: int) -> None:
        """Take the frames since the last call as the rate."""
        frames = self.totals.frames
        since_ms, before = self._last_frames
        if now_ms > since_ms:
            self._frames_per_second = round((frames - before) * MS_PER_S / (now_ms - since_ms), 1)
        self._last_frames = (now_ms, frames)

    def status(self) -> GatewayStatus:
        """The counters now."""
        gateway = self._gateway
        status = GatewayStatus(closed=dict(self._closed))
        status.take_totals(self.totals)
        status.bills_received = gateway.facts.records_received
        status.records_repeated = gateway.facts.records_repeated
        status.node = gateway.settings.node
        status.worker = gateway.settings.worker
        status.now_ms = gateway.clock()
        status.started_ms = gateway.started_ms
        status.ports = gateway.ports
        status.port = next(iter(status.ports.values()), 0)
        status.connections = len(gateway.connections)
        status.logged_in = gateway.registry.connected
        status.connections_opened = self.opened
        status.bills_acked = gateway.bills_acked
        status.records_put_off = gateway.facts.records_put_off
        status.facts_known = gateway.facts.known
        status.facts_shed = gateway.facts.shed
        status.frames_per_second = self._frames_per_second
        status.handshakes_failed = gateway.handshakes.failed
        status.starts_granted = gateway.starts.granted
        status.starts_refused = dict(gateway.starts.refused)
        status.tariff_differences = len(gateway.upkeep.tariff_differences)
        status.incidents = dict(gateway.log.counts)
        status.alarms = dict(gateway.alarms.counts)
        status.housekeeping_errors = self.housekeeping_errors
        self._add_logins(status)
        self._add_disk(status)
        return status

    def _add_logins(self, status: GatewayStatus) -> None:
        logins = self._gateway.logins
        status.logins_accepted = logins.accepted
        status.logins_refused = dict(logins.refused)
        status.logins_waiting = logins.waiting
        status.probes = logins.probes
        status.takeovers = logins.takeovers

    def _add_disk(self, status: GatewayStatus) -> None:
        gateway = self._gateway
        status.refused_records = gateway.spool.buffer.refused_records
        status.pending_bytes = gateway.spool.buffer.pending
        status.spool_bytes = gateway.spool.bytes_on_disk()
        status.spool_facts_bytes = gateway.spool.facts_bytes()
        status.commit_failures = gateway.group_commit.failures
        status.commit_error = gateway.group_commit.last_error
        status.file_errors = gateway.files.errors
        status.file_error = gateway.files.last_error
