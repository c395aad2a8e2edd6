"""Nobody's scope sees nothing: every question is asked of the filled database with an empty scope."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from analytics.questions import PLATFORM_SCOPE, SQL_FOLDER, Scope, ask, question_parameters
from tests.dashboard.fleet_database import DAY, NOW_MS, FleetDatabase
from tests.dashboard.synthetic_fleet import METER_PROFILE, record_no
from tests.dashboard.synthetic_master import pile_code

pytestmark = pytest.mark.server

QUESTIONS = sorted(path.stem.removeprefix("ask_") for path in SQL_FOLDER.glob("ask_*.sql"))
DAY_MS = 86_400_000
NOW_DAY = date.fromisoformat(DAY)
LISTS = ("station_ids", "owner_ids", "codes_any", "codes_raw_any", "start_modes", "states")


def values(fleet: FleetDatabase, question: str) -> dict[str, Any]:
    """A value for each parameter that the question may have, about one session of the fleet."""
    story = fleet.fleet.of("bill_x1000")
    number = record_no(story)
    upload = fleet.client.execute(
        "SELECT receive_ms, segment_id, segment_offset FROM frames WHERE trade_no = %(trade_no)s",
        {"trade_no": number},
    )[0]
    reading_ms, reading_segment, reading_offset = fleet.client.execute(
        "SELECT event_ms, segment_id, segment_offset FROM readings WHERE trade_no = %(trade_no)s LIMIT 1",
        {"trade_no": story.trade_no},
    )[0]
    if question == "reading_frame":
        place = {"event_ms": reading_ms, "segment_id": reading_segment, "segment_offset": reading_offset}
    else:
        place = {"receive_ms": upload[0], "segment_id": upload[1], "segment_offset": upload[2]}
    return {
        **place,
        "pile": pile_code(story.pile_id),
        "pile_id": story.pile_id,
        "connector": story.connector,
        "trade_no": number,
        "trade_nos": (story.trade_no,),
        "record_no": number,
        "profile_id": METER_PROFILE,
        "pile_ids": (story.pile_id,),
        "end_ms": story.end_ms,
        "statuses": 0,
        "trade_hi": int(story.trade_no[:16], 16),
        "trade_lo": int(story.trade_no[16:], 16),
        "order_ms": 0,
        "now_ms": NOW_MS,
        "since_ms": NOW_MS - DAY_MS,
        "from_ms": NOW_MS - DAY_MS,
        "to_ms": NOW_MS,
        "window_ms": 900_000,
        "quiet_ms": 180_000,
        "bucket_ms": 600_000,
        "day": DAY,
        "every": 1,
        "limit": 50,
        "offset": 0,
        "by": "pile",
        "kinds": ["pile"],
        "codes": [8],
        "sort": "start_ms",
        "descending": 1,
        "vin": "",
        "trade_tail": "",
        "from_day": DAY,
        "to_day": DAY,
        **{name: [] for name in LISTS},
    }


@pytest.fixture
def orphan(fleet: FleetDatabase) -> Iterator[None]:
    """A record that came under a number which nothing else knows, for as long as the question about such is asked."""
    fleet.client.execute(
        "INSERT INTO session_revisions (operator_id, pile_id, connector, trade_no, revision, has_bill, life, local_day)"
        " VALUES",
        [(2, 1, 1, "9" * 32, 1, 1, "ended", NOW_DAY)],
    )
    yield
    fleet.client.execute(
        "ALTER TABLE session_revisions DELETE WHERE trade_no = repeat('9', 32) SETTINGS mutations_sync = 2"
    )


@pytest.fixture
def record_beside(fleet: FleetDatabase) -> Iterator[None]:
    """A record under a number which nothing else knows, in the time of a charge."""
    story = fleet.fleet.of("bill_x1000")
    fleet.client.execute(
        "INSERT INTO session_revisions (operator_id, pile_id, connector, trade_no, revision, has_bill, life, local_day,"
        " bill_start_ms, bill_end_ms)"
        " SELECT operator_id, pile_id, connector, repeat('8', 32), 1, 1, 'ended', local_day,"
        " start_ms, end_ms FROM session_revisions WHERE pile_id = %(pile_id)s AND trade_no = %(trade_no)s LIMIT 1",
        {"pile_id": story.pile_id, "trade_no": story.trade_no},
    )
    yield
    fleet.client.execute(
        "ALTER TABLE session_revisions DELETE WHERE trade_no = repeat('8', 32) SETTINGS mutations_sync = 2"
    )


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_empty_scope_gets_no_row(fleet: FleetDatabase, question: str, request: pytest.FixtureRequest) -> None:
    if question == "orphan_records":
        request.getfixturevalue("orphan")
    if question == "session_other_records":
        request.getfixturevalue("record_beside")
    known = values(fleet, question)
    needed = question_parameters(question)
    if unknown := needed - known.keys():
        pytest.fail(f"no value known here for {', '.join(sorted(unknown))}: give one, so that the scope is tested")
    parameters = {name: known[name] for name in needed}
    if question == "sessions":
        parameters["pile"] = ""
    everybody = ask(fleet.client, question, PLATFORM_SCOPE, **parameters)
    nobody = ask(fleet.client, question, Scope(frozenset()), **parameters)
    assert everybody.rows, "the question has an answer"
    assert not [row for row in nobody.rows if any(value not in (0, None) for value in row)]
