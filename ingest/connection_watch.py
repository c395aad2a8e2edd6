"""Once a second: who is to be given up, who needs the time or a tariff, and what the log is told of bad lines."""

from ingest.alarm_desk import AlarmDesk
from ingest.charger_connection import UNKNOWN_PROTOCOL, ChargerConnection
from ingest.incident_log import IncidentLog
from ingest.line_limits import NO_LOGIN, SILENT
from ingest.login_rules import address_of
from ingest.upkeep import Upkeep
from ingest.ykc_protocol import YKC

MS_PER_S = 1_000


class ConnectionWatch:
    """Looks after live connections; raises only what is a fault of ours."""

    def __init__(self, alarms: AlarmDesk, log: IncidentLog, upkeep: Upkeep) -> None:
        self._alarms = alarms
        self._log = log
        self._upkeep = upkeep

    def bad_input(self, connection: ChargerConnection, incidents: dict[str, int]) -> None:
        """Bytes came that are no frame of a charger that has logged in: `incidents` is kind → bytes."""
        for kind, nbytes in incidents.items():
            self._log.note(kind, _name_of(connection), f"{nbytes} bytes from {connection.peer}")

    def closing_for(self, connection: ChargerConnection, end: str) -> None:
        """A connection is given up for its bytes."""
        self._log.note(f"closed_{end}", _name_of(connection), connection.peer)

    def look_after(self, connection: ChargerConnection, now_ms: int) -> None:
        """The regular work on one connection."""
        link = connection.link
        link.stream.end_minute(now_ms)
        link.keep_presences(now_ms)
        self.look_at_connectors(connection)
        if connection.closing:
            return
        if connection.waits_for_us:
            connection.health.start_anew(now_ms)
            return
        end = connection.health.end_by_time(now_ms, link.pile is not None, connection.silence_ms)
        if end:
            self._give_up(connection, end)
        elif link.state is not None and link.pile is not None:
            # AAF5 has no talk about which tariff a charger holds (aaf5.md, "Other commands").
            tariffs = link.protocol is YKC
            self._upkeep.look_after(link.pile, link.state, connection.logged_in_ms, now_ms, tariffs=tariffs)

    def look_at_connectors(self, connection: ChargerConnection) -> None:
        """What a charger says of connectors that it does not have is kept and billed; a person has to look at it."""
        state = connection.link.state
        beyond = state.heard_beyond() if state is not None else []
        if state is None or not beyond:
            return
        pile = state.pile
        named = ", ".join(map(str, beyond))
        self._alarms.ring(
            "unknown_connector",
            pile_id=pile.pile_id,
            pile=pile.code,
            detail=f"readings or records name the connectors {named}; the master data have {pile.connectors}",
            peer=connection.peer,
            connection_id=connection.connection_id,
        )

    def _give_up(self, connection: ChargerConnection, end: str) -> None:
        """Close a connection for what did not come."""
        if end == NO_LOGIN and connection.detector is not None and connection.detector.pending:
            end = UNKNOWN_PROTOCOL
        pile = connection.link.pile
        if end != SILENT or pile is None:
            self._log.note(end, _name_of(connection), f"closing {connection.peer}")
        else:
            self._alarms.ring(
                SILENT,
                pile_id=pile.pile_id,
                pile=pile.code,
                connector=connection.dialogue.connector,
                detail=f"no good frame for {connection.silence_ms / MS_PER_S:.0f} s",
                peer=connection.peer,
                connection_id=connection.connection_id,
            )
        connection.close(end)


def _name_of(connection: ChargerConnection) -> str:
    pile = connection.link.pile
    return pile.code if pile is not None else address_of(connection.peer)
