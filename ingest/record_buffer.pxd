from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cpdef enum:
    FRAME_UP = 1    # a frame that a charger sent
    FRAME_DOWN = 2  # a frame that the platform sent
    QUARANTINE = 3  # bytes that could not be used; `reason` says why
    EVENT = 4       # msgpack of an ingest.events.Event
    RUN = 5         # frames that one connection sent at one moment, under one header: see Entry

cpdef enum:
    PROTOCOL_YKC = 1
    PROTOCOL_AAF5 = 2

cpdef enum:
    FLAG_STORED = 1     # a reading: kept by the charger while it was away
    FLAG_SHEDDABLE = 2  # an event that anybody can cause, known or not: it goes with the telemetry

cpdef enum:
    LANE_FACTS = 0      # what money depends on: record uploads, their acks, events of known chargers. Never shed.
    LANE_TELEMETRY = 1  # everything else. Shed oldest first when the disk limit is reached.
    LANE_COUNT = 2

# The header of a record, little-endian as on disk. Its fields are naturally aligned: 56 bytes without padding.
cdef struct RecordHeader:
    uint32_t payload_length
    uint32_t crc  # CRC-32 of everything after this field, payload included
    uint8_t kind
    uint8_t protocol
    uint8_t connector
    uint8_t flags
    uint32_t pile_id
    uint64_t connection_id
    int64_t receive_ms
    int64_t event_ms
    uint32_t live_accepted_e4kwh
    uint32_t live_amount_fen
    uint32_t live_flags
    uint32_t reason

# A frame in the payload of a RUN. The header's `reason` is the number of entries; what an entry does not say is as in
# the header: charger, connection, protocol, receive_ms, and event_ms equal to it. `bits`: a frame's flags, and which of
# the optional fields follow, little-endian and in this order: event_ms (int64), the live figures (three uint32).
cdef struct Entry:
    uint16_t length
    uint8_t connector
    uint8_t bits

cdef enum:
    RECORD_HEADER = 56
    ENTRY_HEAD = 4
    ENTRY_FLAGS = 0x0F
    ENTRY_HAS_EVENT_MS = 0x10
    ENTRY_HAS_LIVE = 0x20
    EVENT_MS_BYTES = 8
    LIVE_BYTES = 12
    RUN_BYTES = 16384   # of payload; a flipped bit costs the run that it is in
    RUN_ENTRIES = 256

cdef struct LaneBuffer:
    uint8_t* data
    Py_ssize_t length
    Py_ssize_t capacity
    Py_ssize_t limit
    Py_ssize_t run_at    # of the header of the run that is still open, -1 while there is none
    uint32_t run_entries
    Py_ssize_t first_payload_at  # of the open run, in case it stays its only entry


cdef inline Py_ssize_t entry_head_bytes(uint8_t bits) noexcept nogil:
    """How many bytes of an entry stand before its frame."""
    return (
        ENTRY_HEAD
        + (EVENT_MS_BYTES if bits & ENTRY_HAS_EVENT_MS else 0)
        + (LIVE_BYTES if bits & ENTRY_HAS_LIVE else 0)
    )


cdef inline Py_ssize_t read_entry(const uint8_t* at, Py_ssize_t room, RecordHeader* header) noexcept nogil:
    """Put what the entry at `at` says into the header of its run; gives the bytes before the frame, -1: does not fit."""
    cdef Entry entry
    cdef Py_ssize_t head
    if room < ENTRY_HEAD:
        return -1
    memcpy(&entry, at, ENTRY_HEAD)
    head = entry_head_bytes(entry.bits)
    if entry.bits & ~(ENTRY_FLAGS | ENTRY_HAS_EVENT_MS | ENTRY_HAS_LIVE) or head + entry.length > room:
        return -1
    at += ENTRY_HEAD
    header.kind = FRAME_UP
    header.payload_length = entry.length
    header.connector = entry.connector
    header.flags = entry.bits & ENTRY_FLAGS
    header.event_ms = header.receive_ms
    header.reason = 0
    header.live_accepted_e4kwh = header.live_amount_fen = header.live_flags = 0
    if entry.bits & ENTRY_HAS_EVENT_MS:
        memcpy(&header.event_ms, at, EVENT_MS_BYTES)
        at += EVENT_MS_BYTES
    if entry.bits & ENTRY_HAS_LIVE:
        memcpy(&header.live_accepted_e4kwh, at, LIVE_BYTES)  # three fields in a row
    return head

cdef class RecordBuffer:
    cdef LaneBuffer lanes[LANE_COUNT]
    cdef readonly uint64_t appended_records
    cdef readonly uint64_t appended_bytes
    cdef readonly uint64_t refused_records
    cdef readonly uint64_t refused_bytes

    cdef int _make_room(self, LaneBuffer* lane, Py_ssize_t size) except -1
    cdef bint _joins_run(self, LaneBuffer* lane, const RecordHeader* header, Py_ssize_t size) noexcept nogil
    cdef int _append_entry(
        self, LaneBuffer* lane, const RecordHeader* header, const uint8_t* payload
    ) except -1
    cdef void _close_run(self, LaneBuffer* lane) noexcept nogil

    # 1: taken; 0: refused because the lane is full (the disk does not keep up), so nothing may be acknowledged.
    cdef int append_c(
        self,
        int kind,
        int protocol,
        int connector,
        int flags,
        uint32_t pile_id,
        uint64_t connection_id,
        int64_t receive_ms,
        int64_t event_ms,
        uint32_t accepted,
        uint32_t amount,
        uint32_t live_flags,
        uint32_t reason,
        const uint8_t* payload,
        uint32_t length,
    ) except -1
