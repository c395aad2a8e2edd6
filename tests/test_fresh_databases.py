"""A database that is given out again is as one that was just made."""

import pytest

from analytics.client import ClickHouseAddress, connect
from tests.fresh_databases import FreshDatabases

pytestmark = pytest.mark.server

ROW = "INSERT INTO biller_progress (watermark_ms, decided_ms) SETTINGS insert_deduplication_token = 'one' VALUES"


def counts(address: ClickHouseAddress) -> tuple[int, int]:
    """Rows before and after the insert of one."""
    client = connect(address)
    ((before,),) = client.execute("SELECT count() FROM biller_progress")
    client.execute(ROW, [(1, 1)])
    ((after,),) = client.execute("SELECT count() FROM biller_progress")
    client.disconnect()
    return before, after


def test_one_that_was_given_back_is_empty_and_remembers_no_insert(clickhouse: ClickHouseAddress) -> None:
    databases = FreshDatabases(clickhouse)
    with databases.lent() as first:
        assert counts(first) == (0, 1)
    with databases.lent() as second, databases.lent() as other:
        assert second == first
        assert other != first
        assert counts(second) == counts(other) == (0, 1)


@pytest.mark.parametrize(
    "change", ["RENAME TABLE biller_progress TO away", "ALTER TABLE biller_progress ADD COLUMN mine UInt8"]
)
def test_one_whose_tables_were_changed_is_given_to_nobody(clickhouse: ClickHouseAddress, change: str) -> None:
    databases = FreshDatabases(clickhouse)
    with databases.lent() as first:
        client = connect(first)
        client.execute(change)
        client.disconnect()
    with databases.lent() as second:
        assert second != first
