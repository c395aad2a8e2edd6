"""What the suite counted: a row for each fault, as a table and as JSON."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.verdict import Verdict

COUNTS: Final = (
    "rounds", "acknowledged", "found", "missing", "twice", "not_sent",
    "telemetry_sent", "lost_allowed", "lost_too_old", "seconds",
)  # fmt: skip
HEADINGS: Final = (
    "fault", "rounds", "bills acknowledged", "found", "missing", "twice", "not sent",
    "telemetry sent", "missing, allowed", "missing, not allowed", "oldest missing, ms", "seconds",
)  # fmt: skip


@dataclass
class Row:
    """One fault. `lost_allowed`: telemetry that a killed process may lose, of which `oldest_ms` is the oldest.

    `wrong` has one line for each thing that must not be.
    """

    fault: str
    rounds: int = 0
    acknowledged: int = 0
    found: int = 0
    missing: int = 0
    twice: int = 0
    not_sent: int = 0
    telemetry_sent: int = 0
    lost_allowed: int = 0
    lost_too_old: int = 0
    oldest_ms: float = 0.0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    notes: dict[str, object] = field(default_factory=dict)

    def judge(self, verdict: Verdict, killed_ns: list[int], allowed_ms: float) -> None:
        """Take in the comparison of all that was sent in these rounds.

        `killed_ns`: when a process that holds telemetry was killed; `allowed_ms`: how much of it may be lost.
        """
        self.acknowledged += verdict.acknowledged
        self.found += verdict.found
        self.missing += len(verdict.missing)
        self.twice += len(verdict.twice)
        self.not_sent += len(verdict.not_sent)
        self.telemetry_sent += verdict.telemetry_sent
        ages = verdict.lost_ms(killed_ns)
        too_old = [age for age in ages if age > allowed_ms]
        self.lost_allowed += len(ages) - len(too_old)
        self.lost_too_old += len(too_old)
        self.oldest_ms = max([self.oldest_ms, *(age for age in ages if math.isfinite(age))])
        self.wrong += verdict.wrong
        if too_old:
            self.wrong.append(
                f"{len(too_old)} of {verdict.telemetry_sent} readings and heartbeats are missing that were sent more"
                f" than {allowed_ms:.0f} ms before a kill (up to {max(too_old):.0f} ms)"
            )

    def add(self, other: "Row") -> None:
        """Count what `other` counted as well."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.oldest_ms = max(self.oldest_ms, other.oldest_ms)
        self.wrong += other.wrong
        self.notes |= other.notes

    def require(self, holds: bool, otherwise: str) -> None:
        """Note what is wrong unless it holds."""
        if not holds:
            self.wrong.append(otherwise)

    def cells(self) -> list[str]:
        """As shown in the table."""
        return [
            self.fault, f"{self.rounds}", f"{self.acknowledged:,}", f"{self.found:,}", f"{self.missing}",
            f"{self.twice}", f"{self.not_sent}", f"{self.telemetry_sent:,}", f"{self.lost_allowed:,}",
            f"{self.lost_too_old}", f"{self.oldest_ms:.0f}", f"{self.seconds:.0f}",
        ]  # fmt: skip


def as_table(rows: list[Row]) -> str:
    """Markdown."""
    lines = [HEADINGS, tuple("-" * len(heading) for heading in HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(rows: list[Row], path: Path, **about: object) -> None:
    """As JSON, with what the caller says about the run."""
    path.write_text(json.dumps(about | {"rows": [asdict(row) for row in rows]}, indent=2) + "\n", "utf-8")
