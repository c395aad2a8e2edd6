"""Which records of one connection are stored: new ones, and of each the first few repeats."""

from collections import OrderedDict
from enum import Enum
from hashlib import blake2b
from typing import Final

from ingest.facts_guard import FactsGuard
from ingest.record_buffer import RECORD_HEADER_BYTES

# A charger sends a record up to five times over one connection (ykc.md section 5).
STORED_COPIES: Final = 8
# A hundred records wait after a login; a ring of an AAF5 charger holds more.
RECORDS_REMEMBERED: Final = 1_024


class Intake(Enum):
    """What becomes of a record: stored; answered again without being stored; neither stored nor answered."""

    STORE = "store"
    REPEATED = "repeated"
    PUT_OFF = "put_off"


class RecordIntake:
    """Watches the records of one connection; the guard counts those of the charger over all its connections."""

    __slots__ = ("_copies", "_guard")

    def __init__(self, guard: FactsGuard) -> None:
        self._guard = guard
        self._copies: OrderedDict[bytes, int] | None = None

    def came(self) -> None:
        """A record came that will be acknowledged."""
        self._guard.records_received += 1

    def judge(self, pile_id: int, body: bytes, size: int, now_ms: int) -> Intake:
        """What becomes of a record with this body that takes `size` bytes of frames, with its answer.

        A repeat is a body that is equal to the byte to one that was `stored`.
        """
        copies = self._copies.get(_digest(body), 0) if self._copies is not None else 0
        room = size + 2 * RECORD_HEADER_BYTES
        if copies < STORED_COPIES and self._guard.takes_record(pile_id, room, now_ms):
            return Intake.STORE
        if copies:
            self._guard.records_repeated += 1
            return Intake.REPEATED
        self._guard.put_off(pile_id)
        return Intake.PUT_OFF

    def stored(self, body: bytes) -> None:
        """The spool took a record: what is promised after its next commit holds for equal ones too."""
        if self._copies is None:
            self._copies = OrderedDict()
        digest = _digest(body)
        self._copies[digest] = self._copies.get(digest, 0) + 1
        self._copies.move_to_end(digest)
        if len(self._copies) > RECORDS_REMEMBERED:
            self._copies.popitem(last=False)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()
