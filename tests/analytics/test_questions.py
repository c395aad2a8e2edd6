"""The one door for questions: scope everywhere, parameters checked by name."""

import re
from datetime import date

import pytest
from clickhouse_driver import Client

from analytics.questions import (
    PLATFORM_SCOPE,
    SCOPE_FILTER,
    SQL_FOLDER,
    QuestionError,
    Scope,
    ask,
    question_parameters,
    question_text,
)

QUESTIONS = sorted(path.stem.removeprefix("ask_") for path in SQL_FOLDER.glob("ask_*.sql"))
FACT_TABLES = (
    "frames|readings|pile_bill_uploads|pile_bills|connection_events|presence|connector_events|clock_offsets|commands|"
    "tariff_acks|session_starts|charger_identities|alarms|session_deviations|conformance_checks|conformance|"
    "session_revisions|sessions|session_codes|bill_revisions|bills|dim_pile_owners"
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_fact_table_of_a_question_is_filtered_by_the_scope(question: str) -> None:
    text = question_text(question)
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    named = set(re.findall(r"(\w+) AS\s*\n?\s*\(", body))
    read = [table for table in re.findall(rf"(?:FROM|JOIN)\s+({FACT_TABLES})\b", body) if table not in named]
    assert text.startswith("-- ")
    # the current revision is picked first (LIMIT 1 BY) and the scope then looks at it, once for session and bill
    picked = body.count("LIMIT 1 BY")
    assert read
    assert body.count(SCOPE_FILTER) >= max(1, len(read) - picked), f"{question} reads {read}"


def test_unknown_questions_and_parameters_are_named() -> None:
    with pytest.raises(QuestionError, match="no question 'weather'"):
        question_text("weather")
    with pytest.raises(QuestionError, match="no question"):
        question_text("../schema/0001_frames")
    with pytest.raises(QuestionError, match="needs day"):
        ask(None, "latest_bills", PLATFORM_SCOPE, limit=3)
    with pytest.raises(QuestionError, match="has no parameter colour"):
        ask(None, "latest_bills", PLATFORM_SCOPE, limit=3, day="2026-11-22", colour="red")
    assert question_parameters("latest_bills") == {"day", "limit"}


@pytest.mark.server
def test_a_scope_sees_its_own_rows_only(database: Client) -> None:
    database.execute(
        "INSERT INTO bill_revisions "
        "(operator_id, pile_id, connector, trade_no, status, final_rule, local_day, amount_fen) VALUES",
        [
            (operator, operator, 1, f"{operator:032d}", "final", 1, date(2026, 11, 22), operator)
            for operator in (1, 2, 3)
        ],
    )

    def seen(scope: Scope) -> set[int]:
        return set(ask(database, "latest_bills", scope, day="2026-11-22", limit=9).column("amount_fen"))

    assert seen(PLATFORM_SCOPE) == {1, 2, 3}
    assert seen(Scope(frozenset({2}))) == {2}
    assert seen(Scope(frozenset({2, 3}))) == {2, 3}
    assert seen(Scope(frozenset())) == set()


@pytest.mark.server
def test_a_charge_assigned_anew_is_seen_by_its_new_owner_only(database: Client) -> None:
    day = date(2026, 11, 22)
    database.execute(
        "INSERT INTO bill_revisions "
        "(operator_id, pile_id, connector, trade_no, revision, status, final_rule, local_day) VALUES",
        [(2, 7, 1, "0" * 31 + "7", 1, "final", 1, day), (3, 7, 1, "0" * 31 + "7", 2, "final", 1, day)],
    )

    def seen(operator_id: int) -> int:
        return len(ask(database, "latest_bills", Scope(frozenset({operator_id})), day=str(day), limit=9).rows)

    assert (seen(2), seen(3)) == (0, 1)


@pytest.mark.server
def test_values_are_never_taken_for_sql(database: Client) -> None:
    answer = ask(
        database, "session_revisions", PLATFORM_SCOPE, pile="' OR 1 --", connector=1, trade_no="'; DROP TABLE frames"
    )
    assert answer.rows == []
    assert answer.first() is None
    assert database.execute("EXISTS TABLE frames") == [(1,)]
