"""What the streams of one gateway have brought together, counted as it comes: nobody has to ask each of them."""

class StreamTotals:
    """The sums of the counters of the same names of `ingest.charger_stream.ChargerStream`, also of those that ended."""

    bytes_in: int
    frames: int
    readings: int
    heartbeats: int
    quarantined_bytes: int
    evidence_dropped_bytes: int

    @property
    def quarantined(self) -> dict[int, int]:
        """Quarantined bytes by reason number."""
