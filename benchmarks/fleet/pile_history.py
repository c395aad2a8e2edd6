"""One charger's part of a written history: what it sends within a stretch of time, before numbering and encoding."""

from bisect import bisect_left
from typing import Final

import msgspec
import numpy as np

from benchmarks.fleet import messages, platform_frames, readings, records
from benchmarks.fleet.billing import Meterman
from benchmarks.fleet.bms_frames import PAIR_EVERY, Body, bms_bodies
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.faults import READING_PERIOD_MS, STORING_FAULTS, Fault
from benchmarks.fleet.lifecycle import has_noise, noise, single_moments
from benchmarks.fleet.messages import Message
from benchmarks.fleet.moments import Kind, Moment
from benchmarks.fleet.plan import ConnectorPlan, Outage, PilePlan
from benchmarks.fleet.power import IntArray
from benchmarks.fleet.readings import Columns
from core.tariff_version import TariffVersion

IDLE_PERIOD_MS: Final = 300_000
LOGIN_TAKES_MS: Final = 2_000
STORED_SPACING_MS: Final = 40
FIRST_SEQ: Final = b"\0\0"


class Connection(msgspec.Struct, frozen=True):
    """The charger's link from its login at `from_ms` until before `to_ms`."""

    name: str
    from_ms: int
    to_ms: int


class Sending(msgspec.Struct):
    """What goes out within one block of time, in no order yet.

    `readings` holds the columns of 0x13 frames, `reading_times` when each is sent, `doubled` which is sent twice.
    `singles` are all other frames that the charger numbers, but heartbeats: messages, or bytes that are none; `answers`
    holds what the platform answered to one of them at once, by its place. `bms` holds type and body of the frames of
    the vehicle. `talk` are whole frames under the platform's numbers: its orders, and the answers to them.
    """

    single_times: list[int] = msgspec.field(default_factory=list)
    singles: list[Message | bytes] = msgspec.field(default_factory=list)
    reading_times: list[IntArray] = msgspec.field(default_factory=list)
    readings: list[Columns] = msgspec.field(default_factory=list)
    doubled: list[IntArray] = msgspec.field(default_factory=list)
    heartbeat_times: list[IntArray] = msgspec.field(default_factory=list)
    answers: dict[int, Message] = msgspec.field(default_factory=dict)
    bms_times: list[IntArray] = msgspec.field(default_factory=list)
    bms: list[Body] = msgspec.field(default_factory=list)
    talk_times: list[int] = msgspec.field(default_factory=list)
    talk: list[bytes] = msgspec.field(default_factory=list)

    def single(self, time_ms: int, single: Message | bytes, answer: Message | None = None) -> None:
        """Add a frame, and the platform's answer to it."""
        if answer is not None:
            self.answers[len(self.singles)] = answer
        self.single_times.append(time_ms)
        self.singles.append(single)

    def order(self, time_ms: int, frame: bytes) -> None:
        """Add an order of the platform, or the answer to one."""
        self.talk_times.append(time_ms)
        self.talk.append(frame)

    def bms_pairs(self, times_ms: IntArray, bodies: list[Body]) -> None:
        """Add 0x23 and 0x25 at these moments."""
        self.bms_times.append(np.repeat(times_ms, 2))
        self.bms += bodies

    def rows(self, times_ms: IntArray, columns: Columns, *, doubled: bool = False) -> None:
        """Add realtime frames."""
        if len(times_ms):
            self.reading_times.append(times_ms)
            self.readings.append(columns)
            self.doubled.append(np.full(len(times_ms), int(doubled), dtype=np.int64))


class PileHistory:
    """One charger between `from_ms` and `to_ms`, asked block by block in the order of time."""

    def __init__(self, plan: PilePlan, from_ms: int, to_ms: int, heartbeat_ms: int) -> None:
        self.plan = plan
        self.connections = _connections(plan, from_ms, to_ms)
        self.sent = 0
        self.sent_on = -1
        self.heartbeat_ms = heartbeat_ms
        self._metermen: dict[int, Meterman] = {}
        self._uploads = sorted(
            (self._heard_from(time_ms), charge.salt, charge)
            for connector in plan.connectors
            for charge in connector.charges
            for time_ms in records.upload_times(plan, charge)
            if from_ms <= time_ms < to_ms
        )

    def connection_at(self, times_ms: IntArray) -> IntArray:
        """The index in `connections` of the one that a frame sent at each moment goes over."""
        starts = np.array([connection.from_ms for connection in self.connections], dtype=np.int64)
        return np.searchsorted(starts, times_ms, side="right") - 1

    def block(self, from_ms: int, to_ms: int) -> Sending:
        """What goes out from `from_ms` until before `to_ms`."""
        sending = Sending()
        for connection in self.connections:
            self._logins(connection, from_ms, to_ms, sending)
        for connector in self.plan.connectors:
            self._connector(connector, from_ms, to_ms, sending)
        for time_ms, _, charge in self.uploads(from_ms, to_ms):
            record = records.record(charge, self.plan.traits, self.tariff_of(charge))
            sending.single(time_ms, record, platform_frames.record_ack(charge))
        return sending

    def uploads(self, from_ms: int, to_ms: int) -> list[tuple[int, int, Charge]]:
        """The records sent from `from_ms` until before `to_ms`: when, the charge's salt, the charge."""
        first = bisect_left(self._uploads, (from_ms,))
        return self._uploads[first : bisect_left(self._uploads, (to_ms,))]

    def _logins(self, connection: Connection, from_ms: int, to_ms: int, sending: Sending) -> None:
        pile, login_ms = self.plan.pile, connection.from_ms
        if from_ms <= login_ms < to_ms:
            model_no = pile.tariff_at(login_ms).model_no
            sending.single(login_ms, messages.login(pile, self.plan.traits), platform_frames.login_ack(pile))
            sending.order(login_ms, platform_frames.time_sync(pile, login_ms, FIRST_SEQ))
            check = messages.tariff_check(pile, model_no)
            sending.single(login_ms + 150, check, platform_frames.tariff_check_ack(pile, model_no))
            set_ms = login_ms + 300
            sending.order(set_ms, self._reply(messages.time_sync_reply(pile, set_ms), FIRST_SEQ))
        first = max(-(-(from_ms - login_ms) // self.heartbeat_ms), 1)
        beats = np.arange(
            login_ms + first * self.heartbeat_ms, min(to_ms, connection.to_ms), self.heartbeat_ms, dtype=np.int64
        )
        if len(beats):
            sending.heartbeat_times.append(beats)

    def _connector(self, connector: ConnectorPlan, from_ms: int, to_ms: int, sending: Sending) -> None:
        phase = connector.phase_ms
        first = -(-(from_ms - phase) // IDLE_PERIOD_MS)
        idle_times = [np.arange(first * IDLE_PERIOD_MS + phase, to_ms, IDLE_PERIOD_MS, dtype=np.int64)]
        state_times = [c.from_ms + LOGIN_TAKES_MS for c in self.connections]
        idle_times.append(np.array([t for t in state_times if from_ms <= t < to_ms], dtype=np.int64))
        near = [c for c in connector.charges if c.plug_ms < to_ms and c.unplug_ms >= from_ms]
        for charge in near:
            idle_times.append(self._charge(charge, idle_times[1], from_ms, to_ms, sending))
        times = np.concatenate(idle_times)
        plugged = np.zeros(len(times), dtype=np.int64)
        idle = self.heard(times)
        for charge in near:
            plugged |= (times >= charge.plug_ms) & (times < charge.unplug_ms)
            idle &= (times < charge.charging_ms) | (times >= charge.stop_ms)
        columns = readings.idle_columns(self.plan.pile, connector.connector, self.plan.traits, plugged[idle])
        sending.rows(times[idle], columns)
        if self.plan.traits.has_lock:
            self._locks(connector, times[: len(idle_times[0])], plugged, sending)

    def _locks(self, connector: ConnectorPlan, times: IntArray, plugged: IntArray, sending: Sending) -> None:
        """The periodic states of a parking lock; its changes are moments of the charges."""
        heard = self.heard(times)
        for time_ms, occupied in zip(times[heard].tolist(), plugged[: len(times)][heard].tolist(), strict=True):
            lock = messages.LOCK_LOWERED if occupied else messages.LOCK_RAISED
            state = messages.lock_state(self.plan.pile, connector.connector, lock, occupied=bool(occupied))
            sending.single(time_ms, state)

    def _charge(self, charge: Charge, state_times: IntArray, from_ms: int, to_ms: int, sending: Sending) -> IntArray:
        """Add what one charge sends; gives the moments at which its connector shows itself idle."""
        idle_times = []
        last = np.zeros(0, dtype=np.int64)
        for moment in single_moments(charge, self.plan):
            if not from_ms <= moment.time_ms < to_ms:
                continue
            if moment.kind in (Kind.PLUGGED, Kind.STOPPED, Kind.UNPLUGGED):
                idle_times.append(moment.time_ms)
            elif moment.kind is Kind.LAST_READING:
                last = np.array([moment.time_ms], dtype=np.int64)
            elif self.heard(np.array([moment.time_ms], dtype=np.int64))[0]:
                self._told_by_frame(charge, moment, sending)
        periodic = charge.reading_times(from_ms, to_ms)
        shown = state_times[(state_times >= charge.first_reading_ms) & (state_times < charge.stop_ms)]
        times = np.concatenate((periodic, shown, last))
        heard = self.heard(times)
        doubled = charge.fault is Fault.DUPLICATED_FRAMES
        sending.rows(times[heard], self._columns(charge, times[heard]), doubled=doubled)
        if charge.pile.is_dc:
            told = np.sort(np.concatenate((shown, self._bms_times(charge, periodic))))
            sending.bms_pairs(told, bms_bodies(charge, told))
        if charge.fault is Fault.GARBAGE_ON_LINE:
            for time_ms in periodic[self.heard(periodic)]:
                number = reading_number(charge, int(time_ms))
                if has_noise(charge, number):
                    sending.single(int(time_ms), noise(charge, number))
        if charge.fault in STORING_FAULTS:
            self._stored(charge, from_ms, to_ms, sending)
        return np.array(idle_times, dtype=np.int64)

    def _told_by_frame(self, charge: Charge, moment: Moment, sending: Sending) -> None:
        """Add a step that is told by one frame other than 0x13."""
        time_ms, kind = moment.time_ms, moment.kind
        if kind is Kind.START_ORDER:
            sending.order(time_ms, platform_frames.remote_start(charge, platform_frames.order_seq(charge)))
        elif kind is Kind.STOP_ORDER:
            sending.order(time_ms, platform_frames.remote_stop(charge, platform_frames.order_seq(charge, stops=True)))
        elif kind in (Kind.START_REPLY, Kind.STOP_REPLY):
            seq = platform_frames.order_seq(charge, stops=kind is Kind.STOP_REPLY)
            sending.order(time_ms, self._reply(single_message(charge, kind), seq))
        else:
            answer = platform_frames.start_reply(charge) if kind is Kind.START_REQUEST else None
            sending.single(time_ms, single_message(charge, kind), answer)

    def _reply(self, message: Message, seq: bytes) -> bytes:
        return messages.encode(message, seq, self.plan.traits.checksum_order)

    def _bms_times(self, charge: Charge, periodic: IntArray) -> IntArray:
        """Every third of the periodic readings, and the first one after an outage."""
        number: IntArray = (periodic - charge.charging_ms + READING_PERIOD_MS // 2) // READING_PERIOD_MS
        after_outage = ~self.heard(periodic - READING_PERIOD_MS)
        chosen: IntArray = periodic[self.heard(periodic) & ((number % PAIR_EVERY == 0) | after_outage)]
        return chosen

    def _stored(self, charge: Charge, from_ms: int, to_ms: int, sending: Sending) -> None:
        """The readings of an outage, kept by the charger and sent after its next login."""
        for outage in self.plan.outages:
            if not from_ms <= outage.to_ms < to_ms:
                continue
            times = backlog_order(charge, stored_times(charge, outage))
            columns = self._columns(charge, times)
            sent = outage.to_ms + LOGIN_TAKES_MS + STORED_SPACING_MS * np.arange(1, len(times) + 1)
            sending.rows(sent, columns)

    def _columns(self, charge: Charge, times_ms: IntArray) -> Columns:
        meterman = self._metermen.get(charge.salt)
        if meterman is None:
            meterman = self._metermen[charge.salt] = Meterman(charge, self.tariff_of(charge))
        return readings.charging_columns(charge, self.plan.traits, meterman, times_ms)

    def tariff_of(self, charge: Charge) -> TariffVersion:
        """The version that the charger held when the charge began: the one of its last login before."""
        logins = [c.from_ms for c in self.connections if c.from_ms <= charge.order_ms]
        return self.plan.pile.tariff_at(logins[-1] if logins else charge.order_ms)

    def heard(self, times_ms: IntArray) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """At which of the moments the charger is logged in."""
        heard = np.zeros(len(times_ms), dtype=np.bool_)
        for connection in self.connections:
            heard |= (times_ms >= connection.from_ms + LOGIN_TAKES_MS) & (times_ms < connection.to_ms)
        return heard

    def _heard_from(self, time_ms: int) -> int:
        """The moment itself, or when the first login is done."""
        return max(time_ms, self.connections[0].from_ms + records.BACKLOG_DELAY_MS)


def stored_times(charge: Charge, outage: Outage) -> IntArray:
    """When the charger took the readings of a charge that it could not send during an outage."""
    return charge.reading_times(max(outage.from_ms, charge.charging_ms), min(outage.to_ms, charge.stop_ms))


def backlog_order(charge: Charge, times_ms: IntArray) -> IntArray:
    """The order in which the charger sends what it kept: mixed up for `BACKLOG_SHUFFLED`."""
    if charge.fault is not Fault.BACKLOG_SHUFFLED:
        return times_ms
    return np.random.default_rng(charge.salt).permutation(times_ms)


def reading_number(charge: Charge, time_ms: int) -> int:
    """The number of a periodic reading within its charge."""
    return (time_ms - charge.charging_ms + READING_PERIOD_MS // 2) // READING_PERIOD_MS


def single_message(charge: Charge, kind: Kind) -> Message:
    """The message of a moment that is told by one frame other than 0x13."""
    pile, connector = charge.pile, charge.connector
    if kind is Kind.START_REPLY:
        return messages.remote_start_reply(pile, connector, charge.trade_no, messages.ACCEPTED)
    if kind is Kind.STOP_REPLY:
        return messages.remote_stop_reply(pile, connector, messages.ACCEPTED)
    if kind is Kind.LOCK_LOWERED:
        return messages.lock_state(pile, connector, messages.LOCK_LOWERED, occupied=True)
    if kind is Kind.LOCK_RAISED:
        return messages.lock_state(pile, connector, messages.LOCK_RAISED, occupied=False)
    return {
        Kind.START_REQUEST: messages.start_request,
        Kind.BMS_ERROR: messages.bms_error,
        Kind.HANDSHAKE: messages.bms_handshake,
        Kind.PARAMS: messages.bms_params,
        Kind.ABORT: messages.abort,
        Kind.CHARGE_END: messages.charge_end,
    }[kind](charge)


def _connections(plan: PilePlan, from_ms: int, to_ms: int) -> list[Connection]:
    """The links that the outages leave; the first login comes a little after `from_ms`."""
    begin_ms = plan.online_from(from_ms + plan.traits.phase_ms)
    connections = []
    for outage in plan.outages:
        if outage.to_ms <= begin_ms:
            continue
        if outage.from_ms >= to_ms:
            break
        connections.append((begin_ms, outage.from_ms))
        begin_ms = outage.to_ms
    if begin_ms < to_ms:
        connections.append((begin_ms, to_ms))
    code = plan.pile.code
    return [Connection(f"{code}-{i}", start, end) for i, (start, end) in enumerate(connections, 1)]
