"""The one door for questions that people ask of ClickHouse: no answer without a scope (DESIGN invariant 9).

A question is a file `analytics/sql/ask_<question>.sql` whose first line is the question in words. Every fact table
it reads is filtered by `SCOPE_FILTER`; parameters are written `%(name)s`, a literal percent sign `%%`.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from clickhouse_driver import Client

from analytics.errors import AnalyticsError

SQL_FOLDER = Path(__file__).parent / "sql"
SCOPE_FILTER = "(%(all_operators)s OR operator_id IN %(operator_ids)s)"
_SCOPE_PARAMETERS = frozenset({"all_operators", "operator_ids"})
_PARAMETER = re.compile(r"%\((\w+)\)s")
_NOBODY = 0


class QuestionError(AnalyticsError):
    """An unknown question, a parameter too few or too many, or a file without the scope filter."""


class Scope(msgspec.Struct, frozen=True):
    """Whose rows may be seen: those of `operator_ids`, or everything when it is None (the platform's own role)."""

    operator_ids: frozenset[int] | None

    def parameters(self) -> dict[str, object]:
        """The two values that `SCOPE_FILTER` needs; an empty scope sees nothing."""
        if self.operator_ids is None:
            return {"all_operators": 1, "operator_ids": (_NOBODY,)}
        return {"all_operators": 0, "operator_ids": tuple(sorted(self.operator_ids)) or (_NOBODY,)}


PLATFORM_SCOPE = Scope(None)


class Answer(msgspec.Struct, frozen=True):
    """The rows of an answer, each with one value per name in `columns`."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]

    def records(self) -> list[dict[str, Any]]:
        """Each row as a dictionary by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def first(self) -> dict[str, Any] | None:
        """The first row as a dictionary, None when there is none."""
        return dict(zip(self.columns, self.rows[0], strict=True)) if self.rows else None

    def column(self, name: str) -> list[Any]:
        """All values of one column, in the order of the rows."""
        position = self.columns.index(name)
        return [row[position] for row in self.rows]


@cache
def question_text(question: str) -> str:
    """The SQL of a question; QuestionError when there is no such file or it lacks the scope filter."""
    path = SQL_FOLDER / f"ask_{question}.sql"
    if not re.fullmatch(r"[a-z0-9_]+", question) or not path.is_file():
        known = ", ".join(sorted(file.stem.removeprefix("ask_") for file in SQL_FOLDER.glob("ask_*.sql")))
        raise QuestionError(f"there is no question {question!r}; known are: {known}")
    text = path.read_text(encoding="utf-8")
    if SCOPE_FILTER not in text:
        raise QuestionError(f"{path.name} reads rows without the scope filter {SCOPE_FILTER}")
    return text


def question_parameters(question: str) -> frozenset[str]:
    """The names that `ask` must be given for this question, without those of the scope."""
    return frozenset(_PARAMETER.findall(question_text(question))) - _SCOPE_PARAMETERS


def ask(client: Client, question: str, scope: Scope, **parameters: object) -> Answer:
    """The answer to `question` as far as `scope` may see it.

    `parameters` must be exactly those of the file: one missing or unknown is a QuestionError that names it. Sets are
    given as tuples for `IN`, as lists for `has`.
    """
    text = question_text(question)
    expected, given = question_parameters(question), frozenset(parameters)
    if missing := expected - given:
        raise QuestionError(f"question {question!r} needs {', '.join(sorted(missing))}")
    if unknown := given - expected:
        raise QuestionError(f"question {question!r} has no parameter {', '.join(sorted(unknown))}")
    rows, columns = client.execute(text, {**parameters, **scope.parameters()}, with_column_types=True)
    return Answer(columns=tuple(name for name, _kind in columns), rows=rows)


Ask = Callable[..., Answer]
