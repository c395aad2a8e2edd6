"""The vocabulary in which a protocol's order of steps is written down: rules, and flows made of them."""

from typing import Final

import msgspec

from core.conformance.steps import Party

ENDED: Final = "ended"
"""The moment when the charge was known to be over, as something that a time limit counts from."""

OURS: Final = "the protocol names no limit; this is the platform's own"

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60_000
ANSWER_MS: Final = 30 * SECOND_MS
"""How long an answer may take for which the protocol names no limit."""
GAP_MS: Final = 60 * SECOND_MS
"""What comes every 15 s and stays away so long is late (requirement B05: the larger of 60 s and three periods)."""


class Rule(msgspec.Struct, frozen=True):
    """One step of a flow, and when it is as it should be.

    - `messages`: the names that count as this step (default: its own);
    - `due`: it must come; `due_with`: only if one of those steps was seen (with `due_result`: and said that);
    - `dc_only`: only chargers of direct current have it;
    - `after`: the steps that must have come before, as far as they came;
    - `answers`: the step that it answers, so that its absence is an unanswered one;
    - `within_ms` of the first one of `since` that was seen (steps, or `ENDED`); 0 = no limit;
    - `period_ms`: it comes again and again, never further apart than this while the charge goes on; 0 = it comes once;
    - `most`: how often it may come, on one connection where it is answered by `answered_by`; 0 = as often as it likes;
    - `answered_by`: it may be sent again until this answer, not afterwards, but for `excused` times; not sooner than
      `spacing_ms` after the try before;
    - `again_if_reason`: it may come once more after an answer of no with this reason;
    - `source`: where the protocol says so.
    """

    name: str
    party: Party
    source: str
    messages: tuple[str, ...] = ()
    due: bool = True
    due_with: tuple[str, ...] = ()
    due_result: int | None = None
    dc_only: bool = False
    after: tuple[str, ...] = ()
    answers: str = ""
    within_ms: int = 0
    since: tuple[str, ...] = ()
    period_ms: int = 0
    most: int = 1
    answered_by: str = ""
    spacing_ms: int = 0
    excused: int = 0
    again_if_reason: int | None = None

    @property
    def counts(self) -> tuple[str, ...]:
        """The names of the steps that count as this one."""
        return self.messages or (self.name,)

    @property
    def is_numbered(self) -> bool:
        """Whether people count it, 1, 2, 3: the steps that the charger owes in every session of its flow."""
        return self.party == "charger" and not self.period_ms and self.due and not self.due_with


class Flow(msgspec.Struct, frozen=True):
    """The steps of one kind of session, in their order; `title` says in a few words how it began."""

    name: str
    protocol: str
    title: str
    rules: tuple[Rule, ...]

    def numbers(self, current_kind: str) -> dict[str, int]:
        """The numbers by which people call the steps of the charger: 1, 2, 3 in the order of the flow."""
        kept = [rule.name for rule in self.rules if rule.is_numbered and (current_kind == "dc" or not rule.dc_only)]
        return {name: number for number, name in enumerate(kept, 1)}
