"""Captures and histories through the same stream and dialogue as live chargers, on their own time."""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from core.directory import Pile, PileDirectory
from core.wire.splitter import ENCRYPTED
from core.ykc.codec import raw_fields
from ingest.aaf5_protocol import AAF5
from ingest.capture import CapturedFrame, CaptureFile, Progress
from ingest.capture_ledger import CaptureLedger
from ingest.charger_link import ACCEPT, ChargerLink
from ingest.charger_protocol import ChargerProtocol, OnConnectorEvent
from ingest.charger_stream import ChargerStream
from ingest.command_matcher import CommandMatcher, SentCommand
from ingest.connection_registry import ConnectionRegistry, PileState
from ingest.errors import IngestError
from ingest.event_log import EventLog
from ingest.events import CommandOutcome
from ingest.orders import facts_of, sent_order
from ingest.protocols import BY_NAME
from ingest.reactions import ChargerReply, CommandAnswer, LoginRequest, Reason, StartRequest
from ingest.spool import Spool
from ingest.trade_numbers import TradeNumbers
from ingest.ykc_protocol import YKC
from ingest.ykc_types import TARIFF_REPLY

# Frames between two looks at the memory that waits for the disk; a frame's record has at most 1080 bytes.
LOOK_EVERY: Final = 4_096
WRITE_AT_BYTES: Final = 8 << 20
ALL_EVIDENCE: Final = 1 << 62
AAF5_START: Final = b"\xaa\xf5"
NEVER_MS: Final = 1 << 62  # no answer is later
NO_LIMIT: Final = 1 << 62

Register = Callable[[str, str], Pile | None]
"""Called with the code and the protocol's name of a charger that is not known."""


class ReplayReport(msgspec.Struct):
    """What a replay brought: good frames (readings and bills among them), lines in quarantine, the chargers spoken of.

    `repeated` are lines that an earlier replay took, `other_protocols` lines that this version cannot read. Times are
    those of the frames that were taken, 0 when there were none. `observed_until_ms`, of captures only: for each of the
    chargers, the end of the last capture that spoke of it, whatever the order in which they were replayed.
    """

    frames: int = 0
    readings: int = 0
    bills: int = 0
    quarantined: int = 0
    repeated: int = 0
    from_ms: int = 0
    to_ms: int = 0
    pile_ids: set[int] = msgspec.field(default_factory=set)
    observed_until_ms: dict[int, int] = msgspec.field(default_factory=dict)
    other_protocols: dict[str, int] = msgspec.field(default_factory=dict)


class Replayer:
    """Takes frames that were received earlier into `spool`, which the caller opens and closes.

    A frame belongs to the charger that it names, whether or not a login was seen. Unknown chargers are handed to
    `register`, which may put them into the master data; without it, or where it gives None, their frames are
    quarantined.
    """

    def __init__(self, directory: PileDirectory, spool: Spool, register: Register | None = None) -> None:
        self._directory = directory
        self._spool = spool
        self._register = register

    def replay_frames(self, frames: Iterable[tuple[int, str, bytes]]) -> ReplayReport:
        """Take (ts_ms, connection, frame) in the order of time; all of it is on the disk when this returns.

        What does not begin as a frame of AAF5 is taken for one of YKC. Each call takes what it is given: whoever must
        not take frames twice uses `replay_lines`.
        """
        run = _Run(self._directory, self._spool, self._register)
        run.take_all(frames)
        run.finish()
        self._spool.commit()
        return run.report

    def replay_lines(self, path: Path, progress: Progress | None = None) -> ReplayReport:
        """Take the lines of a capture file that no earlier replay into this spool took.

        The capture may be larger than the memory, and in any order: for one that is not in the order of time the disk
        must hold it once more for a while. Raises `CaptureError` for a file that is no capture, `OSError` or
        `IngestError` when the disk does not take it; then nothing of it was taken, and the same call may be made again.
        """
        ledger = CaptureLedger(self._spool)
        ledger.finish_interrupted()
        with CaptureFile(path, progress) as capture:
            survey = capture.survey()
            taken, pile_ids = ledger.taken(survey.identities)
            report = ReplayReport()
            if taken.all():
                report.pile_ids = pile_ids
                ledger.extend(survey.identities, pile_ids, survey.until_ms)
            else:
                fresh = survey.identities[~taken]
                name = ledger.name_of(fresh)
                try:
                    frames = capture.frames(survey, ~taken, ledger.begin_sorting())
                    report = self._stage(frames, ledger.staging(name))
                finally:
                    ledger.end_sorting()
                report.pile_ids |= pile_ids
                ledger.commit(name, fresh, report.pile_ids, survey.until_ms)
        report.observed_until_ms = ledger.observed_until(report.pile_ids)
        report.repeated = int(taken.sum())
        report.other_protocols = survey.other_protocols
        return report

    def _stage(self, frames: Iterable[CapturedFrame], folder: Path) -> ReplayReport:
        """Take the frames into segments of their own, which count for nothing yet."""
        frames = iter(frames)
        first = next(frames)
        try:
            staged = Spool(folder, clock=lambda: 1 + first.ts, node=self._spool.node, max_bytes=NO_LIMIT)
            try:
                run = _Run(self._directory, staged, self._register)
                run.take_captured(chain((first,), frames))
                run.finish()
            finally:
                staged.close()
            if staged.shed.segments:
                raise IngestError(f"the disk is full: the capture does not fit in {folder.parent}; nothing was taken")
        except BaseException:  # Ctrl-C too: what it leaves would fill the disk until the next replay
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return run.report


class _Run:
    """One replay: the links of its connections and the state of its chargers."""

    def __init__(self, directory: PileDirectory, spool: Spool, register: Register | None) -> None:
        self.events = EventLog(spool.buffer)
        self.report = ReplayReport()
        self._directory = directory
        self._spool = spool
        self._register = register
        self._registry = ConnectionRegistry()
        self._matcher = CommandMatcher()
        self._trade_numbers = TradeNumbers()
        self._links: dict[tuple[str, str, str | None, int], ChargerLink] = {}
        self._last_links: dict[str, ChargerLink] = {}  # by connection: the link of its last frame
        self._last_of: dict[tuple[str, str], ChargerLink] = {}  # by connection and protocol
        self._refused_codes: set[tuple[str, str]] = set()
        self._since_look = 0
        self._now_ms = 0

    # What the links call

    def state_of(self, pile: Pile) -> PileState:
        """What is remembered of a charger."""
        return self._registry.state_of(pile)

    def charger_answered(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome:
        """Match an answer to its order and keep the outcome."""
        self._expire(reply.receive_ms)
        _, outcome = self._matcher.answer(pile_id, answer, reply)
        self._keep_outcome(outcome, reply.receive_ms)
        return outcome

    def login_wanted(self, link: ChargerLink, request: LoginRequest) -> str:
        """What was sent then was taken then."""
        return ACCEPT

    def start_wanted(self, link: ChargerLink, request: StartRequest) -> None:
        """It was decided then: the answer is in the capture, or nowhere."""

    # What the replayer calls

    def take_all(self, frames: Iterable[tuple[int, str, bytes]]) -> None:
        """Take every frame. The loop keeps what it needs in locals: it runs a million times for a day of history."""
        last_links = self._last_links
        for ts_ms, conn, frame in frames:
            link = last_links.get(conn)
            if link is None or self._now_ms == 0 or not link.stream.take_fast(frame, ts_ms):
                self.take(ts_ms, conn, AAF5 if frame.startswith(AAF5_START) else YKC, frame)
            else:
                self._took_fast(link, ts_ms)

    def take_captured(self, frames: Iterable[CapturedFrame]) -> None:
        """Take every line of a capture; each says by itself of which protocol it is."""
        last_links = self._last_links
        for line in frames:
            ts_ms, conn, protocol = line.ts, line.conn, BY_NAME[line.protocol]
            if line.frame is None:
                self.quarantine_text(ts_ms, conn, protocol, line.text)
                continue
            link = last_links.get(conn)
            if (
                link is None
                or link.protocol is not protocol
                or self._now_ms == 0
                or not link.stream.take_fast(line.frame, ts_ms)
            ):
                self.take(ts_ms, conn, protocol, line.frame)
            else:
                self._took_fast(link, ts_ms)

    def _took_fast(self, link: ChargerLink, ts_ms: int) -> None:
        if link.stream.has_presences or link.dialogue.offered_tariff is not None:
            link.after_frames(ts_ms)
        self._now_ms = ts_ms
        self._since_look += 1
        if self._since_look >= LOOK_EVERY:
            self._since_look = 0
            self._look()

    def take(self, ts_ms: int, conn: str, protocol: ChargerProtocol, frame: bytes) -> None:
        """Take one frame."""
        self._heard(ts_ms)
        if protocol.whole_frame_kind(frame) >= ENCRYPTED:
            self.report.quarantined += 1
            self._some_link(conn, protocol).stream.take_frame(frame, ts_ms)
            return
        frame_type = protocol.type_of(frame)
        body = protocol.body_of(frame)
        code = protocol.pile_code_of(frame_type, body)
        link = self._some_link(conn, protocol) if code is None else self._link_of(conn, protocol, code)
        self._last_links[conn] = self._last_of[conn, protocol.name] = link
        if protocol.is_down(frame_type):
            self._take_sent(link, frame_type, body, frame, ts_ms)
            return
        quarantined = link.stream.quarantined_bytes
        left = link.stream.take_frame(frame, ts_ms)
        if left is not None:
            link.handle_frame(left, ts_ms)
        link.after_frames(ts_ms)
        self.report.quarantined += link.stream.quarantined_bytes != quarantined

    def quarantine_text(self, ts_ms: int, conn: str, protocol: ChargerProtocol, text: str) -> None:
        """Keep what a line has in the place of hex digits."""
        self._heard(ts_ms)
        stream = self._some_link(conn, protocol).stream
        stream.feed(0, ts_ms)
        stream.quarantine(text.encode()[:1024], Reason.GARBAGE)
        self.report.quarantined += 1

    def finish(self) -> None:
        """The last frame was taken: write what was still held back."""
        self._expire(NEVER_MS)
        for link in self._links.values():
            link.finish(self._now_ms)
            self.report.frames += link.stream.frames
            self.report.readings += link.stream.readings
            self.report.bills += link.bills
            if link.stream.pile_id:
                self.report.pile_ids.add(link.stream.pile_id)
        self.report.to_ms = self._now_ms

    # Inside

    def _heard(self, ts_ms: int) -> None:
        if self._now_ms == 0:
            self.report.from_ms = ts_ms
        self._now_ms = ts_ms
        self._since_look += 1
        if self._since_look >= LOOK_EVERY:
            self._since_look = 0
            self._look()

    def _look(self) -> None:
        if self._spool.buffer.pending > WRITE_AT_BYTES:
            self._spool.write()
        self._expire(self._now_ms)

    def _expire(self, until_ms: int) -> None:
        for _, outcome in self._matcher.expire(until_ms):
            self._keep_outcome(outcome, self._now_ms)

    def _keep_outcome(self, outcome: CommandOutcome, now_ms: int) -> None:
        self.events.add(outcome, now_ms)
        pile = self._directory.by_id(outcome.pile_id)
        for fact in facts_of(outcome, pile) if pile is not None else ():
            self.events.add(fact, now_ms)

    def _take_sent(self, link: ChargerLink, frame_type: int, body: bytes, frame: bytes, ts_ms: int) -> None:
        """A frame that the platform of that time sent."""
        protocol = link.protocol
        connector = link.dialogue.connector or protocol.connector_of(frame_type, body)
        link.stream.keep_sent(frame, connector, ts_ms)
        self.report.frames += 1
        if link.state is None:
            return
        pile = link.state.pile
        if protocol is YKC and frame_type == TARIFF_REPLY:
            model_no = raw_fields(frame_type, body).get("model_no")
            versions = (version for version in pile.tariffs if version.model_no == model_no)
            link.tariff_offered(next(versions, None))
        order = sent_order(protocol.name, frame, link.dialogue.connector)
        if order is None:
            return
        self._expire(ts_ms)
        seq = (link.stream.connection_id, protocol.seq_of(frame))
        command = SentCommand(
            command=order.command,
            pile_id=pile.pile_id,
            connector=order.connector,
            trade_no=order.trade_no or link.state.trade_no(order.connector),
            sent_ms=ts_ms,
            request=frame,
            place=order.place,
            subject=order.subject,
            timeout_ms=order.timeout_ms,
            content=order.body,
            connection_id=seq[0],
            link_place=link.dialogue.connector,
            seqs={seq: False},
        )
        waiting = self._matcher.waiting_as(command)
        if waiting is not None and waiting.content == command.content:
            # The platform of that time tried again; the capture says so by nothing else.
            self._matcher.sent_again(waiting, frame, seq, ts_ms)
            return
        for _, outcome in self._matcher.sent(command):
            self._keep_outcome(outcome, ts_ms)

    def _some_link(self, conn: str, protocol: ChargerProtocol) -> ChargerLink:
        """The link for what does not say whose it is: that of the connection's last frame."""
        return self._last_of.get((conn, protocol.name)) or self._link_of(conn, protocol, None)

    def _link_of(self, conn: str, protocol: ChargerProtocol, code: str | None) -> ChargerLink:
        pile, connector = self._pile_of(code, protocol) if code is not None else (None, 0)
        key = (conn, protocol.name, pile.code if pile else None, connector)
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = self._make_link(conn, protocol, pile, connector)
        return link

    def _pile_of(self, code: str, protocol: ChargerProtocol) -> tuple[Pile | None, int]:
        found = self._directory.by_wire_code(code, protocol.name)
        if found is None and self._register is not None and (code, protocol.name) not in self._refused_codes:
            pile = self._register(code, protocol.name)
            if pile is None:
                self._refused_codes.add((code, protocol.name))
            else:
                self._directory.add(pile)
                found = pile, 0
        return found if found is not None and found[0].protocol == protocol.name else (None, 0)

    def _make_link(self, conn: str, protocol: ChargerProtocol, pile: Pile | None, connector: int) -> ChargerLink:
        connection_id = int.from_bytes(hashlib.blake2b(conn.encode(), digest_size=8).digest(), "little")
        state = self._registry.state_of(pile) if pile else None
        dialogue = protocol.make_dialogue(
            lambda code: self._directory.by_wire_code(code, protocol.name),
            trade_numbers=self._trade_numbers,
            connection_id=connection_id,
            peer=conn,
            pile=pile,
            connector=connector,
            **({"record_is_fresh": state.record_is_fresh} if state else {}),
        )

        def make_stream(on_event: OnConnectorEvent) -> ChargerStream:
            return protocol.make_stream(self._spool.buffer, connection_id, on_event, ALL_EVIDENCE)

        return ChargerLink(self, protocol, dialogue, make_stream, answers_leave=False)
