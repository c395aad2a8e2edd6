"""The demo's closing question: is every bill that a charger saw acknowledged in the database?"""

import pytest
from clickhouse_driver import Client

from service.demo_counts import acked_bills_missing, count_period

pytestmark = pytest.mark.server

STORED, LOST = "1" * 32, "2" * 32


def store_bill(database: Client, trade_no: str, receive_ms: int) -> None:
    database.execute(
        "INSERT INTO pile_bill_uploads (operator_id, pile_id, connector, trade_no, receive_ms) VALUES",
        [(1, 7, 1, trade_no, receive_ms)],
    )


def test_a_bill_that_is_not_stored_is_named(database: Client) -> None:
    store_bill(database, STORED, 1_000)
    assert acked_bills_missing(database, [STORED, LOST]) == [LOST]
    assert acked_bills_missing(database, [STORED]) == []
    assert acked_bills_missing(database, []) == []


def test_counts_are_those_of_the_period(database: Client) -> None:
    store_bill(database, STORED, 1_000)
    store_bill(database, STORED, 1_500)
    store_bill(database, LOST, 2_000)
    assert count_period(database, 0, 2_000)["bills"] == 1
    assert count_period(database, 0, 2_001)["bills"] == 2
    assert count_period(database, 2_001, 3_000) == {
        "frames": 0,
        "readings": 0,
        "sessions": 0,
        "bills": 0,
        "abnormal": {},
        "abnormal_corrected": {},
    }
