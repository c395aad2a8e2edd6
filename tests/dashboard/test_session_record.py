"""One session's page: its facts, its three figures, and every state that a session can be in."""

import json
from typing import Any

import pytest
from plotly.utils import PlotlyJSONEncoder

from analytics.questions import Scope
from dashboard import written
from dashboard.catalogue import Catalogue
from dashboard.context import Services
from dashboard.session.page import session_page
from dashboard.session.record import session_record
from dashboard.source import Source
from tests.dashboard.fleet_database import NOW_MS, FleetDatabase
from tests.dashboard.synthetic_fleet import STORIES, Story
from tests.dashboard.synthetic_master import pile_code

pytestmark = pytest.mark.server


def page_text(services: Services, story: Story, language: Any) -> str:
    """All that the page of a session holds, as one text."""
    page = session_page(services, Catalogue(language), pile_code(story.pile_id), story.connector, story.trade_no)
    return json.dumps(json.loads(PlotlyJSONEncoder().encode(page)), ensure_ascii=False)


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("name", [*sorted(set(STORIES)), "running"])
def test_each_kind_of_session_has_a_page(services: Services, fleet: FleetDatabase, name: str, language: str) -> None:
    story = fleet.fleet.of(name)
    text = page_text(services, story, language)
    assert story.trade_no in text
    assert written.energy(story.true_e4kwh, 4) in text


def test_the_three_figures_stand_side_by_side(services: Services, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("bill_x1000")
    text = page_text(services, story, "en")
    for figure in (story.true_e4kwh * 1000, story.true_e4kwh, story.true_e4kwh - 2, story.true_e4kwh + 2):
        assert written.energy(figure, 4) in text
    assert "Held for a person" in text
    assert "more than power and time allow" in text
    assert "Energy differs from the platform" in text


def test_a_lost_bill_says_so_and_keeps_its_interval(services: Services, fleet: FleetDatabase) -> None:
    text = page_text(services, fleet.fleet.of("lost_bill"), "zh")
    for words in ("没有收到账单", "丢失", "估计", "待人工确认"):
        assert words in text


def test_explained_codes_are_told_apart_from_those_that_stay(services: Services, fleet: FleetDatabase) -> None:
    text = page_text(services, fleet.fleet.of("late_start"), "en")
    assert "Explained" in text
    assert "The first reading came late" in text
    assert "Remains" not in text


def test_the_accepted_curve_ends_at_the_true_energy_in_spite_of_a_spike(
    services: Services, fleet: FleetDatabase
) -> None:
    story = fleet.fleet.of("spike")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None
    assert int(record.curve.reported_e4kwh.max()) > 500_000_000
    assert int(record.curve.accepted_e4kwh[-1]) == story.true_e4kwh


def test_slots_of_the_page_sum_to_the_bill(services: Services, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("clean")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None
    assert record.bill is not None
    assert sum(record.bill["slot_energy_e4kwh"]) == record.bill["final_energy_e4kwh"] == story.true_e4kwh


def test_the_newest_revision_counts_and_all_are_kept(services: Services, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("zero_bill")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None
    assert [bill["revision"] for bill in record.bills] == [2, 1]
    assert [bill["status"] for bill in record.bills] == ["final", "provisional"]


@pytest.mark.parametrize("trade_no", ["0" * 32, "nonsense", "Z" * 32])
def test_an_unknown_session_is_a_plain_word(services: Services, trade_no: str) -> None:
    page = session_page(services, Catalogue("en"), pile_code(1), 1, trade_no)
    assert "There is no such session" in PlotlyJSONEncoder().encode(page)


def test_another_operators_session_is_unknown(services: Services, fleet: FleetDatabase) -> None:
    story = next(story for story in fleet.fleet.stories if story.pile_id > 20)
    source = Source(services.source._connect, Scope(frozenset({2})), lambda: NOW_MS)
    other = Services(source, services.zone, services.curve_of, services.frame_hex, services.frame_fields)
    assert session_record(services, pile_code(story.pile_id), story.connector, story.trade_no) is not None
    assert session_record(other, pile_code(story.pile_id), story.connector, story.trade_no) is None
