"""What went wrong in a session, at whose door it lies, and what to do: the one-click diagnosis (requirement A07).

Everything is taken from what the revision, its record, its bill and the events around it say; nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from analytics.plausibility import BASELINE_RULES
from analytics.three_facts import Value

Party = Literal["charger", "network", "platform", "user", "nobody"]

CLOCK_OFF_MS: Final = 180_000
LONG_SILENCE_MS: Final = 60_000
_AAF5_FAULT: Final = 6
_YKC_FAULT: Final = 1
_METER_FINDINGS: Final = (
    *("ZERO_BASELINE", "LATE_BASELINE", "BASELINE_PREV_END", "BASELINE_BILL_START", "BASELINE_BACKCAST"),
    *("JUMP", "ROLLBACK", "RESET", "ROLLOVER", "FROZEN", "SCALE", "SPIKE", "ZERO_READ", "MISSING_DATA"),
    *("POWER_RATING_DOUBTFUL", "REGISTER_REPLACED"),
)
"""Flags that tell of a defect of the meter or of the line to it, or need a word; the gravest first."""
_NO_DEFECT: Final = frozenset(
    {"ROLLOVER", "BASELINE_PREV_END", "BASELINE_BILL_START", "BASELINE_BACKCAST", "REGISTER_REPLACED"}
)
OVERLAPS: Final = ("connector", "vin", "card")
"""Kinds of overlaps that are an anomaly; what only a wrong clock says, and one vehicle at two guns, are none."""
_RECORD_CODES: Final = (3, 4, 5, 8, 9, 11)


class Finding(msgspec.Struct, frozen=True):
    """One thing that went wrong: a key of the catalogue under `finding.`, what fills its places, and who answers it."""

    key: str
    party: Party
    values: dict[str, Value] = {}


class Diagnosis(msgspec.Struct, frozen=True):
    """The findings, the gravest first, and the suggested action, a key under `action.` with what fills its places."""

    findings: tuple[Finding, ...]
    action: str
    values: dict[str, Value] = {}


def diagnose(
    session: Mapping[str, Any],
    bill: Mapping[str, Any] | None,
    hits: Sequence[Sequence[Any]],
    state_after: Mapping[str, Any] | None,
    told_start_e4kwh: int,
    deviations: Sequence[Mapping[str, Any]],
) -> Diagnosis:
    """The diagnosis of a session; one under way has no findings yet. `state_after`: question `session_state_after`.

    `told_start_e4kwh`: what the charger said of its register before the charge, 0 = nothing.
    """
    if session["life"] == "open":
        return Diagnosis((), "wait")
    findings = [
        *_meter_findings(session, told_start_e4kwh),
        *_silences(session, state_after),
        *_record_findings(session, bill, hits),
        *_other_findings(session, bill, deviations),
    ]
    action, values = _action(session, bill)
    return Diagnosis(tuple(findings), action, values)


def _meter_findings(session: Mapping[str, Any], told_start_e4kwh: int) -> list[Finding]:
    flags = [flag for flag in _METER_FINDINGS if flag in session["flags"]]
    if "ZERO_BASELINE" in flags:
        flags = [flag for flag in flags if flag != "ZERO_READ"]
    found = []
    absolute = session["register_kind"] in ("lifetime", "boot") and session["charging_readings"] > 0
    if absolute and not told_start_e4kwh and not BASELINE_RULES.intersection(flags):
        found.append(Finding("no_begin", "charger"))
    for flag in flags:
        party: Party = "nobody" if flag in _NO_DEFECT else "charger"
        if flag == "MISSING_DATA" and session["outage_ms"]:
            party = "platform"
        found.append(Finding(f"meter.{flag}", party))
    return found


def _silences(session: Mapping[str, Any], state_after: Mapping[str, Any] | None) -> list[Finding]:
    """Silence of the charger, or of the platform itself, and what the connector said after it."""
    found = []
    party: Party = "platform" if session["outage_ms"] else "network"
    if session["unobserved_end_ms"] > LONG_SILENCE_MS:
        values: dict[str, Value] = {
            "length": ("ms", session["unobserved_end_ms"]),
            "begin": ("at", session["end_ms"]),
            "end": ("at", session["end_high_ms"]),
        }
        found.append(Finding("silent_to_the_end", party, values))
    elif session["longest_gap_ms"] > LONG_SILENCE_MS:
        found.append(Finding("silent_inside", party, {"length": ("ms", session["longest_gap_ms"])}))
    if state_after is not None and _is_fault(state_after):
        shown = state_after["work_state"] if state_after["protocol"] == "aaf5" else state_after["state"]
        values = {"time": ("at", state_after["event_ms"]), "state": ("count", shown)}
        found.append(Finding("fault_state", "charger", values))
    return found


def _is_fault(state: Mapping[str, Any]) -> bool:
    """A state that no charge ends with: a fault, or one of the states beyond it that some firmware reports (B06)."""
    if state["protocol"] == "aaf5":
        return bool(state["work_state"] >= _AAF5_FAULT or state["alarm"])
    return bool(state["state"] == _YKC_FAULT or state["fault_bits"])


def _record_findings(
    session: Mapping[str, Any], bill: Mapping[str, Any] | None, hits: Sequence[Sequence[Any]]
) -> list[Finding]:
    state = session["bill_state"]
    found = []
    if state == "lost":
        found.append(Finding("record_lost", "charger"))
    elif state in ("lost_offline", "waiting", "overdue"):
        found.append(Finding(f"record_{state}", "network" if state == "lost_offline" else "nobody"))
    stays = set(bill["codes"]) if bill is not None else set()
    seen: set[tuple[int, str]] = set()
    for code, reading, reason, cause, *_ in hits:
        if code in _RECORD_CODES and code in stays and reading == "corrected" and (code, reason) not in seen:
            seen.add((code, reason))
            why: dict[str, Value] = {"code": ("word", f"code.{code}"), "reason": ("word", f"reason.{reason}")}
            if cause:
                found.append(Finding("record_wrong_because", "charger", {**why, "cause": ("word", f"cause.{cause}")}))
            else:
                found.append(Finding("record_wrong", "charger", why))
    if session["different_bills"]:
        found.append(Finding("records_differ", "charger", {"count": ("count", session["different_bills"] + 1)}))
    if session["bill_number"]:
        found.append(Finding("record_other_number", "charger", {"number": ("text", session["bill_number"])}))
    return found


def _other_findings(
    session: Mapping[str, Any], bill: Mapping[str, Any] | None, deviations: Sequence[Mapping[str, Any]]
) -> list[Finding]:
    found = []
    if max(abs(session["clock_offset_ms"]), session["clock_step_ms"]) > CLOCK_OFF_MS:
        offset = max(abs(session["clock_offset_ms"]), session["clock_step_ms"])
        found.append(Finding("clock_off", "charger", {"length": ("ms", offset)}))
    if session["tariff_stale"]:
        found.append(Finding("tariff_stale", "charger"))
    if session["outage_ms"] > LONG_SILENCE_MS:
        found.append(Finding("platform_outage", "platform", {"length": ("ms", session["outage_ms"])}))
    if bill is not None and 7 in bill["codes"]:
        others = [overlap for overlap in session["overlaps"] if overlap[4] in OVERLAPS]
        found.append(Finding("overlap", "charger", {"count": ("count", len(others))}))
    if bill is not None and 6 in bill["codes"]:
        found.append(Finding("overstayed", "user"))
    if session["life"] == "failed_start":
        found.append(Finding("failed_start", "nobody"))
    for party in ("charger", "platform"):
        own = [row for row in deviations if row["party"] == party]
        if own:
            steps = len({row["step"] for row in own})
            found.append(Finding("protocol", party, {"count": ("count", steps)}))
    return found


def _action(session: Mapping[str, Any], bill: Mapping[str, Any] | None) -> tuple[str, dict[str, Value]]:
    """What a person should do now."""
    if bill is None:
        return ("see_other" if session["life"] == "other_number" else "wait"), {}
    values: dict[str, Value] = {"energy": ("e4kwh", bill["final_energy_e4kwh"]), "amount": ("fen", bill["amount_fen"])}
    if not bill["held"]:
        return ("wait_for_record" if bill["status"] == "provisional" else "nothing"), values
    if bill["final_energy_e4kwh"] is None:
        return "decide", values
    if bill["amount_fen"] is None:
        return "price", values
    if session["bill_state"] in ("lost", "lost_offline"):
        return "fetch_or_confirm", values
    return "confirm", values
