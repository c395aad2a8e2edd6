from core.wire.splitter cimport BAD_CHECKSUM, BAD_LENGTH, ENCRYPTED, FRAME_BE, FRAME_LE, GARBAGE, Span, StreamSplitter


cdef class FrameSplitter(StreamSplitter):
    pass
