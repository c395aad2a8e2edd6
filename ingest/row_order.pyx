# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Rows in the order of their table: a counting sort by connector, since its rows nearly always are in time order."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

import numpy as np

cdef enum:
    FIRST_SLOTS = 4096
    CONNECTOR_BITS = 8

# Spreads keys that follow one another over the table (Knuth's multiplicative hashing, 2**64 / golden ratio).
cdef uint64_t SPREAD = 0x9E3779B97F4A7C15


cdef inline Py_ssize_t slot_of(const int64_t* slots, const uint64_t* keys, uint64_t mask, uint64_t key) noexcept nogil:
    """Where `key` stands, or the free place where it belongs."""
    cdef uint64_t place = (key * SPREAD >> 32) & mask
    while slots[place] >= 0 and keys[slots[place]] != key:
        place = (place + 1) & mask
    return <Py_ssize_t>place


cdef class Groups:
    """The different connectors among some rows, numbered as they come."""

    cdef object _slot_array
    cdef object _key_array
    cdef int64_t[::1] _slots
    cdef uint64_t[::1] _keys
    cdef readonly Py_ssize_t count

    def __init__(self):
        self.count = 0
        self._make_room(FIRST_SLOTS)

    @property
    def keys(self):
        return self._key_array[: self.count]

    cdef int _make_room(self, Py_ssize_t slots) except -1:
        keys = np.empty(slots // 2, np.uint64)
        if self.count:
            keys[: self.count] = self._key_array[: self.count]
        self._key_array, self._slot_array = keys, np.full(slots, -1, np.int64)
        self._keys, self._slots = self._key_array, self._slot_array
        cdef Py_ssize_t number
        for number in range(self.count):
            self._slots[slot_of(&self._slots[0], &self._keys[0], slots - 1, self._keys[number])] = number
        return 0

    cdef Py_ssize_t number_of(self, uint64_t key) except -1:
        cdef Py_ssize_t place = slot_of(&self._slots[0], &self._keys[0], self._slots.shape[0] - 1, key)
        if self._slots[place] >= 0:
            return self._slots[place]
        if self.count == self._keys.shape[0]:
            self._make_room(2 * self._slots.shape[0])
            place = slot_of(&self._slots[0], &self._keys[0], self._slots.shape[0] - 1, key)
        self._slots[place] = self.count
        self._keys[self.count] = key
        self.count += 1
        return self.count - 1


def by_connector_and_time(
    const uint32_t[::1] pile_id, const uint8_t[::1] connector, const int64_t[::1] event_ms, const Py_ssize_t[::1] picked
):
    cdef Py_ssize_t n = picked.shape[0]
    cdef Py_ssize_t i, row, number = 0
    cdef uint64_t key, last_key = 0
    cdef Groups groups = Groups()
    members = np.empty(n, np.uint32)
    cdef uint32_t[::1] group = members
    for i in range(n):
        row = picked[i]
        key = <uint64_t>pile_id[row] << CONNECTOR_BITS | connector[row]
        if i == 0 or key != last_key:
            number = groups.number_of(key)
            last_key = key
        group[i] = <uint32_t>number
    by_key = np.argsort(groups.keys, kind="stable")
    starts = np.zeros(groups.count + 1, np.intp)
    starts[1:] = np.cumsum(np.bincount(members, minlength=groups.count)[by_key])
    free_places = np.empty(groups.count, np.intp)
    free_places[by_key] = starts[: groups.count]
    cdef Py_ssize_t[::1] next_free = free_places
    ordered = np.empty(n, np.intp)
    cdef Py_ssize_t[::1] order = ordered
    cdef const Py_ssize_t[::1] start = starts
    with nogil:
        for i in range(n):
            order[next_free[group[i]]] = picked[i]
            next_free[group[i]] += 1
    for i in range(groups.count):
        if not in_time_order(order, event_ms, start[i], start[i + 1]):
            of_connector = ordered[start[i]: start[i + 1]]
            times = np.asarray(event_ms)[of_connector]
            of_connector[:] = of_connector[np.argsort(times, kind="stable")]
    return ordered, starts


cdef bint in_time_order(
    const Py_ssize_t[::1] order, const int64_t[::1] event_ms, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(start + 1, end):
        if event_ms[order[i]] < event_ms[order[i - 1]]:
            return False
    return True
