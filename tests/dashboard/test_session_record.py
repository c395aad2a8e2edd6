"""One session's page: its facts, its three figures, and every state that a session can be in."""

import json
from typing import Any

import pytest
from msgspec import structs
from plotly.utils import PlotlyJSONEncoder

from analytics.questions import Scope
from core.meter.flags import Flag
from dashboard import written
from dashboard.catalogue import Catalogue, Language
from dashboard.context import Services
from dashboard.overview.snapshot import snapshot
from dashboard.session.compared import witness_table
from dashboard.session.curve_note import curve_note
from dashboard.session.figures import session_facts
from dashboard.session.frames import frames_list
from dashboard.session.others import has_others, others
from dashboard.session.page import session_page
from dashboard.session.reasons import reasons
from dashboard.session.record import session_record
from dashboard.sessions.filters import Filters, order_of
from dashboard.sessions.grid import grid_row
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
    other = structs.replace(services, source=source)
    assert session_record(services, pile_code(story.pile_id), story.connector, story.trade_no) is not None
    assert session_record(other, pile_code(story.pile_id), story.connector, story.trade_no) is None


def running_story(fleet: FleetDatabase) -> Story:
    """A charge under way that has gone on for a while."""
    running = [story for story in fleet.fleet.stories if story.name == "running"]
    return max(running, key=lambda story: story.true_e4kwh)


def test_a_charge_under_way_shows_its_last_reading(services: Services, fleet: FleetDatabase) -> None:
    """Its one revision is that of its first reading; list and page show the same figures all the same."""
    story = running_story(fleet)
    last = story.readings[-1]
    text = page_text(services, story, "en")
    span = written.length(last["event_ms"] - story.start_ms, Catalogue("en"))
    assert f"charging, {span} so far" in text
    assert f"so far, at {written.clock(last['event_ms'], 'Asia/Shanghai')}" in text
    assert written.energy(last["live_accepted_e4kwh"], 4) in text
    assert written.money(last["live_amount_fen"]) in text
    (row,) = services.source.ask(
        "sessions",
        **Filters(range="all", trade=story.trade_no).parameters(NOW_MS, "Asia/Shanghai"),
        **order_of(None),
        limit=2,
        offset=0,
    ).records()
    assert (row["end_ms"], row["energy_e4kwh"]) == (last["event_ms"], last["live_accepted_e4kwh"])
    assert (row["platform_energy_e4kwh"], row["amount_fen"]) == (last["live_accepted_e4kwh"], last["live_amount_fen"])
    cells = grid_row(row, Catalogue("en"), "Asia/Shanghai")
    assert (cells["duration_ms"], cells["state"]) == (span, "Charging")


def test_a_charge_under_way_has_no_interval_no_quality_no_mark(services: Services, fleet: FleetDatabase) -> None:
    shown = page_text(services, running_story(fleet), "en")
    words = Catalogue("en")
    unwanted = [words.word("quality", "ESTIMATED"), words.word("flag", "TAIL_GAP"), words.text("session.billed.held")]
    for text in ("between ", "0.0066", *unwanted):
        assert text not in shown, text


def test_overview_list_and_page_agree_on_what_is_under_way(services: Services, fleet: FleetDatabase) -> None:
    today = snapshot(services).today
    rows = services.source.ask(
        "sessions",
        **Filters(range="all", states=("open",)).parameters(NOW_MS, "Asia/Shanghai"),
        **order_of(None),
        limit=10_000,
        offset=0,
    ).records()
    shown = [session_record(services, row["pile"], row["connector"], row["trade_no"]) for row in rows]
    pages = [record.so_far for record in shown if record is not None and record.so_far is not None]
    assert len(rows) == len(pages) > 5
    assert sum(row["energy_e4kwh"] for row in rows) == sum(page.energy_e4kwh for page in pages) == today.live_e4kwh
    assert sum(row["amount_fen"] for row in rows) == sum(page.amount_fen for page in pages) == today.live_fen


def test_a_charge_under_way_without_a_reading_claims_nothing(services: Services, fleet: FleetDatabase) -> None:
    """Seen long after its last reading, while nobody decided it."""
    story = running_story(fleet)
    later = NOW_MS + 3 * 3_600_000
    (row,) = services.source.ask(
        "sessions",
        **Filters(range="all", trade=story.trade_no).parameters(later, "Asia/Shanghai"),
        **order_of(None),
        limit=2,
        offset=0,
    ).records()
    cells = grid_row(row, Catalogue("en"), "Asia/Shanghai")
    assert {cells[name] for name in ("duration_ms", "energy_e4kwh", "platform_energy_e4kwh", "amount_fen")} == {
        written.NOTHING
    }
    assert cells["state"] == Catalogue("en").text("bill.open")


def test_a_late_record_and_only_this_sessions_readings_are_found(services: Services, fleet: FleetDatabase) -> None:
    """The record of a charge came again nine days later: the bounds of time leave none of its frames out."""
    story = fleet.fleet.of("clean")
    late_ms = story.end_ms + 9 * 86_400_000
    key = {"trade_no": story.trade_no, "ms": late_ms}
    try:
        for table in ("frames", "pile_bill_uploads"):
            fleet.client.execute(
                f"INSERT INTO {table} SELECT * REPLACE (%(ms)s AS receive_ms, 99 AS segment_id) FROM {table} "
                "WHERE trade_no = %(trade_no)s LIMIT 1",
                key,
            )
        record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
        assert record is not None
        assert len(record.curve) == len(story.readings)
        page = frames_list(record.session, services, Catalogue("en"), "all", 0)
        assert f"{len(story.readings) + 2} stored" in PlotlyJSONEncoder().encode(page)
    finally:
        for table in ("frames", "pile_bill_uploads"):
            fleet.client.execute(
                f"ALTER TABLE {table} DELETE WHERE segment_id = 99 AND trade_no = %(trade_no)s "
                "SETTINGS mutations_sync = 2",
                key,
            )


def test_the_counter_is_marked_when_the_measurement_does_not_take_it(services: Services, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("clean")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None
    plain = PlotlyJSONEncoder().encode(witness_table(record, Catalogue("en")))
    record.curve.reported_e4kwh[-1] += 500_000_000
    record.curve.flags[-1] |= Flag.SPIKE
    record.session["counter_energy_e4kwh"] = int(record.curve.reported_e4kwh[-1])
    marked = PlotlyJSONEncoder().encode(witness_table(record, Catalogue("en")))
    spike = Catalogue("en").word("flag", "SPIKE")
    assert spike not in plain
    assert spike in marked


@pytest.mark.parametrize(
    ("language", "code", "reason", "wanted"),
    [
        ("zh", 1, "NO_BILL", "没有收到账单 · 在线等候 30 分 以上"),
        ("en", 1, "NO_BILL", "no record came · waited for 30 min or longer while the charger was online"),
        ("zh", 2, "NO_BILL_OFFLINE", "桩离线，账单未到 · 已离线 30 分 以上"),
        ("en", 2, "NO_BILL_OFFLINE", "did not come · not heard for 30 min or longer"),
    ],
)
def test_of_a_record_that_never_came_no_length_is_told(
    services: Services, fleet: FleetDatabase, language: Language, code: int, reason: str, wanted: str
) -> None:
    story = fleet.fleet.of("lost_bill")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None
    hits = [(code, reading, reason, "", 0, 1_800_000, "ms") for reading in ("raw", "corrected")]
    record.codes = {"codes_raw": [code], "codes": [code], "causes": [], "hits": hits}
    shown = reasons(record, Catalogue(language))
    text = json.dumps(json.loads(PlotlyJSONEncoder().encode(shown)), ensure_ascii=False)
    assert wanted in text
    assert "实际" not in text and "observed" not in text


@pytest.mark.parametrize(
    ("language", "fate", "holder", "wanted"),
    [
        ("en", "waits", "", "taken by no charge, waits for a person"),
        ("zh", "waits", "", "未归入任何充电，待人工确认"),
        ("en", "taken", "4" * 32, "taken by another charge:"),
        ("zh", "taken", "", "即本次充电的账单"),
        ("en", "again", "", "the record of this charge once more"),
        ("zh", "none", "", "没有账单"),
    ],
)
def test_other_records_are_shown_with_their_fate(
    services: Services, fleet: FleetDatabase, language: Language, fate: str, holder: str, wanted: str
) -> None:
    story = fleet.fleet.of("lost_bill")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None and not has_others(record)
    other = {
        **{"pile": pile_code(story.pile_id), "connector": 1, "trade_no": "5" * 32, "fate": fate, "is_record": 1},
        **{"start_ms": story.start_ms, "end_ms": story.end_ms, "energy_e4kwh": 123_400, "zone": "Asia/Shanghai"},
        **{"start_apart_ms": 5_000, "end_apart_ms": -61_000, "holder": holder},
    }
    if fate in ("taken", "again") and not holder:
        other["holder"] = story.trade_no
    record.other_records = [other]
    assert has_others(record)
    shown = others(record, Catalogue(language))
    text = json.dumps(json.loads(PlotlyJSONEncoder().encode(shown)), ensure_ascii=False)
    assert wanted in text and "12.34" in text and "5" * 32 in text
    assert (holder in text) if holder else story.trade_no not in text
    assert ("begin 5 s later, end 1 min 1 s earlier" if language == "en" else "开始晚 5 秒，结束早 1 分 1 秒") in text


@pytest.mark.parametrize(
    ("language", "wanted"), [("zh", "代码 251（协议表中没有）"), ("en", "code 251 (not in the protocol's")]
)
def test_a_stop_reason_without_a_meaning_says_so(
    services: Services, fleet: FleetDatabase, language: Language, wanted: str
) -> None:
    story = fleet.fleet.of("bill_x1000")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None and record.upload is not None
    record.uploads = [{**record.upload, "bill_stop_reason": 251}]
    shown = session_facts(record, Catalogue(language))
    assert wanted in json.dumps(json.loads(PlotlyJSONEncoder().encode(shown)), ensure_ascii=False)


def test_a_bound_beyond_the_drawing_is_told_below_it(services: Services, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("bill_x1000")
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None
    record.session["high_e4kwh"] = story.true_e4kwh
    assert "beyond the top" not in str(curve_note(record, Catalogue("en")))
    record.session["high_e4kwh"] = story.true_e4kwh * 10
    assert f"reaches up to {written.energy(story.true_e4kwh * 10, 4)} kWh" in str(curve_note(record, Catalogue("en")))
