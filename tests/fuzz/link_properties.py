"""A whole connection without its socket under any bytes: dialogue, live meter, spool, and the rows of the loader."""

import zlib
from random import Random

from core.aaf5.splitter import Aaf5Splitter
from core.directory import Pile, PileDirectory
from core.ykc.splitter import FrameSplitter
from ingest.aaf5_protocol import AAF5
from ingest.batch import Batch, rows_of
from ingest.charger_link import ACCEPT, WAIT, ChargerLink
from ingest.charger_protocol import ChargerProtocol
from ingest.connection_registry import PileState
from ingest.event_log import EventLog
from ingest.events import CommandOutcome
from ingest.reactions import ChargerReply, CommandAnswer, LoginRequest, StartDecision, StartRequest
from ingest.record_buffer import FRAME_UP, LANE_FACTS, LANE_TELEMETRY, QUARANTINE, RecordBuffer, scan_records
from ingest.trade_numbers import TradeNumbers
from ingest.ykc_protocol import YKC
from tests.fuzz.pieces import cuts_of
from tests.fuzz.split_properties import GARBAGE, Splitter
from tests.fuzz.stream_properties import FIRST_MS, LONGEST_INPUT
from tests.ingest.aaf5_frames import AAF5_CODE, aaf5_pile
from tests.ingest.charger_frames import make_pile

CONNECTION_ID = 7
YKC_PILES = [
    make_pile(),
    *(make_pile(code, 30 + i) for i, code in enumerate(("32010200000001", "20231212000010", "55031412782305"))),
]
AAF5_PILES = [
    aaf5_pile(),
    aaf5_pile(AAF5_CODE[:-1], 22, gun_letters=True),
    aaf5_pile("1001", 23, connectors=1),
]
AMPLE_EVIDENCE = 1 << 20


class _Owner:
    """Holds one link; decides logins and starts as the random numbers fall, some at once and some later."""

    def __init__(self, records: RecordBuffer, rng: Random) -> None:
        self.events = EventLog(records)
        self._states: dict[int, PileState] = {}
        self._rng = rng

    def state_of(self, pile: Pile) -> PileState:
        return self._states.setdefault(pile.pile_id, PileState(pile))

    def charger_answered(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome | None:
        return None

    def login_wanted(self, link: ChargerLink, request: LoginRequest) -> str:
        return self._rng.choice((ACCEPT, ACCEPT, WAIT, "id_in_use"))

    def start_wanted(self, link: ChargerLink, request: StartRequest) -> None:
        decision = StartDecision(granted=self._rng.random() < 0.5, reason="unknown_account")
        link.send_reaction(link.dialogue.start_answer(request, decision, FIRST_MS), FIRST_MS)


def check_link(protocol: ChargerProtocol, piles: list[Pile], new_splitter: type[Splitter], data: bytes) -> None:
    """Raise AssertionError where a connection loses bytes, answers what is no frame, or keeps what cannot be loaded.

    Whether a charger has logged in already, how it goes on and how the bytes are cut follows from the bytes.
    """
    data = data[:LONGEST_INPUT]
    rng = Random(zlib.crc32(b"link" + data))
    records = RecordBuffer()
    directory = PileDirectory(piles)
    dialogue = protocol.make_dialogue(
        directory.by_wire_code,
        trade_numbers=TradeNumbers(),
        connection_id=CONNECTION_ID,
        pile=rng.choice([None, *piles]),
    )
    link = ChargerLink(
        _Owner(records, rng),
        protocol,
        dialogue,
        lambda on_event: protocol.make_stream(records, CONNECTION_ID, on_event, AMPLE_EVIDENCE),
    )
    fed = 0
    now_ms = FIRST_MS
    replies: list[bytes] = []
    for piece in cuts_of(data):
        link.stream.feed_bytes(piece, now_ms)
        fed += len(piece)
        link.handle_feed(now_ms)
        while link.more:
            link.handle_feed(now_ms)
        while link.waiting and rng.random() < 0.9:
            link.login_decided(rng.choice((ACCEPT, "id_in_use")), now_ms)
            while link.more:
                link.handle_feed(now_ms)
        replies += link.replies + link.durable_replies
        link.replies.clear()
        link.durable_replies.clear()
        if link.close_reason or link.waiting:
            break
        if link.pile is not None and rng.random() < 0.1:
            replies += [dialogue.probe_frame(), dialogue.time_sync_frame(now_ms)]
        now_ms += rng.choice((0, 1, 900, 15_000, 200_000))
    link.finish(now_ms)
    assert link.stream.bytes_in == fed, "bytes were counted wrongly"
    splitter = new_splitter()
    for reply in replies:
        _check_reply(protocol, splitter, reply)
    kept = _kept_bytes(records, directory) + link.stream.evidence_dropped_bytes
    assert kept == fed, f"{fed} bytes came, {kept} are accounted for"


def _check_reply(protocol: ChargerProtocol, splitter: Splitter, reply: bytes) -> None:
    for index in range(splitter.feed_bytes(reply)):
        kind, frame = splitter.span(index)
        assert kind < GARBAGE, f"an answer that is no frame: {frame.hex()}"
        assert protocol.is_down(splitter.frame_type(index)), f"an answer that only chargers send: {frame.hex()}"
    assert splitter.pending == 0, "half an answer"


def _kept_bytes(records: RecordBuffer, directory: PileDirectory) -> int:
    """How many of the bytes that came are in the records, and that the loader can make rows of each."""
    data = records.take(LANE_FACTS) + records.take(LANE_TELEMETRY)
    found = scan_records(data)
    assert found.stop == "end", "a record that cannot be read back"
    tables, undecodable = rows_of(Batch(1, 64, data, found), directory)
    assert not undecodable, f"an event that the loader cannot read: {undecodable}"
    assert sum(len(rows) for rows in tables) >= found.count, "a record without a row"
    for rows in tables:
        assert len({len(column) for column in rows.columns.values()}) == 1, f"{rows.table}: columns differ in length"
    came = (found.kind == FRAME_UP) | (found.kind == QUARANTINE)
    return int(found.payload_length[came].sum())


def check_ykc_link(data: bytes) -> None:
    """A YKC connection: of the charger of the seeds, or of those of the public sample frames."""
    check_link(YKC, YKC_PILES, FrameSplitter, data)


def check_aaf5_link(data: bytes) -> None:
    """An AAF5 connection: of a charger whose guns share one, or of one whose guns have a letter and one each."""
    check_link(AAF5, AAF5_PILES, Aaf5Splitter, data)
