"""As of when a pass of the biller decides a session, and what of its facts counts then."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from analytics.session_facts import SessionFacts
from analytics.session_revision import CurrentRevision
from analytics.thresholds import HOUR_MS

DECIDED_AFTER_MS: Final = 7 * 24 * HOUR_MS
"""Whatever a charger may still owe is decided a week later: a bill is given up after 72 h, an unplug after 24 h."""


class Decision(msgspec.Struct, frozen=True):
    """Up to when a pass decides: `as_of_ms`, and until when the chargers were observed to get there."""

    as_of_ms: int
    stays_since_ms: Mapping[int, int] | None = None
    """Not None: from this moment, by charger, to `as_of_ms` it is taken to stay as it was last seen."""
    relearns: bool = False
    """A session that is billed is measured by the meter in force by now, not by the one that it was billed by."""
    afresh: bool = False
    """A bill that was called lost need not be lost: what called it so may be otherwise by now."""

    def for_session(self, facts: SessionFacts, before: CurrentRevision) -> tuple[int, int | None]:
        """As of when a session is decided, and since when its charger stays as it was seen (None: it does not).

        A session of a replayed capture stays decided as it was until something newer is known of it.
        """
        if self.stays_since_ms is not None:
            return self.as_of_ms, max(self.stays_since_ms[facts.key.pile_id], before.stays_since_ms)
        if before.stays_since_ms and facts.last_fact_ms <= before.stays_since_ms:
            return before.computed_ms, before.stays_since_ms
        return self.as_of_ms, None


def forget_later(facts: SessionFacts, as_of_ms: int) -> None:
    """Leave out when a charger was heard, or the platform deaf, after the moment of decision."""
    facts.heard = _cut(facts.heard, as_of_ms)
    facts.outages = _cut(facts.outages, as_of_ms)


def _cut(spans: Iterable[tuple[int, int]], until_ms: int) -> list[tuple[int, int]]:
    return [(first, min(last, until_ms)) for first, last in spans if first <= until_ms]
