"""The biller: turns stored facts into revisions of sessions, their anomaly codes and their bills.

A pass finds the sessions with new facts and those that time alone may change, reads all facts of each, measures them
(`core.session`), and appends a revision where the inputs differ from those of the current one. Codes and money are
then computed by ClickHouse (`codes.sql`, `bill.sql`). Nothing is ever changed or deleted, so that a pass cut off at
any point is completed by the next one.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, timedelta

import msgspec
from clickhouse_driver import Client
from clickhouse_driver.errors import Error as DriverError

from analytics.biller_decision import Decision, forget_later
from analytics.fact_changes import Change, ChangeReader
from analytics.facts_reader import FactsReader
from analytics.lane_facts import FEWEST, LaneFactsReader
from analytics.plain_columns import NO_ROWS, PlainRows
from analytics.plain_lane import PlainLane
from analytics.revision_store import RevisionStore
from analytics.session_facts import SessionFacts, SessionKey
from analytics.session_revision import CurrentRevision, SessionRow
from analytics.session_rows import session_row
from analytics.session_spans import SessionSpan, portions, spans_of_piles, with_known_ends
from analytics.sql_files import sql_text
from analytics.threshold_book import ThresholdBook
from analytics.thresholds import HOUR_MS, MINUTE_MS
from analytics.waiting_sessions import Reason, WaitingSessions
from core.directory import PileDirectory
from core.tariff_version import TariffVersion

logger = logging.getLogger(__name__)

PILES_AT_ONCE = 100
"""`settle` looks for the sessions of so many chargers before it takes them up, so that its memory has a bound."""
MOST_SESSIONS = 20_000
MOST_READINGS = 3_000_000
"""Of a batch: each takes ClickHouse a quarter of a second beside what its sessions take; a reading some 100 bytes."""
PROGRESS_EVERY_MS = MINUTE_MS
PUT_OFF_RETRY_MS = MINUTE_MS
_UNHEARD_MS = 0
_FURTHEST_TOUCH = 3
"""A charge bears on a record without one, that one on another charge which it may be of, that one on its own record."""
_STORED_EARLIER_MS = 37 * HOUR_MS
"""A reading may be stored under a time that lies before its charge by as much as the longest of them lasts."""
PENDING_MS = 35 * 24 * HOUR_MS
"""Whatever ended longer ago than this has stopped to wait: for its bill after 72 h, for the unplug after 24 h."""
_EPOCH = date(1970, 1, 1)
_PROGRESS = "SELECT max(watermark_ms), argMax(decided_ms, watermark_ms) FROM biller_progress"


class BillerReport(msgspec.Struct):
    """What one pass did."""

    changes: int = 0
    sessions_evaluated: int = 0
    session_revisions: int = 0
    bill_revisions: int = 0
    open_sessions: int = 0
    failed_sessions: int = 0
    """Those that could not be evaluated: each is in the log, and is taken up with new facts or at the next start."""

    def add(self, other: "BillerReport") -> None:
        """Take in the counts of a part of the pass."""
        self.sessions_evaluated += other.sessions_evaluated
        self.session_revisions += other.session_revisions
        self.bill_revisions += other.bill_revisions
        self.failed_sessions += other.failed_sessions


class Biller:
    """Makes bills from what is stored. Not safe for use by several threads at once.

    `clock` gives the time for everything that waits (epoch ms). `loaded_until` gives the moment up to which facts are
    known to be in ClickHouse; while the loader is behind, nobody is called late or offline. Several billers on one
    database do no harm: both append the same revision, and a view shows one of them.
    """

    def __init__(
        self,
        client: Client,
        directory: PileDirectory,
        *,
        clock: Callable[[], int],
        thresholds: ThresholdBook | None = None,
        loaded_until: Callable[[], int] | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._loaded_until = loaded_until
        self._book = thresholds or ThresholdBook()
        self._revisions = RevisionStore(client, clock)
        self._reading = self._book.for_reading
        self._directory = directory
        self._facts = FactsReader(client, directory, self._reading)
        self._lane_facts = LaneFactsReader(client, directory, self._reading)
        self._waiting = WaitingSessions(client)
        self._changes: ChangeReader | None = None
        self._due: dict[SessionKey, tuple[int, int]] = {}
        """When to look again although nothing new came in, and the start of the session."""
        self._charging: set[SessionKey] = set()
        """Seen to charge on: more readings of that kind change nothing."""
        self._progress_ms = 0

    @property
    def unknown_piles(self) -> frozenset[int]:
        """Numbers of chargers that have sessions but are not in the directory; their sessions wait until they are."""
        return frozenset(self._facts.unknown_piles)

    def run_once(self) -> BillerReport:
        """One pass over everything that changed; at the first call also over what an earlier process left."""
        try:
            return self._pass(self._changes or self._begin())
        except Exception:
            # What this pass had taken up and not finished is found again from the stored progress.
            self._changes = None
            raise

    def _pass(self, reader: ChangeReader) -> BillerReport:
        as_of_ms = self._clock()
        if self._loaded_until is not None:
            as_of_ms = min(as_of_ms, self._loaded_until())
        changes = reader.read()
        hints = self._named(changes)
        hints.update(_earliest(hints, reader.affected(changes, self._charging)))
        for key, (due_ms, start_ms) in self._due.items():
            if due_ms <= as_of_ms:
                hints[key] = min(start_ms, hints.get(key, start_ms))
        spans = {key: SessionSpan(since_ms) for key, since_ms in hints.items()}
        decision = Decision(as_of_ms)
        report, touched = self._evaluate(with_known_ends(self._client, spans, _STORED_EARLIER_MS), decision)
        report.add(self._follow(touched, spans.keys(), decision))
        report.changes = len(changes)
        report.open_sessions = len(self._charging)
        self._keep_progress(reader, as_of_ms, worked=bool(report.session_revisions))
        return report

    def settle(
        self,
        pile_ids: Iterable[int],
        as_of_ms: int,
        observed_until_ms: Mapping[int, int] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> BillerReport:
        """Decide every session of these chargers as if `as_of_ms` had come.

        Until `observed_until_ms`, by charger (default for all: when any of them was heard last), the facts tell, and
        longer where the session was decided with a later moment; from then on each charger stays as it was last seen:
        one that was online stays so without sending the bill it owes, a car that was plugged stays plugged. One that
        fell silent in the middle of a charge stays silent.

        Each session is measured by the learned meter in force by now, also where one was billed by another: captures in
        any order give the same bills. Every other pass leaves a billed session with the meter of its bill.

        `progress` is told of the chargers that are done.

        Several processes may do this at once, each for chargers of its own. Sessions of other chargers on which these
        bear (anomaly-codes.md, code 7: one vehicle at two chargers) are evaluated anew as of now, where a revision of
        them stands.
        """
        wanted = sorted(set(pile_ids))
        report = BillerReport()
        if not wanted:
            return report
        if observed_until_ms is None:
            table = {"name": "piles", "structure": [("pile_id", "UInt32")], "data": [(pile_id,) for pile_id in wanted]}
            heard = self._client.execute(sql_text("session_last_heard"), external_tables=[table])
            last_heard_ms = max((last for _pile_id, last in heard), default=as_of_ms)
            observed_until_ms = dict.fromkeys(wanted, last_heard_ms)
        ours, elsewhere = frozenset(wanted), dict[SessionKey, int]()
        for place in range(0, len(wanted), PILES_AT_ONCE):
            spans = spans_of_piles(self._client, wanted[place : place + PILES_AT_ONCE])
            # A bill that a replay called lost was lost if the charger stayed; the facts alone may say otherwise by now.
            part, touched = self._evaluate(spans, Decision(as_of_ms, observed_until_ms, relearns=True, afresh=True))
            report.add(part)
            elsewhere |= {key: since for key, since in touched.items() if key.pile_id not in ours}
            if progress is not None:
                progress(len(wanted[place : place + PILES_AT_ONCE]))
        report.add(self._follow(elsewhere, (), Decision(self._clock())))
        return report

    def reconsider(self, since_ms: Mapping[SessionKey, int]) -> BillerReport:
        """Decide these sessions anew as of now; the values say since when there may be readings of each.

        Those of a replayed capture stay decided as of then.
        """
        spans = {key: SessionSpan(since) for key, since in since_ms.items()}
        known = with_known_ends(self._client, spans, _STORED_EARLIER_MS)
        return self._evaluate(known, Decision(self._clock(), afresh=True))[0]

    def _begin(self) -> ChangeReader:
        """Take up where an earlier process stopped."""
        self._due.clear()
        self._charging.clear()
        ((watermark_ms, decided_ms),) = self._client.execute(_PROGRESS)
        from_day = {"from_day": _EPOCH + timedelta(milliseconds=max(0, decided_ms - PENDING_MS))}
        for pile_id, connector, trade_no, start_ms, charging, recheck_ms in self._client.execute(
            sql_text("session_pending"), from_day
        ):
            key = SessionKey(pile_id, connector, trade_no)
            self._due[key] = (recheck_ms, start_ms)
            if charging:
                self._charging.add(key)
        for key, since_ms in self._waiting.load().items():
            _due_ms, start_ms = self._due.get(key, (0, since_ms))
            self._due[key] = (0, min(start_ms, since_ms))
        self._revisions.finish_cut_off(self._book.platform)
        self._changes = ChangeReader(self._client, self._reading, watermark_ms)
        return self._changes

    def _named(self, changes: list[Change]) -> dict[SessionKey, int]:
        """The sessions that the changes name, without those that merely go on charging."""
        hints: dict[SessionKey, int] = {}
        for change in changes:
            key = change.key
            if key is None:
                continue
            if key in self._charging and change.kind == "readings" and change.charging_last:
                start_ms = min(self._due[key][1], change.from_ms)
                self._due[key] = (change.last_receive_ms + self._reading.offline_ms, start_ms)
                continue
            since = self._waiting.since_ms(key, min(change.from_ms, hints.get(key, change.from_ms)))
            hints[key] = min(since, self._due[key][1]) if key in self._due else since
        return hints

    def _evaluate(
        self, spans: dict[SessionKey, SessionSpan], decision: Decision
    ) -> tuple[BillerReport, dict[SessionKey, int]]:
        """Gives also the sessions on which these bear, each with a moment since when it may have readings."""
        report = BillerReport()
        touched: dict[SessionKey, int] = {}
        versions = {version.tariff_version_id: version for pile in self._directory for version in pile.tariffs}
        for portion in portions(spans, MOST_SESSIONS, MOST_READINGS):
            part, others = self._evaluate_portion(portion, decision, versions)
            report.add(part)
            touched |= others
        return report, touched

    def _follow(
        self, touched: Mapping[SessionKey, int], done: Collection[SessionKey], decision: Decision
    ) -> BillerReport:
        """Evaluate those of the `touched` sessions, and of the ones that these touch, of which a revision stands.

        What is not known yet is evaluated with its own facts. No chain is longer than `_FURTHEST_TOUCH`.
        """
        report = BillerReport()
        seen = set(done)
        for _step in range(_FURTHEST_TOUCH):
            left = {key: since for key, since in touched.items() if key not in seen}
            seen |= left.keys()
            known = self._revisions.current(list(left)) if left else {}
            if not known:
                break
            part, touched = self._evaluate({key: SessionSpan(left[key]) for key in known}, decision)
            report.add(part)
        return report

    def _evaluate_portion(
        self, spans: dict[SessionKey, SessionSpan], decision: Decision, versions: dict[int, TariffVersion]
    ) -> tuple[BillerReport, dict[SessionKey, int]]:
        current = self._revisions.current(list(spans))
        for key, revision in current.items():
            if revision.start_ms > _UNHEARD_MS:
                spans[key] = spans[key].since(revision.start_ms)
        if decision.afresh:
            current = {key: revision._replace(bill_state="") for key, revision in current.items()}
        undecided = frozenset(key for key in spans if key not in current or current[key].bill_state != "lost")
        billed = {key: revision.meter_profile_id for key, revision in current.items() if revision.is_final}
        plain, known = self._read_plain(spans, current, decision, versions)
        rows: list[SessionRow] = []
        evaluated: set[SessionKey] = set(plain.keys)
        touched: dict[SessionKey, int] = {}
        left = {key: span for key, span in spans.items() if key not in evaluated and key not in known}
        found, failed = list(known.values()), set[SessionKey]()
        for part in portions(left):
            read, unreadable = self._read(part, undecided, {} if decision.relearns else billed, among=spans)
            found += read
            failed |= unreadable
        plain = self._news(plain, current, touched)
        for facts in found:
            before = current.get(facts.key, CurrentRevision())
            try:
                as_of_ms, stays_since_ms = decision.for_session(facts, before)
                forget_later(facts, as_of_ms)
                thresholds = self._book.of(facts.pile, facts.end_hint_ms)
                row = session_row(facts, before, as_of_ms, stays_since_ms, thresholds, versions)
            except Exception:
                logger.exception("session %s of charger %s cannot be billed", facts.key.trade_no, facts.pile.code)
                failed.add(facts.key)
                continue
            self._remember(row.key, row.recheck_ms, row.start_ms, charging=row.charging)
            evaluated.add(facts.key)
            touched |= facts.touched
            if row.inputs_digest != before.inputs_digest or before.revision == 0:
                rows.append(row)
                touched |= before.touched
        unpriced = self._revisions.unpriced(rows)
        bills, refused = self._revisions.store([row for row in rows if row.key not in unpriced], plain)
        failed |= refused
        self._put_off(spans, decision.as_of_ms, failed, unpriced, settled=evaluated - failed - unpriced)
        report = BillerReport(
            sessions_evaluated=len(evaluated - failed - unpriced),
            session_revisions=len(rows) + len(plain) - len(unpriced) - len(refused),
            bill_revisions=bills,
            failed_sessions=len(failed),
        )
        return report, touched

    def _read_plain(
        self,
        spans: dict[SessionKey, SessionSpan],
        current: Mapping[SessionKey, CurrentRevision],
        decision: Decision,
        versions: dict[int, TariffVersion],
    ) -> tuple[PlainRows, dict[SessionKey, SessionFacts]]:
        """The revisions of plain charges, and the facts of those that are not plain and were read with them.

        Where these fail, the others are tried: those find the session that makes them fail.
        """
        try:
            return self._plain(spans, current, decision, versions)
        except (DriverError, OSError, EOFError):
            raise
        except Exception:
            logger.exception("%d sessions cannot be decided together; each is decided by itself", len(spans))
            return NO_ROWS, {}

    def _plain(
        self,
        spans: dict[SessionKey, SessionSpan],
        current: Mapping[SessionKey, CurrentRevision],
        decision: Decision,
        versions: dict[int, TariffVersion],
    ) -> tuple[PlainRows, dict[SessionKey, SessionFacts]]:
        facts = self._lane_facts.read(spans) if len(spans) >= FEWEST else None
        if facts is None:
            return NO_ROWS, {}
        lane = PlainLane(self._book, versions)
        plain = lane.rows(facts, current, decision, self._revisions.priced(versions.keys()))
        decided = set(plain.keys)
        known = {}
        for place, key in enumerate(facts.keys):
            one = facts.of_one(place) if key not in decided else None
            if one is not None:
                known[key] = one
        return plain, known

    def _news(
        self, plain: PlainRows, current: Mapping[SessionKey, CurrentRevision], touched: dict[SessionKey, int]
    ) -> PlainRows:
        """Those with other inputs than what stands; the sessions on which that bears are `touched`."""
        for key, recheck_ms, start_ms in zip(
            plain.keys, plain.columns.get("recheck_ms", ()), plain.columns.get("start_ms", ()), strict=True
        ):
            self._remember(key, recheck_ms, start_ms, charging=False)
        digests = plain.columns.get("inputs_digest", [])
        new = [
            place
            for place, key in enumerate(plain.keys)
            if key not in current or current[key].inputs_digest != digests[place]
        ]
        for place in new:
            if plain.keys[place] in current:
                touched |= current[plain.keys[place]].touched
        return plain if len(new) == len(plain) else plain.only(new)

    def _read(
        self,
        spans: dict[SessionKey, SessionSpan],
        undecided: frozenset[SessionKey],
        meters: Mapping[SessionKey, int],
        among: Mapping[SessionKey, SessionSpan],
    ) -> tuple[list[SessionFacts], set[SessionKey]]:
        """The facts of the sessions; where those of one cannot be read, the others are read without it."""
        try:
            return self._facts.read(spans, undecided, meters, among), set()
        except (DriverError, OSError, EOFError):
            raise
        except Exception:
            if len(spans) == 1:
                logger.exception("the facts of session %s cannot be read", next(iter(spans)))
                return [], set(spans)
        parts = [self._read({key: span}, undecided, meters, among) for key, span in spans.items()]
        return [facts for found, _failed in parts for facts in found], {key for _found, bad in parts for key in bad}

    def _put_off(
        self,
        spans: dict[SessionKey, SessionSpan],
        as_of_ms: int,
        failed: set[SessionKey],
        unpriced: set[SessionKey],
        *,
        settled: set[SessionKey],
    ) -> None:
        """See to it that what could not be decided is taken up again.

        What failed would fail again: it waits for new facts or for the next start. The others are tried every minute.
        """
        waiting: dict[SessionKey, tuple[int, Reason]] = {}
        for key in spans.keys() - settled:
            self._charging.discard(key)
            since_ms = spans[key].from_ms
            if key in failed:
                self._due.pop(key, None)
                waiting[key] = (since_ms, "failed")
            else:
                self._due[key] = (as_of_ms + PUT_OFF_RETRY_MS, since_ms)
                waiting[key] = (since_ms, "unknown_tariff" if key in unpriced else "unknown_pile")
        self._waiting.keep(waiting, settled)

    def _remember(self, key: SessionKey, recheck_ms: int, start_ms: int, *, charging: bool) -> None:
        if recheck_ms:
            self._due[key] = (recheck_ms, start_ms)
        else:
            self._due.pop(key, None)
        if charging:
            self._charging.add(key)
        else:
            self._charging.discard(key)

    def _keep_progress(self, reader: ChangeReader, as_of_ms: int, *, worked: bool) -> None:
        if worked or reader.watermark_ms - self._progress_ms >= PROGRESS_EVERY_MS:
            self._client.execute(
                "INSERT INTO biller_progress (watermark_ms, decided_ms) VALUES", [(reader.watermark_ms, as_of_ms)]
            )
            self._progress_ms = reader.watermark_ms


def _earliest(known: dict[SessionKey, int], more: dict[SessionKey, int]) -> dict[SessionKey, int]:
    return {key: min(since, known.get(key, since)) for key, since in more.items()}
