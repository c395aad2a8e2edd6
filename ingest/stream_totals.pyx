# cython: boundscheck=False, wraparound=False, initializedcheck=False
"""What the streams of one gateway have brought together."""


cdef class StreamTotals:
    @property
    def quarantined(self):
        return {reason: self.by_reason[reason] for reason in range(REASONS) if self.by_reason[reason]}
