"""Segments of one folder of the spool into the database, piece by piece, and the proof that they arrived."""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.directory import PileDirectory
from ingest.disk import Disk
from ingest.insert import Inserter
from ingest.load_ledger import DIFFERENT, EQUAL, REPAIRED, Held, LoadLedger, Pieces
from ingest.load_state import STATE_FOLDER, LoadState, drop_states_without_segment, read_state, state_path, write_state
from ingest.loader_status import LoadReport
from ingest.piece import Piece, Workbench, read_piece
from ingest.record_buffer import MAX_PAYLOAD_BYTES, RECORD_HEADER_BYTES, find_record, scan_records
from ingest.row_tally import Tally
from ingest.segment import SEGMENT_HEADER_BYTES, Segment, list_segments
from ingest.set_aside import set_aside
from ingest.spool_folders import close_unattended

# A piece is read whole, and must hold the largest record.
PIECE_BYTES = max(64 * 1024 * 1024, 2 * (MAX_PAYLOAD_BYTES + RECORD_HEADER_BYTES))
CHECK_EVERY_S = 60.0
RECOVER_EVERY_S = 5.0

_log = logging.getLogger(__name__)


@dataclass
class LoaderParts:
    """What the folders of one spool share.

    `bench` holds the piece that is being loaded.
    """

    inserter: Inserter
    ledger: LoadLedger
    directory: PileDirectory
    disk: Disk
    clock: Callable[[], int]
    keep_loaded: bool
    batch_records: int
    count: Callable[[LoadReport], None]
    bench: Workbench = field(default_factory=Workbench)


class FolderLoader:
    """Loads the segments of one folder.

    Exactly once: before a piece of a segment is inserted, its borders are put on the disk as an intent and told to the
    database (`LoadLedger`), and after the insert they are put on the disk as loaded. Whoever finds a piece that was
    intended or announced makes the same rows of the same bytes again, with the same token, and leaves out those that
    the database has. A segment is deleted only when the database has shown that it holds every row of it.
    """

    def __init__(self, folder: Path, name: str, parts: LoaderParts) -> None:
        """`name`: of the folder below the spool's root, empty for the root."""
        self.folder = folder
        self.name = name
        self.last_difference = ""
        self._parts = parts
        self._states: dict[int, LoadState] = {}
        self._announced: dict[int, Pieces] = {}
        self._held: dict[int, Held] = {}
        self._ended: frozenset[int] = frozenset()
        self._recover_due_s = 0.0
        self._checked_s: dict[int, float] = {}
        (folder / STATE_FOLDER).mkdir(parents=True, exist_ok=True)
        drop_states_without_segment(folder)

    def segments(self) -> list[Segment]:
        """Those that can be read, oldest first; what a writer that is gone left open counts as closed."""
        found = list_segments(self.folder)
        left_open = [segment for segment in found if not segment.closed and segment.segment_id not in self._ended]
        if left_open and time.monotonic() >= self._recover_due_s:
            self._recover_due_s = time.monotonic() + RECOVER_EVERY_S
            ended = close_unattended(self.folder, self._parts.disk, self._parts.clock())
            if ended:
                self._ended |= ended
                found = list_segments(self.folder)
        return [
            Segment(segment.path, segment.header, segment.size, segment.size, closed=True)
            if segment.segment_id in self._ended and not segment.closed
            else segment
            for segment in found
        ]

    def waiting_bytes(self, segments: list[Segment]) -> int:
        """Bytes of these segments that are on the disk and not in the database yet."""
        return sum(max(segment.readable - self._state(segment).loaded, 0) for segment in segments)

    def has_work(self, segment: Segment) -> bool:
        """Whether there is something to load, to compare or to delete."""
        state = self._state(segment)
        return state.loaded < segment.readable or self._may_go(segment, state) or self._check_is_due(segment, state)

    def learn_what_was_announced(self, segments: list[Segment]) -> None:
        """Ask the database once for each segment that this loader has not seen before."""
        unknown = [segment.segment_id for segment in segments if segment.segment_id not in self._announced]
        if unknown:
            self._announced |= self._parts.ledger.announced(unknown)

    def load(self, segment: Segment) -> None:
        """Bring what is readable of a segment into the database; once it is complete and proven, delete it.

        Raises DatabaseAwayError; the next call goes on where this one stopped.
        """
        state = self._state(segment)
        if state.loaded < segment.readable or state.checked < state.loaded:
            try:
                file = os.open(segment.path, os.O_RDONLY)
            except FileNotFoundError:  # shed since the listing
                self._forget(segment)
                return
            try:
                while state.loaded < segment.readable:
                    state = self._load_piece(segment, file, state)
                if self._check_is_due(segment, state):
                    state = self._check(segment, file, state)
            finally:
                os.close(file)
        if self._may_go(segment, state):
            self._delete(segment)

    def _read(self, segment: Segment, file: int, start: int, intent_end: int = 0) -> Piece:
        """The piece that begins at `start`; one that was intended before is as long as it was then."""
        end = intent_end or min(segment.readable, start + PIECE_BYTES)
        most = end - start if intent_end else self._parts.batch_records
        return read_piece(self._parts.bench, file, segment.segment_id, start, end, most, self._parts.directory)

    def _may_go(self, segment: Segment, state: LoadState) -> bool:
        complete = segment.closed and state.checked >= segment.size
        return complete and not state.different and not self._parts.keep_loaded

    def _check_is_due(self, segment: Segment, state: LoadState) -> bool:
        if state.checked >= state.loaded:
            return False
        if segment.closed and state.loaded >= segment.size:
            return True
        first_s = self._checked_s.setdefault(segment.segment_id, time.monotonic())
        return time.monotonic() >= first_s + CHECK_EVERY_S

    def _load_piece(self, segment: Segment, file: int, state: LoadState) -> LoadState:
        """Load the next piece of a segment, or step over damage; gives the state afterwards."""
        parts = self._parts
        start = state.loaded
        redo = state.intent_end > start
        held = self._held_of(segment, file, state)  # before the piece: it may need the bench
        piece = self._read(segment, file, start, state.intent_end if redo else 0)
        if piece.records.count == 0:
            end = self._step_over_damage(segment, file, start)
            return self._loaded(segment, LoadState(end, _still_open(state.intent_end, end), state.checked))
        end = piece.end
        if not redo:
            self._put(segment, LoadState(start, end, state.checked))
        maybe_stored = redo or self._is_announced(segment, start, end)
        self._insert(segment, piece, held, maybe_stored=maybe_stored)
        parts.count(LoadReport(piece.records.count, piece.rows.count()))
        return self._loaded(segment, LoadState(end, _still_open(state.intent_end, end), state.checked))

    def _insert(self, segment: Segment, piece: Piece, held: Held, *, maybe_stored: bool, attempt: str = "") -> None:
        """Announce the rows of a piece and store them."""
        parts = self._parts
        self._count_rows(segment, piece, held)
        rows_by_table = piece.rows.count()
        parts.ledger.announce(
            segment, piece.start, piece.end, piece.records.count, rows_by_table, self.name, parts.clock()
        )
        for rows in piece.rows.tables:
            sent = parts.inserter.insert(
                rows,
                segment.segment_id,
                piece.start,
                piece.end,
                maybe_stored=maybe_stored,
                attempt=attempt,
            )
            held.inserted[rows.table] += sent

    def _count_rows(self, segment: Segment, piece: Piece, held: Held) -> None:
        """Count a piece in `held`, once; its events that cannot be read are set aside."""
        if piece.end <= held.end:
            return
        held.add_records(piece.records)
        held.undecodable_events += len(piece.rows.undecodable)
        for rows, tally in zip(piece.rows.tables, piece.rows.tallies, strict=True):
            held.add_rows(rows, tally)
        held.end = piece.end
        for event in piece.rows.undecodable:
            self._set_aside(segment, event.segment_offset, event.payload, event.reason)
        self._parts.count(LoadReport(undecodable_events=len(piece.rows.undecodable)))

    def _is_announced(self, segment: Segment, start: int, end: int) -> bool:
        """Whether the database may have rows of bytes that the disk says nothing of: a folder was restored."""
        return any(first < end and start < last for first, last in self._announced.get(segment.segment_id, ()))

    def _held_of(self, segment: Segment, file: int, state: LoadState) -> Held:
        """What the bytes from `checked` to `loaded` hold; counted anew when an earlier loader brought them.

        The counting uses the bench that all pieces share.
        """
        held = self._held.get(segment.segment_id)
        if held is None or held.start != state.checked or held.end < state.loaded:
            first = max(state.checked, SEGMENT_HEADER_BYTES)
            held = Held(state.checked, first)
            while held.end < state.loaded:
                start = held.end
                end = min(state.loaded, start + PIECE_BYTES)
                piece = read_piece(
                    self._parts.bench,
                    file,
                    segment.segment_id,
                    start,
                    end,
                    self._parts.batch_records,
                    self._parts.directory,
                )
                if piece.records.count:
                    self._count_rows(segment, piece, held)
                else:
                    length = _until_next_record(file, start, end)
                    held.damaged_bytes += length
                    held.end += length
            self._held[segment.segment_id] = held
        return held

    def _check(self, segment: Segment, file: int, state: LoadState) -> LoadState:
        """Compare what the segment holds with what the database has; insert again what is missing there."""
        parts = self._parts
        held = self._held_of(segment, file, state)
        found = parts.ledger.found(segment.segment_id, held)
        verdict = EQUAL
        if not _same(held, found):
            before = sum(tally.rows for tally in found.values())
            self._repair(segment, file, held)
            found = parts.ledger.found(segment.segment_id, held)
            verdict = REPAIRED if _same(held, found) else DIFFERENT
            parts.count(LoadReport(repaired_rows=max(sum(tally.rows for tally in found.values()) - before, 0)))
            self._tell_difference(segment, held, found, verdict)
        parts.ledger.note_check(segment, held, found, verdict, self.name, parts.clock())
        parts.count(
            LoadReport(
                checked_rows=sum(tally.rows for tally in held.tables.values()),
                differences=int(verdict == DIFFERENT),
            )
        )
        self._held.pop(segment.segment_id)
        self._checked_s.pop(segment.segment_id, None)
        return self._put(
            segment,
            LoadState(state.loaded, state.intent_end, state.loaded, state.different or verdict == DIFFERENT),
        )

    def _repair(self, segment: Segment, file: int, held: Held) -> None:
        """Insert the rows of these bytes that the database lost, by a token that it does not remember."""
        parts = self._parts
        start = max(held.start, SEGMENT_HEADER_BYTES)
        while start < held.end:
            end = min(held.end, start + PIECE_BYTES)
            piece = read_piece(parts.bench, file, segment.segment_id, start, end, parts.batch_records, parts.directory)
            if piece.records.count:
                self._insert(segment, piece, held, maybe_stored=True, attempt=f":repair:{parts.clock()}")
                start = piece.end
            else:
                start += _until_next_record(file, start, end)

    def _tell_difference(self, segment: Segment, held: Held, found: dict[str, Tally], verdict: str) -> None:
        told = ", ".join(
            f"{table}: {tally.rows} rows in the segment, {found[table].rows} in ClickHouse"
            for table, tally in held.tables.items()
            if verdict == REPAIRED or not tally.same(found[table])
        )
        said = f"{segment.path.name} from {held.start} to {held.end} is {verdict} ({told})"
        if verdict == DIFFERENT:
            self.last_difference = said
        _log.error("%s: ClickHouse did not have what the segment holds; %s", self.folder, said)
        self._parts.ledger.alarm(segment, held, verdict, said, self._parts.clock())

    def _loaded(self, segment: Segment, state: LoadState) -> LoadState:
        self._put(segment, state)
        self._parts.count(LoadReport())
        return state

    def _step_over_damage(self, segment: Segment, file: int, start: int) -> int:
        """Put the bytes that are no record aside; gives where the next intact record begins."""
        held = self._held_of(segment, file, self._state(segment))
        data = os.pread(file, segment.readable - start, start)
        following = find_record(data, 1)
        length = len(data) if following < 0 else following
        self._set_aside(segment, start, data[:length], scan_records(data, 0, 1).stop)
        held.damaged_bytes += length
        held.end = max(held.end, start + length)
        self._parts.count(LoadReport(damaged_bytes=length))
        return start + length

    def _set_aside(self, segment: Segment, offset: int, data: bytes, reason: str) -> None:
        set_aside(segment.path, offset, data, reason, self._parts.clock(), self._parts.disk)

    def _delete(self, segment: Segment) -> None:
        segment.path.unlink(missing_ok=True)
        self._parts.disk.sync_folder(self.folder)
        self._forget(segment)
        self._parts.count(LoadReport(segments_deleted=1))

    def _forget(self, segment: Segment) -> None:
        state_path(self.folder, segment.segment_id).unlink(missing_ok=True)
        for known in (self._states, self._announced, self._held, self._checked_s):
            known.pop(segment.segment_id, None)

    def _state(self, segment: Segment) -> LoadState:
        state = self._states.get(segment.segment_id)
        if state is None:
            state = read_state(self.folder, segment.segment_id)
            if state.loaded < SEGMENT_HEADER_BYTES:
                state = LoadState(SEGMENT_HEADER_BYTES, state.intent_end)
            if state.checked < SEGMENT_HEADER_BYTES:
                state = LoadState(state.loaded, state.intent_end, SEGMENT_HEADER_BYTES, state.different)
            self._states[segment.segment_id] = state
        return state

    def _put(self, segment: Segment, state: LoadState) -> LoadState:
        write_state(self.folder, segment.segment_id, state, self._parts.disk)
        self._states[segment.segment_id] = state
        return state


def _still_open(intent_end: int, end: int) -> int:
    """An intent outlives a part of itself: what was damaged since must not make the rest look untried."""
    return intent_end if intent_end > end else 0


def _until_next_record(file: int, start: int, end: int) -> int:
    """How many bytes of damage there are from `start` on."""
    data = os.pread(file, end - start, start)
    following = find_record(data, 1)
    return len(data) if following < 0 else following


def _same(held: Held, found: dict[str, Tally]) -> bool:
    return all(tally.same(found[table]) for table, tally in held.tables.items())
