"""Where revisions stand: the current ones, and the batches in which new ones are stored with their codes and bills."""

import logging
import secrets
from collections.abc import Callable, Mapping, Set
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import TypeMismatchError

from analytics.plain_columns import NO_ROWS, PlainRows
from analytics.session_facts import SessionKey, wanted_table
from analytics.session_revision import CurrentRevision, SessionRow
from analytics.sql_files import sql_text
from analytics.threshold_book import ThresholdSets, limits_table
from analytics.thresholds import Thresholds

logger = logging.getLogger(__name__)

_RECENT_BATCHES = 50
_RANDOM_BITS = 20
_PUBLISHED_VERSIONS = "SELECT tariff_version_id FROM dim_tariff_versions"


class RevisionStore:
    """Reads and appends revisions of sessions; what is stored is never changed. `clock` gives epoch ms."""

    def __init__(self, client: Client, clock: Callable[[], int]) -> None:
        self._client = client
        self._clock = clock
        self._sets = ThresholdSets(client)
        self._published: set[int] = set()
        """Numbers of the tariff versions whose prices ClickHouse has; a version never changes."""

    def finish_cut_off(self, otherwise: Thresholds) -> None:
        """Complete the batches that an earlier process left; `otherwise`: for one whose thresholds it did not note."""
        for (batch_id,) in self._client.execute(sql_text("session_unfinished"), {"batches": _RECENT_BATCHES}):
            logger.warning("a pass of the biller had been cut off; completing its batch %d", batch_id)
            self._finish(batch_id, self._sets.of_batch(batch_id, otherwise=otherwise))

    def priced(self, numbers: Set[int]) -> frozenset[int]:
        """Those of these tariff versions whose prices ClickHouse has."""
        if not numbers <= self._published:
            self._published = {number for (number,) in self._client.execute(_PUBLISHED_VERSIONS)}
        return frozenset(numbers & self._published)

    def unpriced(self, rows: list[SessionRow]) -> set[SessionKey]:
        """The sessions with a tariff version whose prices ClickHouse does not have yet: a bill of theirs would stay."""
        used = {row.key: {version for version in row.columns["slot_tariff_version"] if version} for row in rows}
        priced = self.priced(set().union(*used.values()))
        waiting = {key for key, numbers in used.items() if not numbers <= priced}
        if waiting:
            logger.warning("%d sessions wait for the prices of their tariff in ClickHouse", len(waiting))
        return waiting

    def current(self, keys: list[SessionKey]) -> dict[SessionKey, CurrentRevision]:
        """What stands of these sessions, without those of which nothing does."""
        rows = self._client.execute(sql_text("session_current"), external_tables=wanted_table(keys, [0] * len(keys)))
        return {keys[number]: CurrentRevision(*current) for number, current in rows}

    def store(self, rows: list[SessionRow], plain: PlainRows = NO_ROWS) -> tuple[int, set[SessionKey]]:
        """Store the revisions; gives the number of bills, and the sessions with a number that no column can hold."""
        if not rows and not len(plain):
            return 0, set()
        try:
            return self._append(rows, plain), set()
        except (TypeMismatchError, ValueError, TypeError, ArithmeticError, AttributeError):
            # The driver gives up before the block is whole, so that nothing of it is stored.
            if len(plain):
                return self.store([*rows, *plain.one_by_one()])
            if len(rows) == 1:
                logger.exception("the revision of session %s cannot be stored", rows[0].key)
                return 0, {rows[0].key}
        bills, refused = 0, set[SessionKey]()
        for row in rows:
            more, bad = self.store([row])
            bills, refused = bills + more, refused | bad
        return bills, refused

    def _append(self, rows: list[SessionRow], plain: PlainRows) -> int:
        """Store the revisions, then their codes and bills; gives the number of bills."""
        now_ms = self._clock()
        batch_id = (now_ms << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
        sets = {**{row.columns["thresholds_digest"]: row.thresholds for row in rows}, **plain.thresholds}
        self._sets.note(sets, now_ms)
        names = rows[0].columns if rows else plain.columns
        columns: dict[str, list[Any]] = {
            name: [*plain.columns.get(name, ()), *(row.columns[name] for row in rows)] for name in names
        }
        columns["batch_id"] = [batch_id] * (len(rows) + len(plain))
        columns["revision"] = [*plain.revisions, *(row.revision for row in rows)]
        self._client.execute(
            f"INSERT INTO session_revisions ({', '.join(columns)}) VALUES",
            list(columns.values()),
            columnar=True,
            types_check=False,
        )
        return self._finish(batch_id, sets)

    def _finish(self, batch_id: int, sets: Mapping[int, Thresholds]) -> int:
        """Compute what is missing of a batch's codes and bills; does nothing for a complete one."""
        batch = {"batch_id": batch_id}
        self._client.execute(sql_text("codes"), batch, external_tables=[limits_table(sets)])
        self._client.execute(sql_text("bill"), batch)
        ((bills,),) = self._client.execute("SELECT count() FROM bill_revisions WHERE batch_id = %(batch_id)s", batch)
        return int(bills)
