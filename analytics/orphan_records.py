"""Which record that came under a number of its own belongs to a charge without one (anomaly-codes.md, code 1)."""

from collections.abc import Callable, Mapping, Sequence

from clickhouse_driver import Client

from analytics.session_facts import SessionFacts, SessionKey

ReadCharges = Callable[[Mapping[SessionKey, int]], list[SessionFacts]]
"""Gives readings, in their time, and records of sessions; the values say from when on there may be readings."""


class OrphanRecordReader:
    """Gives a charge without a record the one of the same connector that fits it in time."""

    def __init__(self, client: Client, read_charges: ReadCharges) -> None:
        self._client = client
        self._read_charges = read_charges

    def add(self, facts: Sequence[SessionFacts], from_ms: int) -> None:
        """Sets `bill` and `bill_number` of charges, and `has_other_number` of the orphans that belong to one."""
