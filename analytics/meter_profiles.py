"""By what meter a session is measured: what its model says, what was learned of it, and what is only assumed."""

from collections.abc import Sequence
from typing import NamedTuple

from clickhouse_driver import Client

from analytics.session_facts import SessionFacts
from core.meter.profile import MeterProfile


class MeterInForce(NamedTuple):
    """The profile of a session's meter, and where its values come from: configured, learned or default."""

    profile: MeterProfile
    quantum_source: str
    pmax_source: str
    register_source: str


class MeterProfileReader:
    """Adds to sessions the learned profile of their connector that was in force when they began."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(self, facts: Sequence[SessionFacts]) -> None:
        """Sets `learned` of each."""


def meter_in_force(facts: SessionFacts) -> MeterInForce:
    """The meter of one session."""
    return MeterInForce(MeterProfile.of_pile(facts.pile), "configured", "configured", "configured")
