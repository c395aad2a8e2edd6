from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cpdef enum:
    FRAME_UP = 1    # a frame that a charger sent
    FRAME_DOWN = 2  # a frame that the platform sent
    QUARANTINE = 3  # bytes that could not be used; `reason` says why
    EVENT = 4       # msgpack of an ingest.events.Event

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

cdef struct LaneBuffer:
    uint8_t* data
    Py_ssize_t length
    Py_ssize_t capacity
    Py_ssize_t limit

cdef class RecordBuffer:
    cdef LaneBuffer lanes[LANE_COUNT]
    cdef readonly uint64_t appended_records
    cdef readonly uint64_t appended_bytes
    cdef readonly uint64_t refused_records
    cdef readonly uint64_t refused_bytes

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
