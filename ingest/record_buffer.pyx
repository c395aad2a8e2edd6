# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Records of the spool in memory: appended without a Python object each, and read back into columns."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

import numpy as np

from core.checksum cimport crc32_c

cdef enum:
    HEADER = RECORD_HEADER
    CRC_AT = 4
    CRC_FROM = 8  # the checksum covers everything after itself
    MAX_PAYLOAD = 1 << 20
    YKC_TYPE_AT = 5  # ykc.md section 1
    YKC_HEADER = 6
    YKC_RECORD = 0x3B
    YKC_RECORD_ACK = 0x40
    AAF5_SEQ_AT = 5  # aaf5.md section 1
    AAF5_TYPE_AT = 6
    AAF5_HEADER = 8
    AAF5_RECORD = 202
    AAF5_RECORD_ACK = 201
    FIRST_CAPACITY = 1 << 16
    KEPT_CAPACITY = 1 << 22

# Why a scan stopped.
cdef enum Stop:
    STOP_END
    STOP_LIMIT
    STOP_INCOMPLETE
    STOP_LENGTH
    STOP_KIND
    STOP_CHECKSUM

_STOP_NAMES = ("end", "limit", "incomplete", "length", "kind", "checksum")

RECORD_HEADER_BYTES = HEADER
MAX_PAYLOAD_BYTES = MAX_PAYLOAD
MAX_RUN_ENTRIES = RUN_ENTRIES


cdef inline bint _is_frame(int kind) noexcept nogil:
    return kind == FRAME_UP or kind == FRAME_DOWN


cdef inline bint _read_header(
    int protocol, const uint8_t* frame, uint32_t length, uint16_t* frame_type, uint16_t* seq
) noexcept nogil:
    """Type and sequence of a frame; False when it is shorter than its protocol's header."""
    if protocol == PROTOCOL_AAF5:
        if length < AAF5_HEADER:
            return False
        frame_type[0] = <uint16_t>(frame[AAF5_TYPE_AT] | (<uint16_t>frame[AAF5_TYPE_AT + 1] << 8))
        seq[0] = frame[AAF5_SEQ_AT]
        return True
    if length < YKC_HEADER:
        return False
    frame_type[0] = frame[YKC_TYPE_AT]
    seq[0] = <uint16_t>(frame[2] | (<uint16_t>frame[3] << 8))
    return True


cdef inline bint _is_bill(int kind, int protocol, uint16_t frame_type) noexcept nogil:
    """A record that came, or an ack that went: a charger that sends acks brings no fact."""
    if protocol == PROTOCOL_AAF5:
        return frame_type == (AAF5_RECORD if kind == FRAME_UP else AAF5_RECORD_ACK)
    return frame_type == (YKC_RECORD if kind == FRAME_UP else YKC_RECORD_ACK)


cdef inline int _lane_of(int kind, int protocol, int flags, const uint8_t* payload, uint32_t length) noexcept nogil:
    cdef uint16_t frame_type, seq
    if kind == EVENT:
        return LANE_TELEMETRY if flags & FLAG_SHEDDABLE else LANE_FACTS
    if _is_frame(kind) and _read_header(protocol, payload, length, &frame_type, &seq):
        if _is_bill(kind, protocol, frame_type):
            return LANE_FACTS
    return LANE_TELEMETRY


cdef inline void seal(uint8_t* record, uint32_t payload_length) noexcept nogil:
    """Write the checksum of a record whose header and payload are complete."""
    cdef uint32_t crc = crc32_c(0, record + CRC_FROM, HEADER - CRC_FROM + <Py_ssize_t>payload_length)
    memcpy(record + CRC_AT, &crc, sizeof(crc))


cdef class RecordBuffer:
    def __cinit__(self, Py_ssize_t facts_limit_bytes=256 << 20, Py_ssize_t telemetry_limit_bytes=64 << 20):
        self.lanes[LANE_FACTS].limit = facts_limit_bytes
        self.lanes[LANE_TELEMETRY].limit = telemetry_limit_bytes
        self.lanes[LANE_FACTS].run_at = self.lanes[LANE_TELEMETRY].run_at = -1

    def __dealloc__(self):
        for lane in range(LANE_COUNT):
            free(self.lanes[<int>lane].data)

    @property
    def pending(self):
        return self.lanes[LANE_FACTS].length + self.lanes[LANE_TELEMETRY].length

    @property
    def pending_facts(self):
        return self.lanes[LANE_FACTS].length

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
    ) except -1:
        cdef LaneBuffer* lane = &self.lanes[_lane_of(kind, protocol, flags, payload, length)]
        cdef Py_ssize_t size = HEADER + <Py_ssize_t>length
        cdef RecordHeader header
        cdef uint8_t* target
        if length > MAX_PAYLOAD:
            raise ValueError(f"a record's payload has at most {MAX_PAYLOAD} bytes, not {length}")
        if lane.length + size > lane.limit:
            self.refused_records += 1
            self.refused_bytes += size
            return 0
        header.payload_length = length
        header.crc = 0
        header.kind = <uint8_t>kind
        header.protocol = <uint8_t>protocol
        header.connector = <uint8_t>connector
        header.flags = <uint8_t>flags
        header.pile_id = pile_id
        header.connection_id = connection_id
        header.receive_ms = receive_ms
        header.event_ms = event_ms
        header.live_accepted_e4kwh = accepted
        header.live_amount_fen = amount
        header.live_flags = live_flags
        header.reason = reason
        self.appended_records += 1
        if (
            kind == FRAME_UP and lane == &self.lanes[LANE_TELEMETRY] and reason == 0
            and flags <= ENTRY_FLAGS and length <= RUN_BYTES // 4
        ):
            return self._append_entry(lane, &header, payload)
        self._close_run(lane)
        self._make_room(lane, size)
        target = lane.data + lane.length
        memcpy(target, &header, HEADER)
        if length:
            memcpy(target + HEADER, payload, length)
        seal(target, length)
        lane.length += size
        self.appended_bytes += size
        return 1

    cdef int _make_room(self, LaneBuffer* lane, Py_ssize_t size) except -1:
        cdef Py_ssize_t capacity
        cdef void* grown
        if lane.length + size <= lane.capacity:
            return 0
        capacity = max(lane.capacity * 2, lane.length + size, <Py_ssize_t>FIRST_CAPACITY)
        grown = realloc(lane.data, capacity)
        if grown == NULL:
            raise MemoryError("no memory for the spool's buffer")
        lane.data = <uint8_t*>grown
        lane.capacity = capacity
        return 0

    cdef bint _joins_run(self, LaneBuffer* lane, const RecordHeader* header, Py_ssize_t size) noexcept nogil:
        """Whether a frame belongs to the run that is open, and fits into it."""
        cdef const RecordHeader* run
        if lane.run_at < 0:
            return False
        run = <const RecordHeader*>(lane.data + lane.run_at)  # of aligned fields, but perhaps itself at an odd place
        cdef RecordHeader opened
        memcpy(&opened, run, HEADER)
        return (
            opened.connection_id == header.connection_id
            and opened.receive_ms == header.receive_ms
            and opened.pile_id == header.pile_id
            and opened.protocol == header.protocol
            and lane.run_entries < RUN_ENTRIES
            and lane.length - lane.run_at - HEADER + size <= RUN_BYTES
        )

    cdef int _append_entry(self, LaneBuffer* lane, const RecordHeader* header, const uint8_t* payload) except -1:
        cdef Entry entry
        cdef Py_ssize_t size
        cdef uint8_t* target
        cdef RecordHeader run
        entry.length = <uint16_t>header.payload_length
        entry.connector = header.connector
        entry.bits = header.flags
        if header.event_ms != header.receive_ms:
            entry.bits |= ENTRY_HAS_EVENT_MS
        if header.live_accepted_e4kwh or header.live_amount_fen or header.live_flags:
            entry.bits |= ENTRY_HAS_LIVE
        size = entry_head_bytes(entry.bits) + header.payload_length
        if not self._joins_run(lane, header, size):
            self._close_run(lane)
            self._make_room(lane, HEADER + size)
            run = header[0]
            run.kind = RUN
            run.connector = run.flags = 0
            run.event_ms = run.receive_ms
            run.live_accepted_e4kwh = run.live_amount_fen = run.live_flags = 0
            memcpy(lane.data + lane.length, &run, HEADER)
            lane.run_at = lane.length
            lane.run_entries = 0
            lane.first_payload_at = lane.length + HEADER + entry_head_bytes(entry.bits)
            lane.length += HEADER
            self.appended_bytes += HEADER
        else:
            self._make_room(lane, size)
        target = lane.data + lane.length
        memcpy(target, &entry, ENTRY_HEAD)
        target += ENTRY_HEAD
        if entry.bits & ENTRY_HAS_EVENT_MS:
            memcpy(target, &header.event_ms, EVENT_MS_BYTES)
            target += EVENT_MS_BYTES
        if entry.bits & ENTRY_HAS_LIVE:
            memcpy(target, &header.live_accepted_e4kwh, LIVE_BYTES)
            target += LIVE_BYTES
        if header.payload_length:
            memcpy(target, payload, header.payload_length)
        lane.length += size
        lane.run_entries += 1
        self.appended_bytes += size
        return 1

    cdef void _close_run(self, LaneBuffer* lane) noexcept nogil:
        """Complete the header of the open run; one that has a single frame becomes an ordinary record."""
        cdef uint8_t* start
        cdef RecordHeader header
        cdef Py_ssize_t head
        if lane.run_at < 0:
            return
        start = lane.data + lane.run_at
        memcpy(&header, start, HEADER)
        if lane.run_entries == 1:
            head = read_entry(start + HEADER, lane.length - lane.run_at - HEADER, &header)
            memmove(start + HEADER, start + HEADER + head, header.payload_length)
            lane.length -= head
        else:
            header.payload_length = <uint32_t>(lane.length - lane.run_at - HEADER)
            header.reason = lane.run_entries
        memcpy(start, &header, HEADER)
        seal(start, header.payload_length)
        lane.run_at = -1

    def append(
        self,
        int kind,
        int connector=0,
        int flags=0,
        uint32_t pile_id=0,
        uint64_t connection_id=0,
        int64_t receive_ms=0,
        event_ms=None,
        uint32_t accepted=0,
        uint32_t amount=0,
        uint32_t live_flags=0,
        uint32_t reason=0,
        const uint8_t[::1] payload=b"",
        int protocol=PROTOCOL_YKC,
    ):
        cdef int64_t at_ms = receive_ms if event_ms is None else event_ms
        cdef const uint8_t* start = &payload[0] if payload.shape[0] else NULL
        if not (FRAME_UP <= kind <= EVENT):
            raise ValueError(f"a record's kind is 1 to 4, not {kind}")
        if not (PROTOCOL_YKC <= protocol <= PROTOCOL_AAF5):
            raise ValueError(f"a record's protocol is 1 (ykc) or 2 (aaf5), not {protocol}")
        if not (0 <= connector <= 255 and 0 <= flags <= 255):
            raise ValueError(f"connector and flags are bytes, not {connector} and {flags}")
        if payload.shape[0] > MAX_PAYLOAD:
            raise ValueError(f"a record's payload has at most {MAX_PAYLOAD} bytes, not {payload.shape[0]}")
        return bool(
            self.append_c(
                kind, protocol, connector, flags, pile_id, connection_id, receive_ms, at_ms,
                accepted, amount, live_flags, reason, start, <uint32_t>payload.shape[0],
            )
        )

    def take(self, int lane_number):
        if not 0 <= lane_number < LANE_COUNT:
            raise ValueError(f"there is no lane {lane_number}")
        cdef LaneBuffer* lane = &self.lanes[lane_number]
        cdef void* smaller
        self._close_run(lane)
        taken = PyBytes_FromStringAndSize(<char*>lane.data, lane.length)
        lane.length = 0
        if lane.capacity > KEPT_CAPACITY:  # a burst must not hold its memory for ever
            smaller = realloc(lane.data, KEPT_CAPACITY)
            if smaller != NULL:
                lane.data = <uint8_t*>smaller
                lane.capacity = KEPT_CAPACITY
        return taken


cdef Stop _check(const uint8_t* data, Py_ssize_t at, Py_ssize_t size, RecordHeader* header) noexcept nogil:
    """STOP_LIMIT when an intact record begins at `at` (its header is in `header`), else what is wrong."""
    if size - at < HEADER:
        return STOP_INCOMPLETE
    memcpy(header, data + at, HEADER)
    if header.kind < FRAME_UP or header.kind > RUN:
        return STOP_KIND
    if header.protocol < PROTOCOL_YKC or header.protocol > PROTOCOL_AAF5:
        return STOP_KIND
    if header.payload_length > MAX_PAYLOAD:
        return STOP_LENGTH
    if <Py_ssize_t>header.payload_length > size - at - HEADER:
        return STOP_INCOMPLETE
    if header.crc != crc32_c(0, data + at + CRC_FROM, HEADER - CRC_FROM + <Py_ssize_t>header.payload_length):
        return STOP_CHECKSUM
    if header.kind == RUN and not _is_whole_run(data + at + HEADER, header[0]):
        return STOP_KIND
    return STOP_LIMIT


cdef bint _is_whole_run(const uint8_t* payload, RecordHeader header) noexcept nogil:
    """Whether the entries fill the payload of a run: what a gateway wrote does, whatever else has a right checksum."""
    cdef Py_ssize_t left = header.payload_length
    cdef uint32_t entries = header.reason
    cdef Py_ssize_t head
    if entries == 0 or entries > RUN_ENTRIES:
        return False
    while entries > 0:
        head = read_entry(payload, left, &header)
        if head < 0:
            return False
        payload += head + header.payload_length
        left -= head + header.payload_length
        entries -= 1
    return left == 0


class Records:
    """Records found in a piece of a segment: one array per header field (see the stub)."""

    _FIELDS = (
        ("offset", np.uint64), ("record_offset", np.uint64), ("payload_offset", np.uint64), ("payload_length", np.uint32),
        ("kind", np.uint8), ("protocol", np.uint8), ("connector", np.uint8), ("flags", np.uint8),
        ("pile_id", np.uint32), ("connection_id", np.uint64), ("receive_ms", np.int64), ("event_ms", np.int64),
        ("live_accepted_e4kwh", np.uint32), ("live_amount_fen", np.uint32), ("live_flags", np.uint32),
        ("reason", np.uint32), ("frame_type", np.uint16), ("seq", np.uint16),
    )

    def __init__(self, capacity):
        self.capacity = capacity
        self._whole = {name: np.empty(capacity, dtype) for name, dtype in self._FIELDS}
        self.clear()

    def clear(self):
        """Forget the entries and give back their room."""
        for name, array in self._whole.items():
            setattr(self, name, array)
        self.count = 0
        self.end = 0
        self.stop = "end"

    def cut(self, count):
        """Keep the first `count` entries."""
        for name, _ in self._FIELDS:
            setattr(self, name, getattr(self, name)[:count])
        self.count = count

    @property
    def damaged(self):
        return self.stop in ("length", "kind", "checksum")


def scan_records(const uint8_t[::1] data, Py_ssize_t start=0, Py_ssize_t max_records=1 << 20, into=None):
    cdef Py_ssize_t size = data.shape[0]
    cdef Py_ssize_t at = start
    # A run is taken whole, so that a scan ends between records: it may bring a few more than asked for.
    cdef Py_ssize_t capacity = max(min((size - start) // ENTRY_HEAD, max_records + RUN_ENTRIES), 0)
    cdef Py_ssize_t n = 0
    cdef Py_ssize_t end, inside, head
    cdef uint32_t entries
    cdef Stop stop = STOP_END
    cdef RecordHeader header
    cdef const uint8_t* base = &data[0] if size else NULL
    records = into
    if records is None or records.capacity < capacity:
        records = Records(capacity)
    records.clear()
    cdef uint64_t[::1] offset = records.offset
    cdef uint64_t[::1] record_offset = records.record_offset
    cdef uint64_t[::1] payload_offset = records.payload_offset
    cdef uint32_t[::1] payload_length = records.payload_length
    cdef uint8_t[::1] kind = records.kind
    cdef uint8_t[::1] protocol = records.protocol
    cdef uint8_t[::1] connector = records.connector
    cdef uint8_t[::1] flags = records.flags
    cdef uint32_t[::1] pile_id = records.pile_id
    cdef uint64_t[::1] connection_id = records.connection_id
    cdef int64_t[::1] receive_ms = records.receive_ms
    cdef int64_t[::1] event_ms = records.event_ms
    cdef uint32_t[::1] accepted = records.live_accepted_e4kwh
    cdef uint32_t[::1] amount = records.live_amount_fen
    cdef uint32_t[::1] live_flags = records.live_flags
    cdef uint32_t[::1] reason = records.reason
    cdef uint16_t[::1] frame_type = records.frame_type
    cdef uint16_t[::1] seq = records.seq
    with nogil:
        while at < size:
            if n >= max_records:
                stop = STOP_LIMIT
                break
            stop = _check(base, at, size, &header)
            if stop != STOP_LIMIT:
                break
            stop = STOP_END
            end = at + HEADER + <Py_ssize_t>header.payload_length
            inside = at + HEADER
            entries = header.reason if header.kind == RUN else 1
            head = 0
            while entries > 0:
                offset[n] = at
                if header.kind == RUN or head > 0:
                    offset[n] = inside
                    head = read_entry(base + inside, end - inside, &header)
                record_offset[n] = at
                payload_offset[n] = inside + head
                payload_length[n] = header.payload_length
                kind[n] = header.kind
                protocol[n] = header.protocol
                connector[n] = header.connector
                flags[n] = header.flags
                pile_id[n] = header.pile_id
                connection_id[n] = header.connection_id
                receive_ms[n] = header.receive_ms
                event_ms[n] = header.event_ms
                accepted[n] = header.live_accepted_e4kwh
                amount[n] = header.live_amount_fen
                live_flags[n] = header.live_flags
                reason[n] = header.reason
                frame_type[n] = 0
                seq[n] = 0
                if _is_frame(header.kind):
                    _read_header(
                        header.protocol, base + inside + head, header.payload_length, &frame_type[n], &seq[n]
                    )
                inside += head + header.payload_length
                entries -= 1
                n += 1
            at = end
    records.cut(n)
    records.end = at
    records.stop = _STOP_NAMES[<int>stop]
    return records


def find_record(const uint8_t[::1] data, Py_ssize_t start):
    cdef Py_ssize_t size = data.shape[0]
    cdef Py_ssize_t at = start
    cdef RecordHeader header
    cdef const uint8_t* base = &data[0] if size else NULL
    cdef bint found = False
    with nogil:
        while at + HEADER <= size:
            if _check(base, at, size, &header) == STOP_LIMIT:
                found = True
                break
            at += 1
    return at if found else -1


def count_records(const uint8_t[::1] data, Py_ssize_t start=0):
    cdef Py_ssize_t size = data.shape[0]
    cdef Py_ssize_t at = start
    cdef Py_ssize_t count = 0
    cdef RecordHeader header
    while at + HEADER <= size:
        memcpy(&header, &data[at], HEADER)
        if header.payload_length > MAX_PAYLOAD or <Py_ssize_t>header.payload_length > size - at - HEADER:
            break
        at += HEADER + <Py_ssize_t>header.payload_length
        count += min(header.reason, <uint32_t>RUN_ENTRIES) if header.kind == RUN else 1
    return count
