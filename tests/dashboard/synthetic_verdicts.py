"""What is decided of each kind of synthetic charge: the record that came, codes, causes, quality, rule."""

from collections.abc import Sequence
from typing import Any


def _facts(
    *,
    bill: Any = lambda true: true,
    final: Any = lambda true: true,
    raw: Sequence[int] = (),
    codes: Sequence[int] = (),
    causes: Sequence[str] = (),
    flags: Sequence[str] = (),
    quality: str = "VALID",
    rule: int = 1,
    held: int = 0,
    life: str = "ended",
    bill_state: str = "present",
    reason: str = "BILL_ABOVE",
) -> dict[str, Any]:
    return {
        "bill": bill,
        "final": final,
        "raw": list(raw),
        "codes": list(codes),
        "causes": list(causes),
        "flags": list(flags),
        "quality": quality,
        "rule": rule,
        "held": held,
        "life": life,
        "bill_state": bill_state,
        "reason": reason,
    }


CLEAN = _facts()
FACTS = {
    "late_start": _facts(raw=[8], causes=["LATE_BASELINE"], flags=["LATE_BASELINE"], quality="DERIVED"),
    "spike": _facts(raw=[], causes=["REGISTER_JUMP"], flags=["SPIKE"], quality="DERIVED"),
    "zero_mid": _facts(causes=["RS485_LOSS"], flags=["ZERO_READ"], quality="DERIVED"),
    "gap": _facts(flags=["GAP"]),
    "rollback": _facts(raw=[8], causes=["REGISTER_RESET"], flags=["RESET"], quality="QUESTIONABLE", rule=2, held=1),
    "lost_bill": _facts(
        bill=None,
        raw=[1],
        codes=[1],
        quality="ESTIMATED",
        rule=3,
        held=1,
        bill_state="lost",
        flags=["TAIL_GAP"],
        reason="NO_BILL",
    ),
    "bill_x1000": _facts(
        bill=lambda true: true * 1000, raw=[4, 8], codes=[4, 8], rule=3, held=1, reason="OVER_PHYSICAL_LIMIT"
    ),
    "zero_bill": _facts(bill=lambda _true: 0, raw=[11], codes=[11], rule=3, held=1, reason="NO_ENERGY"),
    "clock": _facts(raw=[3], codes=[3], held=1, causes=["CLOCK_STEP"], reason="CLOCK_OFF"),
    "occupancy": _facts(raw=[6], codes=[6], reason="UNPLUGGED_LATE"),
    "failed": _facts(bill=lambda _true: 0, final=lambda _true: 0, causes=["START_FAILED"], life="failed_start"),
}
