"""A revision of a session: the one that stands, and the row of the one that comes after it."""

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec

from analytics.session_facts import SessionKey
from analytics.thresholds import Thresholds

Life = Literal["open", "ended", "ended_offline", "failed_start", "other_number"]
WITHOUT_BILL: Final = ("open", "other_number")


class CurrentRevision(NamedTuple):
    """What stands of a session now; revision 0 = nothing yet."""

    revision: int = 0
    inputs_digest: int = 0
    start_ms: int = 0
    life: str = ""
    bill_state: str = ""
    stays_since_ms: int = 0
    computed_ms: int = 0
    overlaps: Sequence[tuple[int, int, str]] = ()
    bill_key: tuple[int, int, str] = (0, 0, "")
    is_final: bool = False
    meter_profile_id: int = 0

    @property
    def touched(self) -> dict[SessionKey, int]:
        """The charges on which this revision bears: those in its time, and the number under which its record came."""
        others = [*self.overlaps, self.bill_key] if self.bill_key[2] else self.overlaps
        return {SessionKey(*key): self.start_ms or self.computed_ms for key in others}


class SessionRow(msgspec.Struct, frozen=True):
    """A row for `session_revisions`: `columns` lacks only revision and batch_id. `charging`: it is seen to go on."""

    key: SessionKey
    revision: int
    inputs_digest: int
    recheck_ms: int
    start_ms: int
    life: Life
    charging: bool
    thresholds: Thresholds
    columns: dict[str, Any]
