"""What is stored of the steps of many sessions and logins, read with one query per table for all of them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from clickhouse_driver import Client

from analytics.conformance_backlog import Key, SessionNews
from analytics.conformance_course import EndedSession, Run, StoredFrame, Surroundings, course_of
from analytics.session_facts import merge_spans
from analytics.sql_files import sql_text
from core.conformance.observed import LOGIN_TYPES, PERIODIC_TYPES, STEP_TYPES, message_name, observed
from core.conformance.rules import GAP_MS, MINUTE_MS
from core.conformance.steps import STILL_OPEN_MS, Course, StepSeen
from core.directory import Pile
from core.session_number import session_halves

HINT_MARGIN_MS: Final = 31 * 24 * 60 * MINUTE_MS
"""The stored time of a reading is a hint; it bounds the rows to look at."""
LOGIN_LASTS_MS: Final = 2 * MINUTE_MS
"""What belongs to a login comes within so much of it."""

_KEYS = [
    ("number", "UInt32"),
    ("pile_id", "UInt32"),
    ("from_ms", "Int64"),
    ("to_ms", "Int64"),
    ("types", "Array(UInt16)"),
]
_SESSION_KEYS = [
    *_KEYS,
    ("connector", "UInt8"),
    ("trade_no", "String"),
    ("trade_hi", "UInt64"),
    ("trade_lo", "UInt64"),
    ("protocol", "String"),
    ("periodic_types", "Array(UInt16)"),
]
_LOGIN_KEYS = [*_KEYS, ("connection_id", "UInt64")]

Rows = dict[int, list[tuple[Any, ...]]]


class Login(msgspec.Struct, frozen=True, array_like=True):
    """A connection that logged in (`conformance_logins.sql`)."""

    newest_ms: int
    pile_id: int
    connection_id: int
    login_ms: int
    operator_id: int

    @property
    def key(self) -> Key:
        """What names it."""
        return self.pile_id, 0, "", self.connection_id


def ended_sessions(client: Client, news: Sequence[SessionNews]) -> dict[Key, EndedSession]:
    """Those of the sessions that are over and whose record is not waited for."""
    structure = [("pile_id", "UInt32"), ("connector", "UInt8"), ("trade_no", "String")]
    data = [{"pile_id": one.pile_id, "connector": one.connector, "trade_no": one.trade_no} for one in news]
    rows = client.execute(
        sql_text("conformance_sessions"),
        external_tables=[{"name": "wanted", "structure": structure, "data": data}],
    )
    found = [msgspec.convert(row, EndedSession) for row in rows]
    return {session.key: session for session in found}


def session_courses(client: Client, sessions: Sequence[EndedSession], piles: Mapping[int, Pile]) -> list[Course]:
    """The course of each session; `piles` must know the charger of every one."""
    windows = [session.window for session in sessions]
    span = {"from_ms": min(first for first, _last in windows), "to_ms": max(last for _first, last in windows)}
    wanted = _sessions_table(sessions, piles)
    types = tuple({kind for kinds in STEP_TYPES.values() for kind in kinds})
    frames = _by_number(client, "conformance_frames", {**span, "types": types}, wanted)
    runs = _by_number(client, "conformance_runs", {**span, "gap_ms": GAP_MS, "hint_margin_ms": HINT_MARGIN_MS}, wanted)
    heard = _by_number(client, "conformance_heard", span, wanted)
    links = _by_number(client, "conformance_connections", {}, wanted)
    outages = merge_spans(client.execute(sql_text("session_outages"), {"from_ms": span["from_ms"]}))
    return [
        course_of(
            session,
            piles[session.pile_id],
            Surroundings(
                frames=msgspec.convert(frames[number], list[StoredFrame]),
                runs=msgspec.convert(runs[number], list[Run]),
                heard=msgspec.convert(heard[number], list[tuple[int, int, int]]),
                links=msgspec.convert(links[number], list[tuple[int, str, int]]),
                outages=[(first, last) for first, last in outages if first <= session.window[1]],
            ),
        )
        for number, session in enumerate(sessions)
    ]


def login_courses(client: Client, logins: Sequence[Login], piles: Mapping[int, Pile]) -> list[Course]:
    """The course of each login; `piles` must know the charger of every one."""
    rows = [
        {
            "number": number,
            "pile_id": login.pile_id,
            "connection_id": login.connection_id,
            "from_ms": login.login_ms - LOGIN_LASTS_MS,
            "to_ms": login.login_ms + LOGIN_LASTS_MS,
            "types": list(LOGIN_TYPES[piles[login.pile_id].protocol]),
        }
        for number, login in enumerate(logins)
    ]
    wanted = {"name": "wanted", "structure": _LOGIN_KEYS, "data": rows}
    moments = [login.login_ms for login in logins]
    span = {"from_ms": min(moments) - LOGIN_LASTS_MS, "to_ms": max(moments) + LOGIN_LASTS_MS}
    frames = _by_number(client, "conformance_login_frames", span, wanted)
    links = _by_number(client, "conformance_connections", {}, wanted)
    return [
        _login_course(login, piles[login.pile_id], frames[number], links[number]) for number, login in enumerate(logins)
    ]


def _login_course(
    login: Login, pile: Pile, frames: Iterable[tuple[Any, ...]], links: Iterable[tuple[Any, ...]]
) -> Course:
    steps = []
    for receive_ms, direction, frame_type, connection_id, verdict, frame_hex, *key in frames:
        says = observed(pile.protocol, frame_type, bytes.fromhex(frame_hex))
        steps.append(
            StepSeen(
                event_ms=receive_ms,
                key=(key[0], key[1]),
                name=says.name or message_name(pile.protocol, frame_type),
                receive_ms=receive_ms,
                direction=direction,
                connection_id=connection_id,
                taken=verdict != "not_logged_in",
                result=says.result,
            )
        )
    ends = [at_ms for connection_id, event, at_ms in links if connection_id == login.connection_id and event != "login"]
    away = tuple((at_ms, STILL_OPEN_MS) for at_ms in ends[:1])
    return Course(protocol=pile.protocol, steps=tuple(steps), current_kind=pile.current_kind, away=away)


def firmware_and_make(client: Client, seen: Sequence[tuple[int, int]]) -> list[tuple[str, str, str]]:
    """Vendor, model and firmware of chargers, each at a moment; `seen` holds (pile_id, moment)."""
    structure = [("number", "UInt32"), ("pile_id", "UInt32"), ("seen_ms", "Int64")]
    data = [{"number": number, "pile_id": pile_id, "seen_ms": at_ms} for number, (pile_id, at_ms) in enumerate(seen)]
    rows = client.execute(
        sql_text("conformance_identities"),
        external_tables=[{"name": "wanted", "structure": structure, "data": data}],
    )
    found = {number: (vendor, model, firmware) for number, vendor, model, firmware in rows}
    return [found.get(number, ("", "", "")) for number in range(len(seen))]


def _sessions_table(sessions: Sequence[EndedSession], piles: Mapping[int, Pile]) -> dict[str, Any]:
    rows = []
    for number, session in enumerate(sessions):
        (from_ms, to_ms), (high, low) = session.window, session_halves(session.trade_no)
        protocol = piles[session.pile_id].protocol
        rows.append(
            {
                "number": number,
                "pile_id": session.pile_id,
                "connector": session.connector,
                "trade_no": session.trade_no,
                "trade_hi": high,
                "trade_lo": low,
                "from_ms": from_ms,
                "to_ms": to_ms,
                "protocol": protocol,
                "types": list(STEP_TYPES[protocol]),
                "periodic_types": list(PERIODIC_TYPES[protocol]),
            }
        )
    return {"name": "wanted", "structure": _SESSION_KEYS, "data": rows}


def _by_number(client: Client, name: str, values: Mapping[str, object], wanted: dict[str, Any]) -> Rows:
    """The rows of a query by the number of the one of `wanted` that each belongs to."""
    found: Rows = defaultdict(list)
    for number, *row in client.execute(sql_text(name), dict(values), external_tables=[wanted]):
        found[number].append(tuple(row))
    return found
