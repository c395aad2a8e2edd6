"""A session's whole trail of evidence in the order of time: what was said, what happened, and what became of it.

`timeline` gives it as plain records, for the terminal, for JSON and for pages. Runs of readings in one state, and of
other frames that come again and again, stand as one record each.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import msgspec
import numpy as np
from clickhouse_driver import Client

from analytics.fired_rules import FiredRules, fired_rules
from analytics.personal_data import masked_number, masked_vin
from analytics.questions import Answer, Scope, ask
from analytics.revision_changes import touches
from analytics.session_curve import SessionCurve, session_curve
from analytics.session_window import window_of
from analytics.timeline_entries import (
    Entry,
    bill_entry,
    deviation_entry,
    event_entry,
    frame_entries,
    place_in_time,
    reading_entries,
    rule_entries,
)
from core.conformance.rules import MINUTE_MS
from core.meter.device_times import CLOCKS_AGREE_MS, STORED_LAG_MS
from core.session_number import session_halves
from core.ykc.realtime import encode_realtime

AROUND_MS: Final = 3 * MINUTE_MS
"""What does not name the session belongs to it so long before its first and after its last sign."""
_FIRST_DAY, _LAST_DAY = "1970-01-01", "2149-06-06"
_MOST_DEVIATIONS = 1_000


class Trail(msgspec.Struct, frozen=True):
    """The trail of one session: `session` is its newest revision, `bill` its current bill (None: not billed yet).

    `curve` is what its meter reported and what was accepted of it, `rules` what fired on the way. `masked`: what names
    a person is hidden in the entries; the rows of session and bill are as they are stored.
    """

    session: dict[str, Any]
    bill: dict[str, Any] | None
    conformance: dict[str, Any] | None
    entries: list[Entry]
    curve: SessionCurve
    rules: list[FiredRules]
    masked: bool = False

    @property
    def zone(self) -> str:
        """The zone of the station."""
        return str(self.session["zone"]) or "Asia/Shanghai"


def trails(
    client: Client, scope: Scope, trade_no: str, *, pile: str | None = None, every: bool = False, masked: bool = False
) -> list[Trail]:
    """The trail of each session under this number that `scope` may see; none when the number is not known.

    `pile`: only of the charger with this code. `every`: each reading and each frame stands for itself, with its bytes.
    `masked`: what names a person is hidden.
    """

    def asked(question: str, **values: object) -> Answer:
        return ask(client, question, scope, **values)

    sessions = asked("timeline_sessions", trade_no=trade_no).records()
    return [
        _trail(asked, session, session_curve(client, scope, session), every=every, masked=masked)
        for session in sessions
        if pile in (None, session["pile"])
    ]


def _trail(
    asked: Callable[..., Answer], session: dict[str, Any], curve: SessionCurve, *, every: bool, masked: bool
) -> Trail:
    from_ms, to_ms = window_of(session)
    key = {"pile_id": session["pile_id"], "connector": session["connector"], "trade_no": session["trade_no"]}
    window = {"from_ms": from_ms, "to_ms": to_ms}
    high, low = session_halves(session["trade_no"])
    place = {"pile_id": session["pile_id"], "connector": session["connector"]}
    named = {**place, "trade_hi": high, "trade_lo": low, **window}
    readings = asked("timeline_readings", **named).records()
    record_no = session["bill_number"] or session["trade_no"]
    frames = asked("timeline_frames", **key, record_no=record_no, statuses=int(every), **window).records()
    frames = [_by_the_platform_s_clock(frame, session) for frame in frames]
    own_ms = _own_span(session, readings, frames)
    told = {_frame_key(reading) for reading in readings}
    hex_of = _bytes_of_readings(asked("timeline_reading_frames", **named).records(), frames) if every else {}
    frames = [
        frame
        for frame in frames
        if (frame["named"] or own_ms[0] <= frame["receive_ms"] <= own_ms[1]) and _frame_key(frame) not in told
    ]
    events = [
        event
        for event in asked("timeline_events", **key, **window).records()
        if event["trade_no"] or (max(event["until_ms"], event["at_ms"]) >= own_ms[0] and event["at_ms"] <= own_ms[1])
    ]
    bills = asked("session_bills", **key).records()
    revisions = asked(
        "session_revisions", pile=session["pile"], connector=session["connector"], trade_no=session["trade_no"]
    ).records()
    touched = {touch.revision: touch for touch in touches(revisions, bills)}
    rules = fired_rules(session, curve)
    codes = asked("session_codes", **key).first()
    checks = asked("conformance_deviations", trade_no=session["trade_no"], pile=session["pile"], limit=_MOST_DEVIATIONS,
                   from_day=_FIRST_DAY, to_day=_LAST_DAY).records()  # fmt: skip
    deviations = [check for check in checks if check["connector"] == session["connector"]]
    entries = [
        *reading_entries(readings, every=every, accepted_at=partial(_accepted_at, curve), hex_of=hex_of),
        *frame_entries(frames, every=every, masked=masked),
        *rule_entries(rules),
        *(
            event_entry(_without_account(event) if masked else event)
            for event in events
            if not _only_repeats_a_frame(event)
        ),
        *(deviation_entry(check) for check in deviations),
        *(bill_entry(bill, touched.get(bill["revision"]), str(session["zone"]) or "Asia/Shanghai") for bill in bills),
    ]
    current = bills[0] if bills else None
    return Trail(
        session={**session, "hits": codes["hits"] if codes else []},
        bill=current if current and current["final_rule"] and session["life"] != "open" else None,
        conformance=asked("timeline_check", **key).first(),
        entries=sorted(entries, key=place_in_time),
        curve=curve,
        rules=rules,
        masked=masked,
    )


def _accepted_at(curve: SessionCurve, at_ms: int) -> int | None:
    """The energy accepted up to a moment; None before the first reading, and without any."""
    place = int(np.searchsorted(curve.event_ms, at_ms, side="right")) - 1
    return int(curve.accepted_e4kwh[place]) if place >= 0 else None


def _bytes_of_readings(columns: list[dict[str, Any]], frames: list[dict[str, Any]]) -> dict[tuple[int, int], str]:
    """The bytes of each reading's frame, by its key: stored as they came, or made again from what it said."""
    stored = {_frame_key(frame): frame["frame_hex"] for frame in frames}
    made = {_frame_key(row): encode_realtime(row).hex().upper() for row in columns}
    return made | stored


def _without_account(event: dict[str, Any]) -> dict[str, Any]:
    """An account names a person; the address of a connection, in the same column, does not."""
    if event["kind"] != "start":
        return event
    return {**event, "account": (masked_vin if event["name"] == "vin" else masked_number)(event["account"])}


def _frame_key(row: dict[str, Any]) -> tuple[int, int]:
    """A reading that its columns do not give to the byte stands among the frames too, under the same key."""
    return row["segment_id"], row["segment_offset"]


def _by_the_platform_s_clock(frame: dict[str, Any], session: dict[str, Any]) -> dict[str, Any]:
    """A record that its loader took for a kept one, where the session shows that only the charger's clock is behind."""
    if not frame["stored"] or session["clock_step_ms"] > CLOCKS_AGREE_MS:
        return frame
    event_ms = min(frame["event_ms"] - session["clock_offset_ms"], frame["receive_ms"])
    if frame["receive_ms"] - event_ms > STORED_LAG_MS:
        return {**frame, "event_ms": event_ms}
    return {**frame, "event_ms": frame["receive_ms"], "stored": 0}


def _only_repeats_a_frame(event: dict[str, Any]) -> bool:
    """An order of which only the answer was seen, as in a capture: the answer's frame says it all."""
    return bool(event["kind"] == "order" and event["until_ms"] == event["at_ms"] and event["detail"].startswith("ok"))


def _own_span(
    session: dict[str, Any], readings: list[dict[str, Any]], frames: Sequence[dict[str, Any]]
) -> tuple[int, int]:
    """From when to when things belong to the session that do not name it."""
    times = [frame["event_ms"] for frame in frames if frame["named"]]
    times += [reading["event_ms"] for reading in readings[:1] + readings[-1:]]
    times += [ms for ms in (session["start_ms"], session["end_ms"], session["unplugged_ms"]) if ms]
    return min(times) - AROUND_MS, max(times) + AROUND_MS
