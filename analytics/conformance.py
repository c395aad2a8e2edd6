"""Holds every session that is over, and every login, against its protocol, and says how well chargers keep to it.

A check is a fact like a bill: it is appended where its inputs differ from those of the one before, and never changed.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from clickhouse_driver import Client

from analytics.conformance_backlog import OVERLAP_MS, Backlog, Key, SessionNews
from analytics.conformance_course import EndedSession
from analytics.conformance_evidence import (
    Login,
    ended_sessions,
    firmware_and_make,
    login_courses,
    session_courses,
)
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
CHUNK: Final = 200
MOST_PER_PASS: Final = 2_000
_RANDOM_BITS = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY, _LAST_DAY = date(1970, 1, 1), date(2149, 6, 6)
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
        self._sessions: Backlog[SessionNews] | None = None
        self._logins: Backlog[Login] | None = None
        self._unsettled: dict[Key, tuple[int, SessionNews]] = {}
        """Sessions that were just over, each with the moment from when it may be checked."""
        self._unknown: dict[Key, SessionNews] = {}
        """Sessions of chargers that the directory does not know."""

    def run_once(self, most: int = MOST_PER_PASS) -> ConformanceReport:
        """One pass over what is new, the oldest first, at most `most` sessions and as many logins.

        `left` is the rest, as far as it is known by name, 0 only when there is none. Sessions whose record is still
        waited for come when it does or is given up.
        """
        if self._sessions is None or self._logins is None:
            self._sessions, self._logins = self._backlogs()
        ((now_ms,),) = self._client.execute("SELECT toUnixTimestamp64Milli(now64(3))")
        report = ConformanceReport()
        self._check_sessions(self._sessions, now_ms, most, report)
        self._check_logins(self._logins, now_ms, most, report)
        return report

    def run_to_end(self, tell: Callable[[int], None] | None = None) -> int:
        """Passes until nothing is left; gives the number of checks, and tells of those of each pass."""
        checked = 0
        while True:
            report = self.run_once()
            checked += report.checked
            if tell is not None:
                tell(report.checked)
            if not report.left:
                return checked

    def _backlogs(self) -> tuple[Backlog[SessionNews], Backlog[Login]]:
        """Take up where an earlier process stopped; a new version of the rules looks at everything again."""
        ((sessions_ms, logins_ms),) = self._client.execute(
            sql_text("conformance_progress"), {"rule_version": RULE_VERSION}
        )
        return (
            Backlog(self._client, "conformance_news", SessionNews, (sessions_ms or 0) - OVERLAP_MS),
            Backlog(self._client, "conformance_logins", Login, (logins_ms or 0) - OVERLAP_MS),
        )

    def _check_sessions(self, backlog: Backlog[SessionNews], now_ms: int, most: int, report: ConformanceReport) -> None:
        backlog.put_back(self._may_be_checked_now(now_ms))
        backlog.begin(now_ms)
        found: list[tuple[SessionNews, EndedSession]] = []
        while len(backlog) and len(found) < most:
            found += self._ready(backlog.take(max(most - len(found), CHUNK)), now_ms)
            backlog.fill()
        backlog.put_back(one for one, _session in found[most:])
        ready = [session for _one, session in found[:most]]
        known = {session.pile_id: self._directory.by_id(session.pile_id) for session in ready}
        piles = {pile_id: pile for pile_id, pile in known.items() if pile}
        for chunk in _chunks(sorted(ready, key=lambda session: session.window)):
            subjects = [_session_subject(session, piles[session.pile_id]) for session in chunk]
            self._keep(subjects, session_courses(self._client, chunk, piles), now_ms, report)
        report.waiting += len(self._unsettled)
        report.left += len(backlog)

    def _may_be_checked_now(self, now_ms: int) -> list[SessionNews]:
        """Those put off before that need not be any more."""
        found = [one for due_ms, one in self._unsettled.values() if due_ms <= now_ms]
        found += [one for one in self._unknown.values() if self._directory.by_id(one.pile_id)]
        for one in found:
            self._unsettled.pop(one.key, None)
            self._unknown.pop(one.key, None)
        return sorted(found, key=lambda one: (one.newest_ms, one.key))

    def _ready(self, news: Sequence[SessionNews], now_ms: int) -> list[tuple[SessionNews, EndedSession]]:
        """The sessions that are over; those that cannot be checked yet are put off."""
        ended = ended_sessions(self._client, news)
        ready = []
        for one in news:
            session = ended.get(one.key)
            if session is None:
                continue
            due_ms = session.last_fact_ms + SETTLED_MS
            if due_ms > now_ms:
                self._unsettled[one.key] = (due_ms, one)
            elif self._directory.by_id(one.pile_id) is None:
                self._unknown[one.key] = one
            else:
                ready.append((one, session))
        return ready

    def _check_logins(self, backlog: Backlog[Login], now_ms: int, most: int, report: ConformanceReport) -> None:
        backlog.begin(now_ms, now_ms - LOGIN_SETTLED_MS)
        found = backlog.take(most)
        known = {login.pile_id: pile for login in found if (pile := self._directory.by_id(login.pile_id))}
        ready = [login for login in found if login.pile_id in known]
        for chunk in _chunks(sorted(ready, key=lambda login: login.login_ms)):
            subjects = [_login_subject(login, known[login.pile_id]) for login in chunk]
            self._keep(subjects, login_courses(self._client, chunk, known), now_ms, report)
        backlog.fill()
        report.left += len(backlog)

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
