"""From time to time: who is to be given up, who needs the time or a tariff, and what the log is told of bad lines."""

import heapq
from typing import Final

from ingest.alarm_desk import AlarmDesk
from ingest.charger_connection import UNKNOWN_PROTOCOL, ChargerConnection
from ingest.incident_log import IncidentLog
from ingest.line_limits import NO_LOGIN, SILENT
from ingest.login_rules import address_of
from ingest.read_path import NO_LOOK
from ingest.upkeep import Upkeep
from ingest.ykc_protocol import YKC

MS_PER_S: Final = 1_000
LOOK_AT_LEAST_EVERY_MS: Final = 30_000
FEW_LOOKS: Final = 1_024


class ConnectionWatch:
    """Looks after live connections; raises only what is a fault of ours.

    Each connection has a time at which something may be due: that a login or a heartbeat did not come, that a tariff
    is to be looked at. Until then nobody asks for it, so one on which nothing happens costs next to nothing. Looked at
    once a second are only those that wait for the rest of a frame (`waiting_for_rest`) and those that are not read from
    (`held`, by their number).
    """

    def __init__(
        self, connections: dict[int, ChargerConnection], alarms: AlarmDesk, log: IncidentLog, upkeep: Upkeep
    ) -> None:
        """`connections` are all that live, by their number; their owner keeps them."""
        self.waiting_for_rest: list[ChargerConnection] = []
        self.held: dict[int, ChargerConnection] = {}
        self._alarms = alarms
        self._log = log
        self._upkeep = upkeep
        self._connections = connections
        self._due: list[tuple[int, int]] = []  # a heap of times and connections, some of which have another time by now
        self._now_ms = 0

    def begin(self, connection: ChargerConnection, now_ms: int) -> None:
        """Something of a connection has changed: it was opened, has logged in, told a wrong time. Perhaps its next
        look is an earlier one."""
        self.soon(connection, self._next_look_ms(connection, now_ms))

    def soon(self, connection: ChargerConnection, look_ms: int) -> None:
        """Look at a connection at that time, now for the next round, unless it is looked at earlier anyway."""
        if connection.look_ms == NO_LOOK or look_ms < connection.look_ms:
            connection.look_ms = look_ms
            heapq.heappush(self._due, (look_ms, connection.connection_id))

    @property
    def looks_planned(self) -> int:
        """How many looks are noted, also such as will not be taken."""
        return len(self._due)

    def due(self, now_ms: int) -> list[ChargerConnection]:
        """The connections to look after now; each is looked at later again by itself.

        A clock that was set back leaves all of them due: what they waited for was told by another time.
        """
        due = [connection for connection in self.held.values() if not connection.closing]
        due += self._still_waiting_for_rest()
        if now_ms < self._now_ms:
            for connection in self._connections.values():
                connection.look_ms = now_ms
        if now_ms < self._now_ms or len(self._due) > len(self._connections) * 2 + FEW_LOOKS:
            self._due = [(connection.look_ms, number) for number, connection in self._connections.items()]
            heapq.heapify(self._due)
        self._now_ms = now_ms
        while self._due and self._due[0][0] <= now_ms:
            look_ms, number = heapq.heappop(self._due)
            found = self._connections.get(number)
            if found is not None and found.look_ms == look_ms:
                found.look_ms = NO_LOOK
                due.append(found)
        return due

    def _still_waiting_for_rest(self) -> list[ChargerConnection]:
        waiting, still = list(self.waiting_for_rest), []
        for connection in waiting:
            if connection.transport is None or not connection.link.stream.splitter.pending:
                connection.watched_for_rest = False
            else:
                still.append(connection)
        self.waiting_for_rest[:] = still
        return still

    def _next_look_ms(self, connection: ChargerConnection, now_ms: int) -> int:
        link = connection.link
        if link.pile is None or link.state is None:
            return connection.health.login_due_ms
        silent_ms = connection.health.last_frame_ms + connection.silence_ms + 1
        upkeep_ms = self._upkeep.next_look_ms(
            link.pile, link.state, connection.logged_in_ms, now_ms, tariffs=link.protocol is YKC
        )
        return max(now_ms + 1, min(silent_ms, upkeep_ms, now_ms + LOOK_AT_LEAST_EVERY_MS))

    def bad_input(self, connection: ChargerConnection, incidents: dict[str, int]) -> None:
        """Bytes came that are no frame of a charger that has logged in: `incidents` is kind → bytes."""
        for kind, nbytes in incidents.items():
            self._log.note(kind, _name_of(connection), f"{nbytes} bytes from {connection.peer}")

    def closing_for(self, connection: ChargerConnection, end: str) -> None:
        """A connection is given up for its bytes."""
        self._log.note(f"closed_{end}", _name_of(connection), connection.peer)

    def look_after(self, connection: ChargerConnection, now_ms: int) -> None:
        """The regular work on one connection; it is due again later."""
        self._look_after(connection, now_ms)
        if not connection.closing and connection.look_ms == NO_LOOK:
            self.begin(connection, now_ms)

    def _look_after(self, connection: ChargerConnection, now_ms: int) -> None:
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
