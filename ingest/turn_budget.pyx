"""How much may be read in one turn of the event loop, and who waits for the next one."""

import asyncio
from collections import deque

cdef enum:
    FULL_READ_BYTES = 65536

RETRY_S = 0.01


cdef class TurnBudget:
    def __init__(self, Py_ssize_t turn_bytes, is_overloaded not None):
        self._limit = turn_bytes
        self.is_overloaded = is_overloaded
        self._held = deque()

    cpdef spend(self, reader, Py_ssize_t nbytes):
        self._bytes += nbytes
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)
        if self._bytes > self._limit or self.is_overloaded():
            self.spent = True
            reader.hold()
            self._held.append(reader)

    def _next_turn(self):
        self._scheduled = False
        self._bytes = 0
        self.spent = False
        if not self._held:
            return
        loop = asyncio.get_running_loop()
        self._scheduled = True
        if self.is_overloaded():
            loop.call_later(RETRY_S, self._next_turn)
            return
        for _ in range(min(len(self._held), max(1, self._limit // FULL_READ_BYTES))):
            self._held.popleft().release()
        loop.call_soon(self._next_turn)
