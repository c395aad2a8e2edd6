"""Holds every session that is over, and every login, against its protocol, and says how well chargers keep to it.

A check is a fact like a bill: it is appended where its inputs differ from those of the one before, and never changed.
"""

import logging
import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from clickhouse_driver import Client

from analytics.conformance_course import EndedSession
from analytics.conformance_evidence import Login, firmware_and_make, login_courses, session_courses
from analytics.questions import Scope, ask
from analytics.sql_files import sql_text
from core.conformance.checker import check_login, check_session
from core.conformance.flows import RULE_VERSION
from core.conformance.steps import Course, Verdict, in_order
from core.directory import Pile, PileDirectory

logger = logging.getLogger(__name__)

SETTLED_MS: Final = 60_000
"""Answers and last steps of a session come within so much of its record."""
LOGIN_SETTLED_MS: Final = 150_000
OVERLAP_MS: Final = 600_000
"""Rows become visible a little after the moment they carry; each look goes back by this much."""
CHUNK: Final = 200
MOST_PER_PASS: Final = 2_000
_RANDOM_BITS = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)
_PROGRESS = "SELECT max(batch_id), maxIf(checked_ms, connection_id != 0) FROM conformance_checks"

Key = tuple[int, int, str, int]
"""pile_id, connector, trade_no, connection_id."""
Item = TypeVar("Item")
GroupBy = Literal["pile", "firmware", "vendor", "model", "flow"]


class ConformanceReport(msgspec.Struct):
    """What one pass did. `waiting`: sessions that were just over, whose last steps may still come."""

    checked: int = 0
    written: int = 0
    deviations: int = 0
    waiting: int = 0
    left: int = 0


class Score(msgspec.Struct, frozen=True):
    """How well a group keeps to its protocol: `kept` of the `due` steps, over `sessions` of which `clean` are flawless.

    `percent` is rounded down to a tenth, so that 100.0 means that no step was missed. `worst` are the steps at fault
    most often, as (step, kind, times), the worst first.
    """

    name: str
    sessions: int
    clean: int
    due: int
    kept: int
    worst: tuple[tuple[str, str, int], ...] = ()

    @property
    def percent(self) -> str:
        """The score from 0.0 to 100.0."""
        tenths = 1_000 * self.kept // self.due if self.due else 1_000
        return f"{tenths // 10}.{tenths % 10}"


class _Subject(msgspec.Struct, frozen=True):
    """What is checked, and the columns that its rows carry."""

    key: Key
    at_ms: int
    columns: dict[str, Any]


class ConformanceChecker:
    """Checks what is stored. Not safe for use by several threads at once; several checkers on one database do no harm.

    Sessions of a charger that the directory does not know are left until it does.
    """

    def __init__(self, client: Client, directory: PileDirectory) -> None:
        self._client = client
        self._directory = directory
        self._since_ms = 0
        self._done: dict[tuple[int, int, str], int] = {}
        """Sessions checked since `_since_ms`, each with the newest moment of what was known of it."""
        self._since_login_ms = 0
        self._done_logins: set[int] = set()
        """Connections checked since `_since_login_ms`."""
        self._begun = False

    def run_once(self, most: int = MOST_PER_PASS) -> ConformanceReport:
        """One pass over what is new, the oldest first, at most `most` sessions and as many logins; `left` is the rest.

        Sessions whose record is still waited for come when it does or is given up.
        """
        if not self._begun:
            self._begin()
        ((now_ms,),) = self._client.execute("SELECT toUnixTimestamp64Milli(now64(3))")
        report = ConformanceReport()
        self._check_sessions(now_ms, most, report)
        self._check_logins(now_ms, most, report)
        return report

    def _begin(self) -> None:
        """Take up where an earlier process stopped; a new version of the rules looks at everything again."""
        ((batch_id, login_ms),) = self._client.execute(f"{_PROGRESS} WHERE rule_version = {RULE_VERSION}")
        self._since_ms = max(0, (batch_id >> _RANDOM_BITS) - OVERLAP_MS)
        self._since_login_ms = max(0, login_ms - OVERLAP_MS)
        self._begun = True

    def _check_sessions(self, now_ms: int, most: int, report: ConformanceReport) -> None:
        rows = self._client.execute(sql_text("conformance_sessions"), {"since_ms": self._since_ms})
        found = [msgspec.convert(row, EndedSession) for row in rows]
        fresh = [session for session in found if self._done.get(session.key) != session.newest_ms]
        settled = [session for session in fresh if session.last_fact_ms <= now_ms - SETTLED_MS]
        known = {session.pile_id: pile for session in settled if (pile := self._directory.by_id(session.pile_id))}
        ready = [session for session in settled if session.pile_id in known]
        report.waiting += len(fresh) - len(settled)
        report.left += max(0, len(ready) - most)
        for chunk in _chunks(sorted(ready[:most], key=lambda session: session.window)):
            subjects = [_session_subject(session, known[session.pile_id]) for session in chunk]
            self._keep(subjects, session_courses(self._client, chunk, known), now_ms, report)
            self._done.update((session.key, session.newest_ms) for session in chunk)
        undone = [session.newest_ms for session in fresh if self._done.get(session.key) != session.newest_ms]
        newest_ms = max((session.newest_ms for session in found), default=0)
        self._since_ms = max(self._since_ms, min(undone, default=newest_ms) - OVERLAP_MS)
        self._done = {
            session.key: self._done[session.key]
            for session in found
            if session.key in self._done and session.newest_ms > self._since_ms
        }

    def _check_logins(self, now_ms: int, most: int, report: ConformanceReport) -> None:
        values = {"since_ms": self._since_login_ms, "until_ms": now_ms - LOGIN_SETTLED_MS, "most": most}
        found = [msgspec.convert(row, Login) for row in self._client.execute(sql_text("conformance_logins"), values)]
        known = {login.pile_id: pile for login in found if (pile := self._directory.by_id(login.pile_id))}
        ready = [login for login in found if login.pile_id in known and login.connection_id not in self._done_logins]
        for chunk in _chunks(sorted(ready, key=lambda login: login.login_ms)):
            subjects = [_login_subject(login, known[login.pile_id]) for login in chunk]
            self._keep(subjects, login_courses(self._client, chunk, known), now_ms, report)
        self._done_logins = {login.connection_id for login in found}
        newest_ms = max((login.newest_ms for login in found), default=0)
        self._since_login_ms = max(self._since_login_ms, newest_ms - (OVERLAP_MS if len(found) < most else 1))

    def _keep(
        self, subjects: Sequence[_Subject], courses: Sequence[Course], now_ms: int, report: ConformanceReport
    ) -> None:
        """Check each course and append what differs from the check before."""
        makes = firmware_and_make(self._client, [(subject.key[0], subject.at_ms) for subject in subjects])
        before = self._checked_before(subjects)
        checks: list[dict[str, Any]] = []
        deviations: list[dict[str, Any]] = []
        for subject, course, (vendor, model, firmware) in zip(subjects, courses, makes, strict=True):
            report.checked += 1
            make = {"vendor": vendor, "model": model, "firmware": firmware}
            digest = _digest(course, {**subject.columns, **make, "batch_id": 0})
            if before.get(subject.key) == (digest, RULE_VERSION):
                continue
            verdict = check_login(course) if subject.key[3] else check_session(course)
            check_id = (now_ms << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
            shared = {name: subject.columns[name] for name in ("operator_id", "station_id", "pile")}
            shared |= _key_columns(subject.key) | {"check_id": check_id, "flow": verdict.flow}
            deviations += [{**shared, **msgspec.structs.asdict(one)} for one in verdict.deviations]
            checks.append(
                {**shared, **subject.columns, **make, **_figures(verdict), "checked_ms": now_ms}
                | {"rule_version": RULE_VERSION, "inputs_digest": digest, "protocol": course.protocol}
            )
        # A pass cut off in between leaves deviations that no check names: nobody sees them.
        self._insert("session_deviations", deviations)
        self._insert("conformance_checks", checks)
        report.written += len(checks)
        report.deviations += len(deviations)

    def _checked_before(self, subjects: Sequence[_Subject]) -> dict[Key, tuple[int, int]]:
        structure = [
            ("pile_id", "UInt32"),
            ("connector", "UInt8"),
            ("trade_no", "String"),
            ("connection_id", "UInt64"),
        ]
        data = [_key_columns(subject.key) for subject in subjects]
        rows = self._client.execute(
            sql_text("conformance_current"),
            external_tables=[{"name": "wanted", "structure": structure, "data": data}],
        )
        return {(pile, connector, trade, link): (digest, rule) for pile, connector, trade, link, digest, rule in rows}

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        if rows:
            names = list(rows[0])
            columns = [[row[name] for row in rows] for name in names]
            self._client.execute(f"INSERT INTO {table} ({', '.join(names)}) VALUES", columns, columnar=True)


def scores(
    client: Client,
    scope: Scope,
    by: GroupBy = "pile",
    from_day: date | None = None,
    to_day: date | None = None,
) -> list[Score]:
    """The score of each group over the sessions and logins whose local day is `from_day`..`to_day`, the worst first.

    A group is a charger, a firmware (with its vendor and model), a vendor, a model, or a kind of start. Only what the
    charger itself owed counts; what the platform owed is in the deviations.
    """
    days = {"from_day": from_day or _FIRST_DAY, "to_day": to_day or _LAST_DAY}
    faults: dict[str, list[tuple[str, str, int]]] = {}
    for name, step, kind, times in ask(client, "conformance_faults", scope, **days, by=by).rows:
        faults.setdefault(name, []).append((step, kind, times))
    found = [
        Score(name, sessions, clean, due, kept, tuple(faults.get(name, ())))
        for name, sessions, clean, due, kept in ask(client, "conformance_scores", scope, **days, by=by).rows
    ]
    return sorted(found, key=lambda score: (score.kept / score.due if score.due else 1.0, -score.sessions, score.name))


def violations(
    client: Client,
    scope: Scope,
    *,
    pile: str = "",
    trade_no: str = "",
    from_day: date | None = None,
    to_day: date | None = None,
    limit: int = 1_000,
) -> list[dict[str, Any]]:
    """The deviations of the newest checks, the newest first: of all chargers, of one, or of one session.

    `evidence` holds the keys (segment, offset) of the frames that show it.
    """
    days = {"from_day": from_day or _FIRST_DAY, "to_day": to_day or _LAST_DAY}
    return ask(client, "conformance_deviations", scope, **days, pile=pile, trade_no=trade_no, limit=limit).records()


def _session_subject(session: EndedSession, pile: Pile) -> _Subject:
    columns = {
        "operator_id": session.operator_id,
        "station_id": session.station_id,
        "pile": session.pile or pile.code,
        "batch_id": session.batch_id,
        "local_day": session.local_day,
        "end_ms": session.end_ms,
    }
    return _Subject((session.pile_id, session.connector, session.trade_no, 0), session.window[1], columns)


def _login_subject(login: Login, pile: Pile) -> _Subject:
    local = (_EPOCH + timedelta(milliseconds=login.login_ms)).astimezone(ZoneInfo(pile.zone))
    columns = {
        "operator_id": login.operator_id,
        "station_id": pile.station_id,
        "pile": pile.code,
        "batch_id": 0,
        "local_day": local.date(),
        "end_ms": login.login_ms,
    }
    return _Subject((login.pile_id, 0, "", login.connection_id), login.login_ms + SETTLED_MS, columns)


def _key_columns(key: Key) -> dict[str, Any]:
    return dict(zip(("pile_id", "connector", "trade_no", "connection_id"), key, strict=True))


def _figures(verdict: Verdict) -> dict[str, Any]:
    return {
        "steps_expected": verdict.due,
        "steps_kept": verdict.kept,
        "deviations": len(verdict.of("charger")),
        "platform_deviations": len(verdict.of("platform")),
        "step_order": verdict.order,
        "pattern": verdict.pattern,
    }


def _digest(course: Course, columns: dict[str, Any]) -> int:
    """Of everything that the check rests on, whatever the order in which it was read."""
    canonical = msgspec.structs.replace(course, steps=tuple(in_order(course.steps)))
    told = msgspec.msgpack.encode((canonical, sorted((name, str(value)) for name, value in columns.items())))
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "big")


def _chunks(items: Sequence[Item]) -> list[Sequence[Item]]:
    return [items[place : place + CHUNK] for place in range(0, len(items), CHUNK)]
