"""Stored frames, readings, events and bills as entries of a session's timeline, each in a few words."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from analytics.bill_lines import kwh_text, local_time, yuan_text
from analytics.fired_rules import FiredRules
from analytics.frame_words import Saying, frame_words
from analytics.personal_data import masked_hex
from analytics.revision_changes import BATCH_RANDOM_BITS, Change, Touch
from core.conformance.rules import GAP_MS, MINUTE_MS

Kind = Literal[
    "frame", "reading", "rule", "start", "order", "connector", "connection", "identity", "clock", "tariff", "alarm",
    "outage", "deviation", "bill",
]  # fmt: skip

LATE_MS: Final = 2 * MINUTE_MS
"""What came so long after it happened is marked, even where nothing says that the charger had kept it."""
_YKC_STATES: Final = {0: "offline", 1: "fault", 2: "idle", 3: "charging"}
_AAF5_STATES: Final = {
    **{0: "idle", 1: "preparing", 2: "charging", 3: "finished", 4: "start failed", 5: "booked", 6: "fault"},
}
_PERIODIC: Final = ("bms_demand", "bms_info", "heartbeat", "heartbeat_ack", "status", "status_ack")


MOST_CHANGES: Final = 6
_UNIT_OF_NAME: Final = {"at": "ms"}


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that happened. `at_ms` is when; `until_ms` the end of a run or of what lasted (0: a moment).

    `came_ms` is not 0 where it arrived long after it happened; `kept` says that the charger had kept it. `party` is who
    acted: charger, platform, biller, or empty. `name` is the name of a message, an event, a step; `times` counts what a
    run stands for. `frame` is the key of the stored frame (segment, offset), `frame_hex` its bytes where they
    are stored as such, `fields` what they hold; `says` is the text of a frame or a reading part by part.
    """

    at_ms: int
    kind: Kind
    name: str
    text: str
    party: str = ""
    type: str = ""
    until_ms: int = 0
    times: int = 1
    came_ms: int = 0
    kept: bool = False
    bad: bool = False
    frame: tuple[int, int] | None = None
    frame_hex: str = ""
    fields: dict[str, Any] = {}
    says: tuple[Saying, ...] = ()


_RANKS: Final = {"frame": 0, "reading": 0, "rule": 1, "deviation": 2, "bill": 3}


def place_in_time(entry: Entry) -> tuple[int, int, tuple[int, int], str]:
    """The order of time; at one moment frames come first, as they came, and what they led to behind."""
    return entry.at_ms, _RANKS.get(entry.kind, 1), entry.frame or (0, 0), entry.name


def reading_entries(
    readings: Sequence[dict[str, Any]],
    *,
    every: bool,
    accepted_at: Callable[[int], int | None],
    hex_of: Mapping[tuple[int, int], str] = MappingProxyType({}),
) -> list[Entry]:
    """Runs of readings in one state, or each by itself.

    `accepted_at` gives the energy (1e-4 kWh) accepted up to a moment, `hex_of` the bytes of frames by their key.
    """
    runs: list[list[dict[str, Any]]] = []
    for reading in readings:
        before = runs[-1][-1] if runs else None
        if every or before is None or _breaks(before, reading):
            runs.append([])
        runs[-1].append(reading)
    return [_run_of_readings(run, accepted_at, hex_of) for run in runs]


def _breaks(before: dict[str, Any], reading: dict[str, Any]) -> bool:
    same = ("state", "work_state", "plugged", "stored", "alarm", "fault_bits")
    return any(before[name] != reading[name] for name in same) or reading["event_ms"] - before["event_ms"] > GAP_MS


def _run_of_readings(
    run: Sequence[dict[str, Any]],
    accepted_at: Callable[[int], int | None],
    hex_of: Mapping[tuple[int, int], str],
) -> Entry:
    first, last = run[0], run[-1]
    accepted = accepted_at(last["event_ms"])
    is_ykc = first["protocol"] == "ykc"
    state = _YKC_STATES.get(first["state"]) if is_ykc else _AAF5_STATES.get(first["work_state"])
    number = first["state"] if is_ykc else first["work_state"]
    says = [Saying("", str(number), meaning=state) if state else Saying("state", str(number))]
    if not first["plugged"]:
        says.append(Saying("", meaning="not plugged in"))
    says.append(_span("", [kwh_text(first["energy_e4kwh"]), kwh_text(last["energy_e4kwh"])], "kWh"))
    if last["register_e4kwh"]:
        says.append(_span("register", [kwh_text(first["register_e4kwh"]), kwh_text(last["register_e4kwh"])], "kWh"))
    if accepted is not None:
        says.append(Saying("accepted", str(kwh_text(accepted)), "kWh"))
    if powers := [reading["power_w"] for reading in run if reading["power_w"]]:
        says.append(_span("", [_kilowatts(min(powers)), _kilowatts(max(powers))], "kW"))
    if last["soc"]:
        says.append(_span("SOC", [str(first["soc"]), str(last["soc"])], "%"))
    if first["alarm"] or first["fault_bits"]:
        is_alarm = bool(first["alarm"])
        says.append(
            Saying("alarm", str(first["alarm"])) if is_alarm else Saying("fault_bits", f"{first['fault_bits']:#06x}")
        )
    late = first["stored"] or first["receive_ms"] - first["event_ms"] > LATE_MS
    return Entry(
        at_ms=first["event_ms"],
        until_ms=last["event_ms"] if len(run) > 1 else 0,
        kind="reading",
        party="charger",
        type="0x13" if is_ykc else "104",
        name="realtime" if is_ykc else "status",
        text=", ".join(map(_said_of_reading, says)),
        says=tuple(says),
        times=len(run),
        came_ms=max(reading["receive_ms"] for reading in run) if late else 0,
        kept=bool(first["stored"]),
        bad=bool(first["alarm"] or first["fault_bits"]) or state == "fault",
        frame=(first["segment_id"], first["segment_offset"]),
        frame_hex=hex_of.get((first["segment_id"], first["segment_offset"]), "") if len(run) == 1 else "",
    )


def frame_entries(frames: Sequence[dict[str, Any]], *, every: bool, masked: bool = False) -> list[Entry]:
    """What each frame says; periodic ones as runs unless `every`. `masked`: without what names a person."""
    entries = [_frame(frame, masked=masked) for frame in frames]
    if every:
        return entries
    single = [entry for entry in entries if entry.name not in _PERIODIC]
    for _name, same in groupby(
        sorted(
            (entry for entry in entries if entry.name in _PERIODIC),
            key=lambda entry: (entry.name, *place_in_time(entry)),
        ),
        key=lambda entry: entry.name,
    ):
        single += _runs_of_frames(same)
    return single


def _runs_of_frames(entries: Iterable[Entry]) -> list[Entry]:
    runs: list[Entry] = []
    for entry in entries:
        before = runs[-1] if runs else None
        if before is not None and entry.at_ms - (before.until_ms or before.at_ms) <= GAP_MS:
            runs[-1] = msgspec.structs.replace(before, until_ms=entry.at_ms, times=before.times + 1)
        else:
            runs.append(entry)
    return runs


def _frame(frame: dict[str, Any], *, masked: bool) -> Entry:
    raw = bytes.fromhex(frame["frame_hex"])
    says = frame_words(frame["protocol"], frame["frame_type"], raw, masked=masked)
    refused = frame["verdict"] not in ("ok", "variant", "unknown_type")
    late = bool(frame["stored"]) or frame["receive_ms"] - frame["event_ms"] > LATE_MS
    return Entry(
        at_ms=frame["event_ms"],
        kind="frame",
        party="charger" if frame["direction"] == "up" else "platform",
        type=says.type,
        name=says.name,
        text=f"{says.text} (not taken: {frame['verdict']})" if refused else says.text,
        says=(*says.says, Saying("not_taken", meaning=frame["verdict"])) if refused else says.says,
        came_ms=frame["receive_ms"] if late else 0,
        kept=bool(frame["stored"]),
        bad=refused,
        frame=(frame["segment_id"], frame["segment_offset"]),
        frame_hex=masked_hex(frame["protocol"], frame["frame_type"], raw) if masked else frame["frame_hex"],
        fields=says.fields,
    )


def event_entry(event: dict[str, Any]) -> Entry:
    kind, name, detail = event["kind"], event["name"], event["detail"]
    text, bad, until_ms = detail.replace("_", " "), False, 0
    if kind == "start":
        who = f"{name} {event['account']}".replace("_", " ").strip()
        text, bad = f"by {who}, known from the {detail}", "refused" in detail
    elif kind == "order":
        until_ms = event["until_ms"]
        took = [f"after {_seconds(until_ms - event['at_ms'])}"] if until_ms else []
        text = ", ".join([text, *took, *filter(None, [event["account"]])])
        bad = not detail.startswith("ok")
    elif kind == "clock":
        offset_ms = int(detail)
        # a record may be sent long after its time: it shows no more than how far behind the clock can be
        is_bound = name == "record" and offset_ms < 0
        side = "ahead" if offset_ms > 0 else "behind"
        text = f"charger clock {'at most ' if is_bound else ''}{_seconds(abs(offset_ms))} {side}, by its {name}"
        bad = abs(offset_ms) > 3 * MINUTE_MS and not is_bound
    elif kind == "tariff":
        text = f"charger holds tariff {detail}, by its {name}"
    elif kind == "identity":
        text = f"firmware {detail or 'not said'}, protocol {name}"
    elif kind in ("connection", "alarm") and event["account"]:
        text = ", ".join(filter(None, [text, f"from {event['account']}"]))
    elif kind == "outage":
        until_ms = event["until_ms"]
        text = f"the platform itself could not hear for {_seconds(until_ms - event['at_ms'])} ({name})"
    ends = ("closed", "replaced", "login_refused", "fault", "violation")
    return Entry(
        at_ms=event["at_ms"],
        until_ms=until_ms,
        kind=kind,
        name=name,
        text=text,
        party="charger" if kind in ("connector", "identity") else "platform" if kind == "order" else "",
        bad=bad or kind in ("alarm", "outage") or name in ends,
    )


def deviation_entry(check: dict[str, Any]) -> Entry:
    keys = check["evidence"]
    return Entry(
        at_ms=check["event_ms"],
        kind="deviation",
        name=check["step"],
        text=f"{check['kind'].replace('_', ' ')}: {check['detail']}",
        party=check["party"],
        bad=True,
        frame=tuple(keys[0]) if keys else None,
        fields={name: check[name] for name in ("kind", "flow", "observed_ms", "allowed_ms", "times", "evidence")},
    )


def rule_entries(rules: Sequence[FiredRules]) -> list[Entry]:
    """The stretches of readings in which rules of the calculator fired; those of the whole session have no moment."""
    return [
        Entry(
            at_ms=one.from_ms,
            until_ms=one.to_ms,
            kind="rule",
            name="+".join(one.rules),
            text=rule_text(one),
            times=one.times,
            fields={
                "rules": list(one.rules),
                "reported_kwh": [kwh_text(value) for value in one.reported_e4kwh],
                "accepted_kwh": kwh_text(one.accepted_e4kwh),
                "low_kwh": kwh_text(one.low_e4kwh),
                "high_kwh": kwh_text(one.high_e4kwh),
            },
        )
        for one in rules
        if one.to_ms
    ]


def rule_text(one: FiredRules) -> str:
    """What the readings of a stretch said, and what was made of it."""
    begin, end, away = one.reported_e4kwh
    said = [kwh_text(value) or "nothing" for value in (begin, away, end) if value is not None]
    parts = [f"readings {' to '.join(said)} kWh"] if said else []
    if one.accepted_e4kwh is not None:
        bounds = "" if one.low_e4kwh is None else f" [{kwh_text(one.low_e4kwh)}, {kwh_text(one.high_e4kwh)}]"
        parts.append(f"accepted {kwh_text(one.accepted_e4kwh)} kWh{bounds}")
    return ", ".join(parts)


def bill_entry(bill: dict[str, Any], touch: Touch | None = None, zone: str = "UTC") -> Entry:
    """A revision of the bill; `touch` says what it changed against the one before, times in `zone`."""
    energy, amount = kwh_text(bill["final_energy_e4kwh"]), yuan_text(bill["amount_fen"])
    said, measured = kwh_text(bill["pile_energy_e4kwh"]), kwh_text(bill["platform_energy_e4kwh"])
    figure = f"{energy} kWh = {amount} yuan" if energy else "nothing to bill"
    parts = [f"revision {bill['revision']}, {bill['status']}: {figure}"]
    parts.append(f"charger says {said} kWh, measured {measured} kWh" if said else f"no record, measured {measured} kWh")
    if bill["codes_raw"] or bill["codes"]:
        parts.append(f"codes {_listed(bill['codes_raw'])}, after correction {_listed(bill['codes'])}")
    if bill["causes"]:
        parts.append(f"because of {', '.join(bill['causes'])}")
    if bill["held"]:
        parts.append("held: waits for a person")
    changed = [_changed(change, ZoneInfo(zone)) for change in (touch.changes if touch else ())]
    if changed:
        parts.append(f"changed {', '.join(changed[:MOST_CHANGES])}")
    return Entry(
        # computed_ms is the moment that was decided about; the run of the biller that wrote it is what happened then.
        at_ms=bill["batch_id"] >> BATCH_RANDOM_BITS,
        kind="bill",
        name=str(bill["status"]),
        text="; ".join(parts),
        party="biller",
        bad=bool(bill["held"]),
        fields={"changes": [change.name for change in touch.changes]} if touch and touch.changes else {},
    )


def _changed(change: Change, zone: ZoneInfo) -> str:
    """A field that another revision says differently, in units that people read."""
    name = change.name.removesuffix(f"_{_UNIT_OF_NAME.get(change.kind, change.kind)}")
    return f"{name} {_said(change.kind, change.before, zone)} to {_said(change.kind, change.after, zone)}"


def _said(kind: str, value: Any, zone: ZoneInfo) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"
    if value is None or (kind == "at" and not value):
        return "none"
    match kind:
        case "e4kwh":
            return f"{kwh_text(value)} kWh"
        case "e4yuan":
            return f"{kwh_text(value)} yuan"
        case "fen":
            return f"{yuan_text(value)} yuan"
        case "at":
            return str(local_time(value, zone))
        case "ms":
            return _seconds(value)
        case "w":
            return f"{_kilowatts(value)} kW"
    return str(value) or "none"


def _span(label: str, ends: Sequence[str | None], unit: str) -> Saying:
    first, last = str(ends[0]), str(ends[-1])
    return Saying(label, first, unit, until="" if first == last else last)


def _said_of_reading(saying: Saying) -> str:
    """One part of a reading in English."""
    value = f"{saying.value} to {saying.until}" if saying.until else saying.meaning or saying.value
    space = "" if saying.unit in ("", "%") else " "
    return f"{saying.label.replace('_', ' ')} {value}{space}{saying.unit}".strip()


def _kilowatts(watts: int) -> str:
    return f"{watts // 1000}.{watts % 1000 // 100}"


def _seconds(length_ms: int) -> str:
    return f"{length_ms / 1000:.1f} s" if length_ms < 10_000 else f"{length_ms // 1000} s"


def _listed(codes: Iterable[int]) -> str:
    return ",".join(map(str, codes)) or "none"
