"""What of a charger's facts is stored in the lane that is never shed: strangers who know its id cannot fill the disk.

A fact that says nothing new is left out. Beyond a budget a charger's facts go with the telemetry, and beyond its share
of the spool's limit every fact does but the records of charges. Those are put off, not lost, when one charger brings
more than any could: what is not acknowledged stays in the charger, which sends it again.
"""

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from typing import Final

import msgspec

from ingest.events import Alarm, ClockOffset, CommandOutcome, Event, PlatformOutage, SessionStart, TariffAck
from ingest.record_buffer import RECORD_HEADER_BYTES

FACTS_FLOOD: Final = "facts_flood"
SAME_OFFSET_MS: Final = 1_000
SAME_FOR_MS: Final = 300_000
ANSWERED_FOR_MS: Final = 600_000
ANSWERS_REMEMBERED: Final = 65_536
MINUTE_MS: Final = 60_000
# Of the spool's limit: what one charger may bring at once, and from where on only records of charges are facts.
_FACTS_BURST_PARTS: Final = 64
_RECORDS_BURST_PARTS: Final = 32
_RESERVED_FOR_RECORDS: Final = 2


class FactLimits(msgspec.Struct, frozen=True):
    """What one charger may bring to the lane that is never shed: at once, and per minute after that, in bytes.

    An honest charger stays far below: a backlog of a hundred records is 70 kB of facts and 50 kB of records with their
    answers, a charge 3 kB of facts, an hour of presence 10 kB.
    """

    facts_burst_bytes: int = 512 << 10
    facts_per_minute_bytes: int = 32 << 10
    records_burst_bytes: int = 2 << 20
    records_per_minute_bytes: int = 64 << 10


class Verdict(Enum):
    """What becomes of a fact: kept for good, with the telemetry, or left out because it is known."""

    KEEP = "keep"
    SHEDDABLE = "sheddable"
    KNOWN = "known"


class FactsGuard:
    """Judges facts before they are written. Without a clock: time is that of the facts' arrival, epoch milliseconds.

    `spool_bytes` is the spool's limit. `flooded` is called with the charger's number for everything beyond its budget.
    `measured` is to be called now and then with the size of the lane that is never shed.
    """

    def __init__(self, limits: FactLimits, spool_bytes: int, flooded: Callable[[int], None]) -> None:
        self.shed = 0
        self.known = 0
        self.records_put_off = 0
        self.records_received = 0
        self.records_repeated = 0
        self._facts = _Budgets(
            min(limits.facts_burst_bytes, spool_bytes // _FACTS_BURST_PARTS), limits.facts_per_minute_bytes
        )
        self._records = _Budgets(
            min(limits.records_burst_bytes, spool_bytes // _RECORDS_BURST_PARTS), limits.records_per_minute_bytes
        )
        self._share_bytes = spool_bytes // _RESERVED_FOR_RECORDS
        self._lane_bytes = 0
        self._flooded = flooded
        self._offsets: dict[tuple[int, str], tuple[int, int]] = {}  # by charger and source: offset, since when
        self._versions: dict[int, int] = {}
        self._acked_ms: dict[tuple[int, str], int] = {}
        self._answered: OrderedDict[tuple[object, ...], int] = OrderedDict()

    def measured(self, lane_bytes: int) -> None:
        """So much waits in the lane that is never shed."""
        self._lane_bytes = lane_bytes

    def judge(self, event: Event, payload_bytes: int, now_ms: int) -> Verdict:
        """What becomes of a fact of `payload_bytes`."""
        if isinstance(event, PlatformOutage):
            return Verdict.KEEP
        if not self._is_news(event, now_ms):
            self.known += 1
            return Verdict.KNOWN
        size = payload_bytes + RECORD_HEADER_BYTES
        if self._lane_bytes + size > self._share_bytes:
            self.shed += 1
            return Verdict.SHEDDABLE
        if event.pile_id and not _is_ours(event) and not self._facts.take(event.pile_id, size, now_ms):
            self.shed += 1
            self._flooded(event.pile_id)
            return Verdict.SHEDDABLE
        self._lane_bytes += size
        return Verdict.KEEP

    def takes_record(self, pile_id: int, size: int, now_ms: int) -> bool:
        """Whether a record that takes `size` bytes with its answer may be stored; if not, it is repeated or put off."""
        taken = self._records.take(pile_id, size, now_ms)
        if taken:
            self._lane_bytes += size
        return taken

    def put_off(self, pile_id: int) -> None:
        """A new record was not stored, and is not answered."""
        self.records_put_off += 1
        self._flooded(pile_id)

    def _is_news(self, event: Event, now_ms: int) -> bool:
        if isinstance(event, ClockOffset):
            return self._is_new_offset(event, now_ms)
        if isinstance(event, TariffAck):
            return self._is_new_version(event, now_ms)
        if isinstance(event, CommandOutcome):
            # Of one order each outcome once; of answers to no order each kind once for a charge.
            order = (event.sent_ms, hash(event.request)) if event.request else None
            key = (event.pile_id, event.command, event.connector, event.trade_no, event.outcome, order)
            return self._is_new_answer(key, now_ms)
        if isinstance(event, SessionStart) and event.source == "order" and not event.frame:
            return self._is_new_answer((event.pile_id, event.connector, event.trade_no, event.granted), now_ms)
        return True

    def _is_new_offset(self, event: ClockOffset, now_ms: int) -> bool:
        key = event.pile_id, event.source
        known = self._offsets.get(key)
        if known is not None and abs(event.offset_ms - known[0]) <= SAME_OFFSET_MS and _is_recent(known[1], now_ms):
            return False
        self._offsets[key] = event.offset_ms, now_ms
        return True

    def _is_new_version(self, event: TariffAck, now_ms: int) -> bool:
        key = event.pile_id, event.source
        same = self._versions.get(event.pile_id) == event.tariff_version_id
        known_ms = self._acked_ms.get(key)
        if same and known_ms is not None and _is_recent(known_ms, now_ms):
            return False
        self._versions[event.pile_id] = event.tariff_version_id
        self._acked_ms[key] = now_ms
        return True

    def _is_new_answer(self, key: tuple[object, ...], now_ms: int) -> bool:
        answered_ms = self._answered.get(key)
        if answered_ms is not None and 0 <= now_ms - answered_ms < ANSWERED_FOR_MS:
            return False
        self._answered[key] = now_ms
        self._answered.move_to_end(key)
        if len(self._answered) > ANSWERS_REMEMBERED:
            self._answered.popitem(last=False)
        return True


class _Budgets:
    """A budget in bytes for each charger: full at first, and filled again by the minute."""

    def __init__(self, burst: int, per_minute: int) -> None:
        self._burst = burst
        self._per_minute = per_minute
        self._left: dict[int, tuple[int, int]] = {}  # by charger: bytes, and when they were counted

    def take(self, pile_id: int, size: int, now_ms: int) -> bool:
        """Whether `size` bytes are left; then they are spent."""
        left, counted_ms = self._left.get(pile_id, (self._burst, now_ms))
        # A clock that was set back fills nothing and blocks nothing.
        gained = max(0, now_ms - counted_ms) * self._per_minute // MINUTE_MS
        if gained or now_ms < counted_ms:
            left, counted_ms = min(self._burst, left + gained), now_ms
        enough = size <= left
        self._left[pile_id] = (left - size if enough else left, counted_ms)
        return enough


def _is_recent(known_ms: int, now_ms: int) -> bool:
    return 0 <= now_ms - known_ms < SAME_FOR_MS


def _is_ours(event: Event) -> bool:
    """Whether the platform itself caused the fact: an order that it gave, or the alarm about the flood."""
    match event:
        case CommandOutcome():
            return bool(event.request)
        case TariffAck():
            return event.source == "tariff_set_reply"
        case Alarm():
            return event.kind == FACTS_FLOOD
    return False
