# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What a connection's bytes say about the line and the peer: when to give it up, and why. No sockets, no clock."""

from libc.stdint cimport int64_t, uint64_t

from ingest.line_limits import BAD_INPUT, HALF_FRAME, NO_LOGIN, NOT_LOGGED_IN, SILENT, SLOW_SENDER


cdef class LineHealth:
    def __init__(self, limits not None, int64_t opened_ms):
        self.last_frame_ms = opened_ms
        self._limits = limits
        self._opened_ms = opened_ms
        self._heard_ms = opened_ms

    def after_read(self, stream not None, int64_t now_ms):
        cdef bint pending = stream.splitter.pending != 0
        if stream.quarantined_bytes == self._quarantined_bytes:
            self.good_read(stream.frames, pending, now_ms)
            return {}
        self._partial_since_ms = 0  # bad bytes are progress too: what waits now is younger than they are
        self.good_read(stream.frames, pending, now_ms)
        return self._new_quarantine(stream)

    def end_after_read(self, stream not None, bint logged_in):
        if stream.garbage_run > self._limits.garbage_bytes:
            return "garbage"
        if self._encrypted_reads >= self._limits.encrypted_reads:
            return "encrypted"
        if not logged_in and stream.frames > self._limits.frames_before_login:
            return NOT_LOGGED_IN
        return ""

    def end_by_time(self, int64_t now_ms, bint logged_in, int64_t silence_ms):
        if not logged_in and now_ms - self._opened_ms > <int64_t>self._limits.login_ms:
            return NO_LOGIN
        cdef int64_t half_frame_ms
        if self._partial_since_ms:
            half_frame_ms = self._limits.half_frame_ms
            if now_ms - self._partial_since_ms > half_frame_ms:
                return HALF_FRAME if now_ms - self._heard_ms > half_frame_ms // 2 else SLOW_SENDER
        if logged_in and now_ms - self.last_frame_ms > silence_ms:
            return SILENT
        return ""

    @property
    def login_due_ms(self):
        return self._opened_ms + <int64_t>self._limits.login_ms + 1

    def start_anew(self, int64_t now_ms):
        self.last_frame_ms = self._heard_ms = self._opened_ms = now_ms
        if self._partial_since_ms:
            self._partial_since_ms = now_ms

    cdef void good_read(self, uint64_t frames, bint pending, int64_t now_ms) noexcept:
        """A read without bad bytes: `frames` good ones since the connection began; `pending`: the begin of another."""
        cdef bint progressed = frames != self._frames
        self._heard_ms = now_ms
        if progressed:
            self._frames = frames
            self.last_frame_ms = now_ms
            self._encrypted_reads = 0
        if not pending:
            self._partial_since_ms = 0
        elif progressed or not self._partial_since_ms:
            self._partial_since_ms = now_ms

    cdef dict _new_quarantine(self, object stream):
        cdef dict before = self._quarantined if self._quarantined is not None else {}
        quarantined = stream.quarantined
        incidents = {
            name: quarantined[reason] - before.get(reason, 0)
            for reason, name in BAD_INPUT.items()
            if quarantined.get(reason, 0) != before.get(reason, 0)
        }
        self._quarantined = quarantined
        self._quarantined_bytes = stream.quarantined_bytes
        if "encrypted" in incidents:
            self._encrypted_reads += 1
        return incidents
