"""Questions that read only what they need answer what the views of the current revisions would."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from clickhouse_driver import Client

from analytics.anomalies import anomaly_table, code_set_text
from analytics.questions import PLATFORM_SCOPE, Scope, ask
from analytics.sql_files import sql_text
from tests.analytics.session_revision_rows import clean_row, insert_rows

pytestmark = pytest.mark.server

DAY_MS = 86_400_000
FIRST_DAY = date(2023, 10, 20)
FIRST_MS = (FIRST_DAY - date(1970, 1, 1)).days * DAY_MS
DAYS = 60
SCOPES = [PLATFORM_SCOPE, Scope(frozenset({2})), Scope(frozenset({3, 5})), Scope(frozenset())]
SPANS = [(0, 60), (5, 6), (20, 45), (59, 80), (-30, -1)]
CODES = [[], [1], [3, 8], [6], [8, 6]]


def revisions(seed: int) -> list[dict[str, Any]]:
    """Chains of revisions whose owner, day, life and decision move from one to the next; some digests compete."""
    rng = random.Random(seed)
    found = []
    for number in range(120):
        day = rng.randrange(DAYS)
        for revision in range(1, rng.randrange(2, 6)):
            for digest in rng.sample(range(1, 2**63), rng.choice([1, 1, 1, 2])):
                at_ms = FIRST_MS + day * DAY_MS + rng.randrange(16 * 3_600_000)
                found.append(
                    {
                        "number": number,
                        "revision": revision,
                        "inputs_digest": digest,
                        "operator_id": rng.choice([2, 2, 3, 5]),
                        "local_day": FIRST_DAY + timedelta(days=day),
                        "at_ms": at_ms,
                        "status": rng.choice(["provisional", "final", "final"]),
                        "life": rng.choice(["open", "ended"]),
                        "recheck_ms": rng.choice([0, at_ms + DAY_MS]),
                        "codes": rng.choice(CODES),
                        "charging": rng.randrange(2),
                    }
                )
            day = min(DAYS - 1, day + rng.choice([0, 0, 0, 1, 35]))
    return found


@pytest.fixture(scope="module")
def stored(module_database: Client) -> Client:
    chains = revisions(1)
    insert_rows(
        module_database,
        [
            clean_row(
                row["number"],
                **{name: row[name] for name in ("revision", "inputs_digest", "operator_id", "local_day", "life")},
                pile_id=4 + row["number"] % 3,
                recheck_ms=row["recheck_ms"],
                start_ms=row["at_ms"] - 1_000,
                end_ms=row["at_ms"],
                charging_readings=row["charging"],
            )
            for row in chains
        ],
    )
    module_database.execute(
        "INSERT INTO bill_revisions (operator_id, pile_id, connector, trade_no, revision, inputs_digest, computed_ms,"
        " status, local_day, codes_raw, codes, causes) VALUES",
        [
            (
                row["operator_id"],
                4 + row["number"] % 3,
                1,
                f"{row['number']:032d}",
                row["revision"],
                row["inputs_digest"],
                row["at_ms"],
                row["status"],
                row["local_day"],
                row["codes"],
                row["codes"][:1],
                ["ZERO_BASELINE"] if row["codes"] == [8, 6] else [],
            )
            for row in chains
        ],
    )
    return module_database


def seen(scope: Scope) -> str:
    if scope.operator_ids is None:
        return "1"
    return f"operator_id IN ({', '.join(map(str, sorted(scope.operator_ids) or [0]))})"


def moment(day: int) -> int:
    return FIRST_MS + day * DAY_MS


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("span", [*SPANS, None])
def test_anomaly_sets(stored: Client, scope: Scope, span: tuple[int, int] | None) -> None:
    days = [FIRST_DAY + timedelta(days=day) for day in span] if span else [None, None]
    within = f"local_day BETWEEN '{days[0]}' AND '{days[1]}'" if span else "1"
    expected = stored.execute(
        f"SELECT codes_raw, count() FROM bills WHERE {seen(scope)} AND status = 'final' AND {within} GROUP BY codes_raw"
    )
    table = anomaly_table(stored, scope, *days)
    assert table.raw == {code_set_text(codes): bills for codes, bills in expected if codes}
    assert table.bills == sum(bills for _codes, bills in expected)
    assert table.causes.get("ZERO_BASELINE", 0) == table.raw.get("8,6", 0)


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("span", SPANS)
def test_period_code_sets(stored: Client, scope: Scope, span: tuple[int, int]) -> None:
    from_ms, to_ms = map(moment, span)
    expected = stored.execute(
        f"""
        SELECT codes_raw, codes, count() FROM bills INNER JOIN (
            SELECT pile_id, connector, trade_no, min(computed_ms) AS decided_ms FROM bill_revisions
            WHERE status = 'final' AND {seen(scope)} GROUP BY pile_id, connector, trade_no
        ) AS first USING (pile_id, connector, trade_no)
        WHERE status = 'final' AND {seen(scope)} AND decided_ms >= {from_ms} AND decided_ms < {to_ms}
        GROUP BY codes_raw, codes ORDER BY codes_raw, codes
        """
    )
    assert ask(stored, "period_code_sets", scope, from_ms=from_ms, to_ms=to_ms).rows == expected


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("since_ms", [0, moment(10), moment(59)])
def test_open_sessions(stored: Client, scope: Scope, since_ms: int) -> None:
    ((expected,),) = stored.execute(
        f"SELECT count() FROM sessions WHERE life = 'open' AND end_ms >= {since_ms} AND {seen(scope)}"
    )
    assert ask(stored, "open_sessions", scope, since_ms=since_ms).rows == [(expected,)]
    assert expected or scope.operator_ids is not None


@pytest.mark.parametrize("from_day", [date(1970, 1, 1), FIRST_DAY + timedelta(days=40)])
def test_pending_sessions(stored: Client, from_day: date) -> None:
    expected = stored.execute(
        f"""
        SELECT pile_id, connector, trade_no, if(charging_readings > 0, start_ms, bill_receive_ms) AS since,
            life = 'open' AND charging_readings > 0, recheck_ms
        FROM sessions WHERE recheck_ms > 0 AND local_day >= '{from_day}'
        """
    )
    assert len(expected) > 10
    pending = stored.execute(sql_text("session_pending"), {"from_day": from_day})
    assert set(expected) <= set(pending)
    assert from_day > FIRST_DAY or set(pending) == set(expected)
