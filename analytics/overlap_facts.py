"""Which other charges lie in the time of a session: on the same connector, or of the same vehicle or card elsewhere."""

from collections.abc import Sequence

from clickhouse_driver import Client

from analytics.session_facts import SessionFacts
from analytics.thresholds import Thresholds


class OverlapFactsReader:
    """Adds to sessions with a record the overlapping records of others (anomaly-codes.md, code 7)."""

    def __init__(self, client: Client, thresholds: Thresholds) -> None:
        self._client = client
        self._thresholds = thresholds

    def add(self, facts: Sequence[SessionFacts]) -> None:
        """Sets `overlaps` of each, from stored records alone, so that equal facts give equal overlaps."""
