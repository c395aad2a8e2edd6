"""One AAF5 charger's part of a written history: whole frames, each with its time and its connection."""

from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet import aaf5_messages, aaf5_platform_frames, aaf5_status
from benchmarks.fleet.aaf5_link import REPLY_SEQ, SEQ_AT, frame_of, with_seq
from benchmarks.fleet.aaf5_session import Aaf5Session, session_of
from benchmarks.fleet.aaf5_status import Rows
from benchmarks.fleet.billing import Meterman
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.faults import STORING_FAULTS, Fault
from benchmarks.fleet.lifecycle import has_noise, noise, single_moments
from benchmarks.fleet.messages import Message
from benchmarks.fleet.moments import Kind, Moment
from benchmarks.fleet.pile_history import (
    LOGIN_TAKES_MS,
    STORED_SPACING_MS,
    PileHistory,
    backlog_order,
    reading_number,
    stored_times,
)
from benchmarks.fleet.plan import ConnectorPlan, PilePlan
from benchmarks.fleet.power import IntArray
from core.aaf5.codec import START_BYTES

IDLE_STATUS_MS: Final = 60_000
CONNECTION_PREFIX: Final = "aaf5-"
SEQ_NUMBERS: Final = 256

NamedFrame = tuple[int, str, bytes]


class _Spoken(msgspec.Struct, frozen=True):
    """A frame on a connection.

    `answer` is what the platform answered at once. `counted`: it goes under the next number of its connection, where
    the firmware counts.
    """

    time_ms: int
    connection: str
    frame: bytes
    counted: bool = True
    answer: bytes = b""


class Aaf5PileHistory(PileHistory):
    """One charger between `from_ms` and `to_ms`, asked block by block in the order of time.

    Guns show themselves once a minute while idle; real ones do so as often as while charging, but a history needs
    less. What a connection's frames are called ends with the number of the connection, as for YKC.
    """

    def __init__(self, plan: PilePlan, from_ms: int, to_ms: int, heartbeat_ms: int) -> None:
        super().__init__(plan, from_ms, to_ms, heartbeat_ms)
        assert plan.aaf5 is not None
        self._traits = plan.aaf5
        self._sessions: dict[int, tuple[Aaf5Session, Meterman]] = {}
        self._last_rows: dict[int, Rows] = {}
        self._seqs: dict[str, int] = {}
        self._spoken: list[_Spoken] = []

    def frames(self, from_ms: int, to_ms: int) -> list[NamedFrame]:
        """What is said from `from_ms` until before `to_ms`, in the order of time."""
        self._spoken = []
        for connector in self.plan.connectors if self.plan.pile.gun_letters else self.plan.connectors[:1]:
            self._connection_frames(connector.connector, from_ms, to_ms)
        for connector in self.plan.connectors:
            self._gun(connector, from_ms, to_ms)
        for time_ms, _, charge in self.uploads(from_ms, to_ms):
            record = self._record(charge)
            self._message(time_ms, charge.connector, record, aaf5_platform_frames.record_ack(record))
        in_order = sorted(self._spoken, key=lambda spoken: spoken.time_ms)
        return [named for spoken in in_order for named in self._numbered(spoken)]

    def _connection_frames(self, speaker: int, from_ms: int, to_ms: int) -> None:
        pile, traits = self.plan.pile, self._traits
        for number, connection in enumerate(self.connections, 1):
            login_ms = connection.from_ms
            if from_ms <= login_ms < to_ms:
                login = aaf5_messages.login(
                    pile,
                    speaker,
                    traits,
                    time_ms=login_ms,
                    boots=number,
                    records=0,
                    heartbeat_s=traits.heartbeat_s,
                )
                self._message(login_ms, speaker, login, aaf5_platform_frames.login_ack(login))
                if traits.serial:
                    self._message(login_ms + 150, speaker, aaf5_messages.request("tariff_request", pile, speaker))
                    self._message(login_ms + 200, speaker, aaf5_messages.request("qr_request", pile, speaker))
                    self._message(login_ms + 250, speaker, aaf5_messages.alarms(pile, speaker))
            first = max(-(-(from_ms - login_ms) // self.heartbeat_ms), 1)
            begin_ms = login_ms + first * self.heartbeat_ms
            for time_ms in range(begin_ms, min(to_ms, connection.to_ms), self.heartbeat_ms):
                counter = (time_ms - login_ms) // self.heartbeat_ms
                self._message(time_ms, speaker, aaf5_messages.heartbeat(pile, speaker, counter))

    def _gun(self, connector: ConnectorPlan, from_ms: int, to_ms: int) -> None:
        phase = connector.phase_ms % IDLE_STATUS_MS
        first = -(-(from_ms - phase) // IDLE_STATUS_MS)
        after_login = [c.from_ms + LOGIN_TAKES_MS for c in self.connections]
        after_login = [time_ms for time_ms in after_login if from_ms <= time_ms < to_ms]
        idle_times = [*range(first * IDLE_STATUS_MS + phase, to_ms, IDLE_STATUS_MS), *after_login]
        near = [c for c in connector.charges if c.plug_ms < to_ms and c.unplug_ms >= from_ms]
        for charge in near:
            idle_times += self._charge_frames(charge, np.array(after_login, dtype=np.int64), from_ms, to_ms)
        times = np.array(sorted(idle_times), dtype=np.int64)
        idle = self.heard(times)
        for charge in near:
            idle &= (times < charge.charging_ms) | (times >= charge.stop_ms)
        self._idle_frames(connector, near, times[idle])

    def _charge_frames(self, charge: Charge, after_login: IntArray, from_ms: int, to_ms: int) -> list[int]:
        """Add what one charge sends; gives the moments at which its gun shows itself idle."""
        idle_times = []
        shown = [after_login[(after_login >= charge.first_reading_ms) & (after_login < charge.stop_ms)]]
        for moment in single_moments(charge, self.plan):
            if not from_ms <= moment.time_ms < to_ms:
                continue
            if moment.kind in (Kind.PLUGGED, Kind.STOPPED, Kind.UNPLUGGED):
                idle_times.append(moment.time_ms)
            elif moment.kind is Kind.PREPARING:
                idle_times += [moment.time_ms] * self._traits.states
            elif moment.kind is Kind.LAST_READING:
                shown.append(np.array([moment.time_ms], dtype=np.int64))
            elif self._is_heard(moment.time_ms):
                self._step(charge, moment)
        periodic = charge.reading_times(from_ms, to_ms, self._traits.status_s * 1_000)
        self._readings(charge, np.concatenate((periodic, *shown)))
        if charge.fault is Fault.GARBAGE_ON_LINE:
            for time_ms in periodic[self.heard(periodic)].tolist():
                if has_noise(charge, reading_number(charge, time_ms)):
                    self._add(time_ms, charge.connector, noise(charge, reading_number(charge, time_ms)))
        if charge.fault in STORING_FAULTS:
            self._stored_readings(charge, from_ms, to_ms)
        return idle_times

    def _readings(self, charge: Charge, times_ms: IntArray) -> None:
        times_ms = times_ms[self.heard(times_ms)]
        session, meterman = self._session(charge)
        frames = aaf5_status.frames_of(aaf5_status.charging_rows(session, meterman, times_ms))
        copies = 2 if charge.fault is Fault.DUPLICATED_FRAMES else 1
        for time_ms, frame in zip(times_ms.tolist(), frames, strict=True):
            for _ in range(copies):
                self._add(time_ms, charge.connector, frame)

    def _stored_readings(self, charge: Charge, from_ms: int, to_ms: int) -> None:
        """The readings of an outage, kept by the charger and sent after its next login."""
        session, meterman = self._session(charge)
        for outage in self.plan.outages:
            if not from_ms <= outage.to_ms < to_ms:
                continue
            times_ms = backlog_order(charge, stored_times(charge, outage))
            frames = aaf5_status.frames_of(aaf5_status.charging_rows(session, meterman, times_ms))
            for i, frame in enumerate(frames, 1):
                self._add(outage.to_ms + LOGIN_TAKES_MS + STORED_SPACING_MS * i, charge.connector, frame)

    def _idle_frames(self, connector: ConnectorPlan, near: list[Charge], times_ms: IntArray) -> None:
        """What the gun shows while nothing flows: the last session, its state, and whether a vehicle is there."""
        states = np.full(len(times_ms), aaf5_status.IDLE, dtype=np.int64)
        plugged = np.zeros(len(times_ms), dtype=np.int64)
        for charge in near:
            there = (times_ms >= charge.plug_ms) & (times_ms < charge.unplug_ms)
            plugged |= there
            if self._traits.states:
                states[there & (times_ms >= charge.start_ms)] = aaf5_status.PREPARING
            failed = charge.fault is Fault.START_FAILED and self._traits.states
            after = aaf5_status.START_FAILED if failed else aaf5_status.FINISHED
            states[there & (times_ms >= charge.stop_ms)] = after
        ends_ms = np.array([charge.stop_ms for charge in connector.charges], dtype=np.int64)
        last = np.searchsorted(ends_ms, times_ms, side="right") - 1
        for index in np.unique(last).tolist():
            mine = last == index
            rows = np.repeat(self._ended(connector, index), int(mine.sum()))
            rows["work_state"], rows["car_conn"] = states[mine], plugged[mine] * aaf5_status.PLUGGED
            for time_ms, frame in zip(times_ms[mine].tolist(), aaf5_status.frames_of(rows), strict=True):
                self._add(time_ms, connector.connector, frame)

    def _ended(self, connector: ConnectorPlan, index: int) -> Rows:
        """The row of the gun after its charge of that number, -1 = before any."""
        if index < 0:
            return aaf5_status.blank_rows(self.plan.pile, connector.connector, self._traits, 1)
        charge = connector.charges[index]
        if charge.salt not in self._last_rows:
            session, meterman = self._session(charge)
            rows = aaf5_status.charging_rows(session, meterman, np.array([charge.stop_ms], dtype=np.int64))
            self._last_rows[charge.salt] = aaf5_status.ended(rows, aaf5_status.IDLE, 0)
        return self._last_rows[charge.salt]

    def _step(self, charge: Charge, moment: Moment) -> None:
        """Add a step that is told by one frame other than 104, or an order."""
        pile, connector, time_ms = charge.pile, charge.connector, moment.time_ms
        session, _ = self._session(charge)
        if moment.kind is Kind.START_ORDER:
            self._add(time_ms, connector, aaf5_platform_frames.start(session), counted=False)
        elif moment.kind is Kind.STOP_ORDER:
            self._add(time_ms, connector, aaf5_platform_frames.stop(charge), counted=False)
        elif moment.kind is Kind.START_REQUEST:
            self._message(time_ms, connector, aaf5_messages.account_query(charge), aaf5_platform_frames.account_reply())
        elif moment.kind is Kind.START_REPLY:
            failed = charge.fault is Fault.START_FAILED
            result = aaf5_messages.ENDED_BEFORE_CHARGING if failed else aaf5_messages.OK
            reply = aaf5_messages.start_reply(pile, connector, result, session.serial, user_id=session.user_id)
            self._add(time_ms, connector, frame_of(reply, REPLY_SEQ))
        else:
            order = aaf5_platform_frames.stop_fields(charge)
            reply = aaf5_messages.control_reply(pile, connector, order, aaf5_messages.OK, with_serial=False)
            seq = aaf5_platform_frames.order_seq(charge, stops=True) if self._traits.serial else REPLY_SEQ
            self._add(time_ms, connector, frame_of(reply, seq), counted=False)

    def _record(self, charge: Charge) -> Message:
        charges = self.plan.connectors[charge.connector - 1].charges
        session, meterman = self._session(charge)
        return aaf5_messages.record(session, meterman, charges.index(charge), len(charges))

    def _session(self, charge: Charge) -> tuple[Aaf5Session, Meterman]:
        if charge.salt not in self._sessions:
            meterman = Meterman(charge, self.tariff_of(charge))
            self._sessions[charge.salt] = session_of(charge, self._traits), meterman
        return self._sessions[charge.salt]

    def _is_heard(self, time_ms: int) -> bool:
        return bool(self.heard(np.array([time_ms], dtype=np.int64))[0])

    def _message(self, time_ms: int, connector: int, message: Message, answer: Message | None = None) -> None:
        """Add a message of the charger, and the platform's answer."""
        self._add(time_ms, connector, frame_of(message), answer=frame_of(answer) if answer is not None else b"")

    def _add(self, time_ms: int, connector: int, frame: bytes, *, counted: bool = True, answer: bytes = b"") -> None:
        number = int(self.connection_at(np.array([time_ms], dtype=np.int64))[0]) + 1
        name = f"{CONNECTION_PREFIX}{self.plan.pile.wire_code(connector)}-{number}"
        self._spoken.append(_Spoken(time_ms, name, frame, counted, answer))

    def _numbered(self, spoken: _Spoken) -> list[NamedFrame]:
        """The frame under its number, and the answer under the same one."""
        name, frame, answer = spoken.connection, spoken.frame, spoken.answer
        if self._traits.serial and spoken.counted and frame.startswith(START_BYTES):
            seq = self._seqs.get(name, 0)
            self._seqs[name] = (seq + 1) % SEQ_NUMBERS
            frame = with_seq(frame, bytes((seq,)))
        told = [(spoken.time_ms, name, frame)]
        return [*told, (spoken.time_ms, name, with_seq(answer, frame[SEQ_AT : SEQ_AT + 1]))] if answer else told
