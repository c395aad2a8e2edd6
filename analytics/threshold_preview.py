"""What would other thresholds make of the bills of the last days? Tried on copies; nothing that is stored changes.

The copies are temporary tables that stand in the place of the biller's own for one connection: the very code that bills
decides the sessions anew there, so that a threshold of the measuring or of the waiting for bills counts like one of the
rules. What is compared is what stands with what would stand.
"""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.session_facts import SessionKey
from analytics.sql_files import sql_text
from analytics.threshold_book import ThresholdBook
from core.directory import PileDirectory

DAYS: Final = 30
_COPIED: Final = (
    "session_revisions",
    "session_codes",
    "bill_revisions",
    "biller_waiting",
    "biller_progress",
    "threshold_sets",
)
"""Every table that the biller writes to."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Preview(msgspec.Struct, frozen=True):
    """How many final bills there were, and how many would gain or lose which code, after correction.

    `held` and `freed`: so many more would wait for a person, or no longer. `failed`: those that could not be decided.
    """

    from_day: date
    to_day: date
    bills: int
    changed: int
    gained: dict[str, int]
    lost: dict[str, int]
    held: int
    freed: int
    failed: int


class _Said(NamedTuple):
    codes: tuple[int, ...]
    held: bool


def preview(
    client: Client,
    directory: PileDirectory,
    book: ThresholdBook,
    *,
    now_ms: int,
    days: int = DAYS,
    on_day: Callable[[int], None] = lambda bills: None,
) -> Preview:
    """The bills of the `days` local days up to now by the thresholds of `book`, against those that stand.

    `client` must be a connection of its own: it sees the copies from then on. `on_day` is told how many bills of a day
    were tried.
    """
    ((database,),) = client.execute("SELECT currentDatabase()")
    for table in _COPIED:
        client.execute(f"CREATE TEMPORARY TABLE {table} ENGINE = Memory AS SELECT * FROM {database}.{table} LIMIT 0")
    biller = Biller(client, directory, clock=lambda: now_ms, thresholds=book)
    last_day = (_EPOCH + timedelta(milliseconds=now_ms)).date() + timedelta(days=1)  # somewhere it is tomorrow
    first_day = last_day - timedelta(days=days)
    bills = changed = held = freed = failed = 0
    gained: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for place in range(days + 1):
        before, after, bad = _one_day(client, database, biller, first_day + timedelta(days=place))
        bills, failed = bills + len(before), failed + bad
        for key, said in before.items():
            new = after.get(key, said)
            changed += new != said
            held += new.held and not said.held
            freed += said.held and not new.held
            gained.update(str(code) for code in set(new.codes) - set(said.codes))
            lost.update(str(code) for code in set(said.codes) - set(new.codes))
        on_day(len(before))
    return Preview(
        from_day=first_day,
        to_day=last_day,
        bills=bills,
        changed=changed,
        gained=_in_order(gained),
        lost=_in_order(lost),
        held=held,
        freed=freed,
        failed=failed,
    )


def _one_day(
    client: Client, database: str, biller: Biller, day: date
) -> tuple[dict[SessionKey, _Said], dict[SessionKey, _Said], int]:
    """What stands of the final bills of a day, what would stand of those that differ, and how many failed."""
    for table in _COPIED:
        client.execute(f"TRUNCATE TABLE {table}")
    for table in ("session_revisions", "bill_revisions"):
        client.execute(sql_text("threshold_copy").format(table=table, database=database), {"day": day})
    rows: list[tuple[Any, ...]] = client.execute(
        "SELECT pile_id, connector, trade_no, codes, held, start_ms FROM bill_revisions WHERE status = 'final'"
    )
    before = {SessionKey(*row[:3]): _Said(tuple(row[3]), bool(row[4])) for row in rows}
    client.execute("TRUNCATE TABLE bill_revisions")
    if not before:
        return before, {}, 0
    report = biller.reconsider({SessionKey(*row[:3]): row[5] for row in rows})
    new = client.execute("SELECT pile_id, connector, trade_no, codes, held FROM bill_revisions")
    after = {SessionKey(*key): _Said(tuple(codes), bool(held)) for *key, codes, held in new}
    return before, after, report.failed_sessions


def _in_order(counts: Counter[str]) -> dict[str, int]:
    return {code: counts[code] for code in sorted(counts, key=int)}
