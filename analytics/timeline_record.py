"""A session's trail as plain records, for JSON: its head, what was measured and by which rules, and every entry.

Energies are decimals of kWh and amounts of yuan, both as text; times are ISO 8601 in the zone of the station.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from analytics.bill_lines import kwh_text, local_time, yuan_text
from analytics.fired_rules import FiredRules
from analytics.plausibility import growth, observed_times
from analytics.timeline import Trail

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trail_record(trail: Trail) -> dict[str, Any]:
    """Everything of a trail: its head, `meter`, `times`, `growth`, `rules`, and `entries` in the order of time."""
    zone = ZoneInfo(trail.zone)
    entries = []
    for entry in trail.entries:
        written = msgspec.to_builtins(entry)
        written.pop("says", None)  # the same as its text
        for name in ("at_ms", "until_ms", "came_ms"):
            if written.get(name):
                written[name.removesuffix("_ms")] = iso_time(written[name], zone)
        entries.append(written)
    return {
        **trail_head(trail),
        "meter": meter_record(trail.session),
        "times": _times(trail, zone),
        "growth": _growth(trail, zone),
        "rules": [_rule(one, zone) for one in trail.rules],
        "entries": entries,
    }


def trail_head(trail: Trail) -> dict[str, Any]:
    """What the session came to, as `pilestream bill` says it, with its charger and how it kept to the protocol."""
    session, bill, check = trail.session, trail.bill, trail.conformance
    zone = ZoneInfo(trail.zone)
    return {
        "trade_no": session["trade_no"],
        "pile": session["pile"],
        "connector": session["connector"],
        "station": session["station"],
        "operator": session["operator"],
        "vendor": session["vendor"],
        "model": session["model"],
        "firmware": check["firmware"] if check else "",
        "life": session["life"],
        "start": local_time(session["start_ms"], zone),
        "end": local_time(session["end_ms"], zone) if session["life"] != "open" else None,
        "record": session["bill_state"],
        "record_number": session["bill_number"] or None,
        "pile_energy_kwh": kwh_text(session["bill_energy_e4kwh"]) if session["has_bill"] else None,
        "platform_energy_kwh": kwh_text(session["best_e4kwh"]),
        "low_kwh": kwh_text(session["low_e4kwh"]),
        "high_kwh": kwh_text(session["high_e4kwh"]),
        "naive_energy_kwh": kwh_text(session["naive_energy_e4kwh"]) if session["charging_readings"] else None,
        "quality": session["quality"],
        "flags": list(session["flags"]),
        "final_rule": session["final_rule"],
        "final_energy_kwh": kwh_text(bill["final_energy_e4kwh"]) if bill else None,
        "final_amount_yuan": yuan_text(bill["amount_fen"]) if bill else None,
        "held": bool(bill and bill["held"]),
        "codes_raw": list(bill["codes_raw"]) if bill else [],
        "codes": list(bill["codes"]) if bill else [],
        "causes": list(bill["causes"]) if bill else [],
        "conformance": None
        if check is None
        else {
            "flow": check["flow"],
            "due": check["steps_expected"],
            "kept": check["steps_kept"],
            "order": check["step_order"],
            "pattern": check["pattern"],
        },
        "zone": trail.zone,
    }


def meter_record(session: Mapping[str, Any]) -> dict[str, Any]:
    """The meter by which a session was measured, and where each value comes from."""
    return {
        "register_kind": session["register_kind"] or "session",
        "register_digits": session["register_digits"] or None,
        "register_source": session["register_source"],
        "quantum_kwh": kwh_text(session["quantum_e4kwh"]),
        "quantum_source": session["quantum_source"],
        "pmax_w": session["pmax_w"],
        "pmax_source": session["pmax_source"],
        "profile_id": f"{session['meter_profile_id']:016X}" if session["meter_profile_id"] else None,
        "register_start_kwh": kwh_text(session["register_start_e4kwh"]) if session["register_end_e4kwh"] else None,
        "register_end_kwh": kwh_text(session["register_end_e4kwh"]) if session["register_end_e4kwh"] else None,
    }


def _times(trail: Trail, zone: ZoneInfo) -> dict[str, Any] | None:
    times = observed_times(trail.session, trail.curve)
    if times is None:
        return None
    return {
        "from": iso_time(times.from_ms, zone),
        "to": iso_time(times.to_ms, zone),
        "observed_s": times.observed_ms // 1000,
        "unobserved_s": times.unobserved_ms // 1000,
        "total_s": times.total_ms // 1000,
        "silences": [[iso_time(first, zone), iso_time(last, zone)] for first, last in times.silences],
    }


def _growth(trail: Trail, zone: ZoneInfo) -> dict[str, Any] | None:
    line = growth(trail.session, trail.curve)
    if line is None:
        return None
    return {
        "readings": line.readings,
        "r_squared": f"{line.r_squared:.6f}",
        "largest_residual_kwh": kwh_text(line.residual_e4kwh),
        "largest_residual_at": iso_time(line.residual_ms, zone),
        "register_w": line.register_w,
        "electric_w": line.electric_w or None,
    }


def _rule(one: FiredRules, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "rules": list(one.rules),
        "from": iso_time(one.from_ms, zone) if one.to_ms else None,
        "to": iso_time(one.to_ms, zone) if one.to_ms else None,
        "times": one.times,
        "reported_kwh": [kwh_text(value) for value in one.reported_e4kwh],
        "accepted_kwh": kwh_text(one.accepted_e4kwh),
        "low_kwh": kwh_text(one.low_e4kwh),
        "high_kwh": kwh_text(one.high_e4kwh),
    }


def iso_time(at_ms: int, zone: ZoneInfo) -> str:
    """A moment as ISO 8601 in that zone, to the millisecond."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).isoformat(timespec="milliseconds")
