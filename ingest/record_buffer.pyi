"""Records of the spool in memory: appended without a Python object each, and read back into columns."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

RECORD_HEADER_BYTES: Final[int]
MAX_PAYLOAD_BYTES: Final[int]
FRAME_UP: Final[int]
FRAME_DOWN: Final[int]
QUARANTINE: Final[int]
EVENT: Final[int]
RUN: Final[int]
MAX_RUN_ENTRIES: Final[int]
FLAG_STORED: Final[int]
FLAG_SHEDDABLE: Final[int]
LANE_FACTS: Final[int]
LANE_TELEMETRY: Final[int]
PROTOCOL_YKC: Final[int]
PROTOCOL_AAF5: Final[int]

class RecordBuffer:
    """Takes records for the spool, in two lanes.

    The lane of facts holds what money depends on (record uploads and their acks: YKC 0x3B and 0x40, AAF5 202 and 201;
    events without `FLAG_SHEDDABLE`), the lane of telemetry everything else. A lane that reached its limit refuses: the
    disk does not keep up. Frames of telemetry that one connection sent at one moment share a header (a run).
    """

    appended_records: int
    appended_bytes: int
    refused_records: int
    refused_bytes: int

    def __init__(self, facts_limit_bytes: int = ..., telemetry_limit_bytes: int = ...) -> None: ...
    @property
    def pending(self) -> int:
        """Bytes that wait for the disk, both lanes."""

    @property
    def pending_facts(self) -> int:
        """Bytes of the lane of facts that wait for the disk."""

    def append(
        self,
        kind: int,
        connector: int = 0,
        flags: int = 0,
        pile_id: int = 0,
        connection_id: int = 0,
        receive_ms: int = 0,
        event_ms: int | None = None,
        accepted: int = 0,
        amount: int = 0,
        live_flags: int = 0,
        reason: int = 0,
        payload: Buffer = b"",
        protocol: int = ...,
    ) -> bool:
        """Copy one record; `event_ms` is `receive_ms` unless given, `protocol` YKC. False: refused.

        What was refused must not be acknowledged. Raises ValueError when `kind`, `protocol` or the payload's length is
        out of range.
        """

    def take(self, lane: int) -> bytes:
        """All bytes of a lane, whole records in the order of their coming; the lane is empty afterwards."""

class Records:
    """Records found in a piece of a segment: one array per header field, `count` long.

    `payload_offset` and `offset` count from the start of the piece. `offset` is where the record begins or, of a frame
    in a run, its entry: no two share it; `record_offset` is where the whole record begins. `frame_type` and `seq` (YKC:
    two wire bytes, little-endian; AAF5: one) are those of the frame in the payload, 0 for other kinds. `end` is where
    the reading stopped, `stop` why: "end" (nothing left), "limit" (`max_records`), "incomplete" (the piece ends inside
    a record), or damage: "length", "kind", "checksum".
    """

    count: int
    end: int
    stop: str
    offset: NDArray[np.uint64]
    record_offset: NDArray[np.uint64]
    payload_offset: NDArray[np.uint64]
    payload_length: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    protocol: NDArray[np.uint8]
    connector: NDArray[np.uint8]
    flags: NDArray[np.uint8]
    pile_id: NDArray[np.uint32]
    connection_id: NDArray[np.uint64]
    receive_ms: NDArray[np.int64]
    event_ms: NDArray[np.int64]
    live_accepted_e4kwh: NDArray[np.uint32]
    live_amount_fen: NDArray[np.uint32]
    live_flags: NDArray[np.uint32]
    reason: NDArray[np.uint32]
    frame_type: NDArray[np.uint16]
    seq: NDArray[np.uint16]

    @property
    def damaged(self) -> bool:
        """Whether the reading stopped at bytes that are no record."""

def scan_records(data: Buffer, start: int = 0, max_records: int = ..., into: Records | None = None) -> Records:
    """The intact records of `data` from `start` on, until the first that is not.

    A run is taken whole: up to `MAX_RUN_ENTRIES` - 1 more than `max_records` may come. `into`: records that nobody
    needs any more; they are overwritten and given back when they have the room.
    """

def find_record(data: Buffer, start: int) -> int:
    """Where the next intact record begins, at `start` or after; -1 when there is none."""

def count_records(data: Buffer, start: int = 0) -> int:
    """How many records there are, by their lengths alone (no checksum is verified)."""
