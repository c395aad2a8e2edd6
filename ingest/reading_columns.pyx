# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Readings of YKC from the bytes of a segment into columns: one pass over the frames, in the order of the table."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

import numpy as np

from core.ykc.realtime cimport RealtimeColumns
from ingest.record_buffer cimport FLAG_STORED, RECORD_HEADER, RUN, RecordHeader, read_entry

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define prefetch(address) __builtin_prefetch(address)
    #else
    #define prefetch(address) ((void)(address))
    #endif
    """
    void prefetch(const void* address) noexcept nogil

cdef enum:
    HEADER = RECORD_HEADER
    LOOK_AHEAD = 16
    CACHE_LINE = 64
    RECORD_LINES = 3
    FIRST_CAPACITY = 4096

_TYPES = {
    "pile_id": np.uint32,
    "connector": np.uint8,
    "event_ms": np.int64,
    "receive_ms": np.int64,
    "stored": np.uint8,
    "connection_id": np.uint64,
    "live_accepted_e4kwh": np.uint32,
    "live_amount_fen": np.uint32,
    "live_flags": np.uint32,
    "segment_offset": np.uint64,
}


cdef class ReadingColumns:
    cdef RealtimeColumns _wire
    cdef dict _arrays
    cdef Py_ssize_t _capacity

    def __init__(self):
        self._make_room(FIRST_CAPACITY)

    cdef int _make_room(self, Py_ssize_t rows) except -1:
        self._wire = RealtimeColumns(rows)
        self._arrays = {name: np.empty(rows, kind) for name, kind in _TYPES.items()}
        self._capacity = rows
        return 0

    def columns(self):
        rows = self._wire.count
        return self._wire.columns() | {name: array[:rows] for name, array in self._arrays.items()}

    def fill(self, const uint8_t[::1] data not None, records not None, const Py_ssize_t[::1] order not None, uint64_t start):
        cdef Py_ssize_t n = order.shape[0]
        if n > self._capacity:
            self._make_room(max(n, 2 * self._capacity))
        self._wire.clear()
        cdef RealtimeColumns wire = self._wire
        places, heads = records.offset[order], records.record_offset[order]
        cdef const uint64_t[::1] place = places
        cdef const uint64_t[::1] record_at = heads
        arrays = self._arrays
        cdef uint32_t[::1] to_pile_id = arrays["pile_id"]
        cdef uint8_t[::1] to_connector = arrays["connector"]
        cdef int64_t[::1] to_event_ms = arrays["event_ms"]
        cdef int64_t[::1] to_receive_ms = arrays["receive_ms"]
        cdef uint8_t[::1] to_stored = arrays["stored"]
        cdef uint64_t[::1] to_connection_id = arrays["connection_id"]
        cdef uint32_t[::1] to_accepted = arrays["live_accepted_e4kwh"]
        cdef uint32_t[::1] to_amount = arrays["live_amount_fen"]
        cdef uint32_t[::1] to_live_flags = arrays["live_flags"]
        cdef uint64_t[::1] to_offset = arrays["segment_offset"]
        taken = np.empty(n, np.intp)
        cdef Py_ssize_t[::1] became_row = taken
        cdef uint64_t size = data.shape[0]
        cdef const uint8_t* base = &data[0] if size else NULL
        cdef Py_ssize_t i, ahead, head, row = 0
        cdef Py_ssize_t outside = -1
        cdef RecordHeader header
        with nogil:
            for i in range(n):
                if i + LOOK_AHEAD < n:  # neighbours in the table lie far apart in the segment
                    for ahead in range(0, RECORD_LINES):
                        prefetch(base + place[i + LOOK_AHEAD] + ahead * CACHE_LINE)
                if size < HEADER or record_at[i] > size - HEADER or place[i] > size:
                    outside = i
                    break
                memcpy(&header, base + record_at[i], HEADER)
                head = read_entry(base + place[i], size - place[i], &header) if header.kind == RUN else HEADER
                if head < 0 or <Py_ssize_t>header.payload_length > <Py_ssize_t>(size - place[i]) - head:
                    outside = i
                    break
                if not wire.append_c(base + place[i] + head, header.payload_length):
                    continue
                to_pile_id[row] = header.pile_id
                to_connector[row] = header.connector
                to_event_ms[row] = header.event_ms
                to_receive_ms[row] = header.receive_ms
                to_stored[row] = header.flags & FLAG_STORED
                to_connection_id[row] = header.connection_id
                to_accepted[row] = header.live_accepted_e4kwh
                to_amount[row] = header.live_amount_fen
                to_live_flags[row] = header.live_flags
                to_offset[row] = place[i] + start
                became_row[row] = order[i]
                row += 1
        if outside >= 0:
            self._wire.clear()
            raise ValueError(f"record {order[outside]}: its payload reaches beyond {size} bytes")
        return taken[:row]
