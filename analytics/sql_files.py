"""The SQL files of `analytics/sql`, by name."""

from functools import cache
from pathlib import Path

from analytics.errors import AnalyticsError

SQL_FOLDER = Path(__file__).parent / "sql"


@cache
def sql_text(name: str) -> str:
    """The text of `analytics/sql/<name>.sql`; AnalyticsError when there is no such file."""
    path = SQL_FOLDER / f"{name}.sql"
    if not path.is_file():
        raise AnalyticsError(f"there is no file {path.name} in {SQL_FOLDER}")
    return path.read_text(encoding="utf-8")
