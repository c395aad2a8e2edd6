"""What each later touch of a session changed: its revisions and those of its bill, each against the one before.

A revision is appended only for other inputs (DESIGN invariant 1), so each has a reason; here it is found by comparing
what both say.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

Kind = Literal["e4kwh", "e4yuan", "fen", "ms", "at", "w", "count", "codes", "flags", "word", "text", "yes"]

BATCH_RANDOM_BITS: Final = 20
"""A run of the biller has for its number the moment (ms) at which it began, and so many random bits behind it."""

_SESSION_FIELDS: Final[dict[str, Kind]] = {
    "life": "word",
    "bill_state": "word",
    "bill_number": "text",
    "bill_energy_e4kwh": "e4kwh",
    "bill_amount_e4yuan": "e4yuan",
    "bill_start_ms": "at",
    "bill_end_ms": "at",
    "different_bills": "count",
    "start_ms": "at",
    "end_ms": "at",
    "end_high_ms": "at",
    "charging_readings": "count",
    "stored_readings": "count",
    "best_e4kwh": "e4kwh",
    "low_e4kwh": "e4kwh",
    "high_e4kwh": "e4kwh",
    "quality": "word",
    "flags": "flags",
    "previous_end_e4kwh": "e4kwh",
    "register_kind": "word",
    "quantum_e4kwh": "e4kwh",
    "pmax_w": "w",
    "register_digits": "count",
    "meter_profile_id": "text",
    "clock_offset_ms": "ms",
    "outage_ms": "ms",
    "unplugged_ms": "at",
    "overlaps": "count",
    "slot_tariff_version": "count",
    "operator_id": "text",
    "rule_version": "count",
    "thresholds_digest": "text",
}
"""What is compared of two session revisions; lists of rows by their length, where the rows themselves differ."""

_BILL_FIELDS: Final[dict[str, Kind]] = {
    "status": "word",
    "final_rule": "count",
    "final_energy_e4kwh": "e4kwh",
    "amount_fen": "fen",
    "held": "yes",
    "codes_raw": "codes",
    "codes": "codes",
    "causes": "flags",
}


class Change(msgspec.Struct, frozen=True):
    """A field that says something else than before."""

    name: str
    kind: Kind
    before: Any
    after: Any


class Touch(msgspec.Struct, frozen=True):
    """One revision. `written_ms`: when the biller wrote it; `about_ms`: the moment that it was decided about.

    The figures are those of the bill of this revision, None where it has none.
    """

    revision: int
    written_ms: int
    about_ms: int
    status: str
    held: bool
    final_energy_e4kwh: int | None
    amount_fen: int | None
    codes: tuple[int, ...]
    changes: tuple[Change, ...]


def touches(revisions: Sequence[Mapping[str, Any]], bills: Sequence[Mapping[str, Any]]) -> list[Touch]:
    """Every revision of a session with what it changed, the newest first, as both answers have them."""
    session_of = {_place(session): session for session in revisions}
    bill_of = {_place(bill): bill for bill in bills}
    places = sorted(session_of.keys() | bill_of.keys(), reverse=True)
    result = []
    for place, earlier in zip(places, [*places[1:], None], strict=True):
        session, bill = session_of.get(place), bill_of.get(place)
        before = session_of.get(earlier) if earlier else None
        bill_before = bill_of.get(earlier) if earlier else None
        changes = _changes(_SESSION_FIELDS, before, session) if before is not None and session is not None else []
        if bill is not None and bill_before is not None:
            changes += _changes(_BILL_FIELDS, bill_before, bill)
        result.append(_touch(place[0], session or bill or {}, bill, changes))
    return result


def _place(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["revision"], row["inputs_digest"]


def _touch(revision: int, row: Mapping[str, Any], bill: Mapping[str, Any] | None, changes: list[Change]) -> Touch:
    is_billed = bill is not None and bool(bill["final_rule"])
    return Touch(
        revision=revision,
        written_ms=row["batch_id"] >> BATCH_RANDOM_BITS,
        about_ms=row["computed_ms"],
        status=str(bill["status"]) if bill is not None and is_billed else "open",
        held=bool(bill["held"]) if bill is not None and is_billed else False,
        final_energy_e4kwh=bill["final_energy_e4kwh"] if bill is not None and is_billed else None,
        amount_fen=bill["amount_fen"] if bill is not None and is_billed else None,
        codes=tuple(bill["codes"]) if bill is not None else (),
        changes=tuple(changes),
    )


def _changes(fields: Mapping[str, Kind], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    found = []
    for name, kind in fields.items():
        if before[name] == after[name]:
            continue
        counted = kind == "count" and isinstance(after[name], list)
        old, new = (len(row[name]) if counted else row[name] for row in (before, after))
        found.append(Change(name, kind, old, new))
    return found
