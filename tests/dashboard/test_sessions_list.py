"""The list against what was written: every filter, every order, every page."""

from collections.abc import Callable
from typing import Any

import pytest

from dashboard.catalogue import Catalogue
from dashboard.context import Services
from dashboard.sessions.filters import SORTS, Filters, order_of
from dashboard.sessions.grid import grid_row
from tests.dashboard.fleet_database import NOW_MS, FleetDatabase
from tests.dashboard.synthetic_fleet import TARGET_VIN, Story
from tests.dashboard.synthetic_master import operator_of, pile_code, station_of

pytestmark = pytest.mark.server

Listing = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def listing(services: Services) -> Listing:
    def ask(filters: Filters, *, sort: str = "start_ms", descending: bool = True, **page: int) -> list[dict[str, Any]]:
        wish = [{"colId": sort, "sort": "desc" if descending else "asc"}]
        return services.source.ask(
            "sessions",
            **filters.parameters(NOW_MS, "Asia/Shanghai"),
            **order_of(wish),
            limit=page.get("limit", 10_000),
            offset=page.get("offset", 0),
        ).records()

    return ask


CASES: list[tuple[Filters, Callable[[Story], bool]]] = [
    (Filters(range="all"), lambda story: True),
    (Filters(stations=("3",)), lambda story: station_of(story.pile_id) == 3),
    (Filters(owners=("2",)), lambda story: operator_of(story.pile_id) == 2),
    (Filters(states=("open",)), lambda story: story.name == "running"),
    (Filters(states=("provisional",)), lambda story: story.name == "lost_bill"),
    (
        Filters(states=("held",)),
        lambda story: story.name in ("rollback", "lost_bill", "bill_x1000", "zero_bill", "clock"),
    ),
    (Filters(states=("explained",)), lambda story: story.name in ("late_start", "rollback")),
    (Filters(codes=("8",)), lambda story: story.name == "bill_x1000"),
    (Filters(codes=("8",), reading="raw"), lambda story: story.name in ("late_start", "rollback", "bill_x1000")),
    (Filters(codes=("1", "11")), lambda story: story.name in ("lost_bill", "zero_bill")),
    (Filters(modes=("2",)), lambda story: story.name == "card"),
    (Filters(pile="0021"), lambda story: "0021" in pile_code(story.pile_id)),
    (
        Filters(vin=TARGET_VIN[-6:].lower()),
        lambda story: story.connector == 1 and story.name not in ("running", "lost_bill"),
    ),
    (
        Filters(stations=("3",), codes=("6",)),
        lambda story: story.name == "occupancy" and station_of(story.pile_id) == 3,
    ),
]


@pytest.mark.parametrize(("filters", "belongs"), CASES, ids=[filters.to_search() for filters, _belongs in CASES])
def test_each_filter_lists_exactly_what_belongs(
    listing: Listing, fleet: FleetDatabase, filters: Filters, belongs: Callable[[Story], bool]
) -> None:
    expected = {story.trade_no for story in fleet.fleet.stories if belongs(story)}
    found = listing(filters)
    assert {row["trade_no"] for row in found} == expected
    assert len(found) == len(expected)
    assert expected, "the fleet holds such a case"
    assert all(row["total"] == len(expected) for row in found)


def test_a_session_is_found_by_the_end_of_its_number(listing: Listing, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("spike")
    assert [row["trade_no"] for row in listing(Filters(trade=story.trade_no[-10:]))] == [story.trade_no]
    assert [row["trade_no"] for row in listing(Filters(trade=f" {story.trade_no} "))] == [story.trade_no]


def test_yesterday_ends_where_today_begins(listing: Listing, fleet: FleetDatabase) -> None:
    today, yesterday = listing(Filters(range="today")), listing(Filters(range="yesterday"))
    assert len(today) + len(yesterday) == len(fleet.fleet.stories)
    assert max(row["start_ms"] for row in yesterday) < 1_795_276_800_000 <= min(row["start_ms"] for row in today)


@pytest.mark.parametrize("sort", [sort for sort in SORTS if sort != "duration_ms"])
@pytest.mark.parametrize("descending", [True, False])
def test_each_column_orders(listing: Listing, sort: str, descending: bool) -> None:
    values = [-1 if row[sort] is None else row[sort] for row in listing(Filters(), sort=sort, descending=descending)]
    assert values == sorted(values, reverse=descending)
    assert len(set(values)) > 50


def test_pages_give_every_session_once(listing: Listing, fleet: FleetDatabase) -> None:
    pages = [listing(Filters(), sort="amount_fen", limit=40, offset=offset) for offset in range(0, 600, 40)]
    numbers = [row["trade_no"] for page in pages for row in page]
    assert len(numbers) == len(set(numbers)) == len(fleet.fleet.stories)


def test_quotes_and_percent_signs_are_only_text(listing: Listing) -> None:
    for text in ("' OR 1=1 --", "%", "\\'", "%(day)s"):
        assert listing(Filters(vin=text[:17])) == []
        assert listing(Filters(trade=text)) == []


def test_a_row_of_the_grid_loses_no_digit(listing: Listing, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("bill_x1000")
    row = grid_row(listing(Filters(trade=story.trade_no))[0], Catalogue("en"), "Asia/Shanghai")
    assert row["trade_no"] == story.trade_no
    assert row["path"] == f"/session/{pile_code(story.pile_id)}/{story.connector}/{story.trade_no}"
    assert row["codes"] == "4,8"
    assert row["state"] == "Held"
    assert "Energy implausible" in row["codes_note"]
    assert all(isinstance(value, str) for value in row.values())
