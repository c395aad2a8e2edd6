"""What a connector showed after a charge: asked of a day of readings at 3 s without collecting them."""

import pytest
from clickhouse_driver import Client

from analytics.session_facts import SessionKey, wanted_table
from analytics.sql_files import sql_text
from tests.analytics.stored_facts import DAY, HOUR, MINUTE, SECOND, T0

pytestmark = pytest.mark.server

SESSIONS, EVERY_MS = 30, 3 * SECOND
PARAMETERS = {"from_ms": T0, "to_ms": T0 + DAY, "balancing_w": 1_000, "longest_charge_ms": 36 * HOUR}
IDLE_DAY = """
INSERT INTO readings
    (operator_id, pile_id, connector, event_ms, receive_ms, state, plugged, voltage_dv, current_da, trade_lo, protocol)
SELECT 1, number %% %(sessions)s + 1, 1, intDiv(number, %(sessions)s) * %(every_ms)s + %(from_ms)s AS at_ms, at_ms, 2,
    at_ms < %(unplugged_ms)s, 4000, if(at_ms < %(balanced_ms)s, 100, 0), number %% %(sessions)s + 1, 'aaf5'
FROM numbers(%(rows)s)
"""


def test_an_idle_day_at_three_seconds_needs_little_memory(empty_database: Client) -> None:
    unplugged_ms, balanced_ms = T0 + 20 * 60 * MINUTE, T0 + 5 * MINUTE
    empty_database.execute(
        IDLE_DAY,
        {
            "sessions": SESSIONS,
            "every_ms": EVERY_MS,
            "from_ms": T0 + EVERY_MS,
            "rows": SESSIONS * DAY // EVERY_MS,
            "unplugged_ms": unplugged_ms,
            "balanced_ms": balanced_ms,
        },
    )
    keys = [SessionKey(number + 1, 1, f"{number + 1:032X}") for number in range(SESSIONS)]
    found = empty_database.execute(
        sql_text("session_after"),
        PARAMETERS,
        external_tables=wanted_table(keys, [T0] * SESSIONS, to_ms=[T0 + DAY] * SESSIONS),
        settings={"max_memory_usage": 60_000_000},
    )
    seen = (T0 + EVERY_MS, 2, 0, unplugged_ms, unplugged_ms - EVERY_MS, balanced_ms - EVERY_MS, 0)
    assert sorted(found) == [(number, *seen) for number in range(SESSIONS)]
