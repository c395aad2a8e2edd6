"""Every page in both languages and themes, as a person meets it."""

import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboard import written
from dashboard.catalogue import Catalogue, all_texts
from tests.browser.conftest import Open
from tests.dashboard.fleet_database import DAY, FleetDatabase
from tests.dashboard.synthetic_fleet import Story
from tests.dashboard.synthetic_master import pile_code

pytestmark = [pytest.mark.browser, pytest.mark.server]

CHINESE = re.compile(r"[\u4e00-\u9fff]")
FROM_DATA = ("公共站分时电价",)  # a tariff has one name only


def path_of(story: Story) -> str:
    return f"/session/{pile_code(story.pile_id)}/{story.connector}/{story.trade_no}"


def paths(fleet: FleetDatabase) -> dict[str, str]:
    return {
        "title.overview": "/",
        "title.sessions": "/sessions",
        "title.session": path_of(fleet.fleet.of("bill_x1000")),
        "title.lost": "/nowhere",
    }


def settled(page: Page, title: str) -> None:
    """Wait until what a page fetches after its first drawing is there."""
    if title == "title.sessions":
        page.wait_for_selector(".ag-center-cols-container .ag-row .badge")
    if title == "title.overview":
        page.wait_for_selector("#overview-curve .js-plotly-plot .scatterlayer path.js-line")
    if title == "title.session":
        page.wait_for_selector("#session-curve .js-plotly-plot .scatterlayer path.js-line")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("title", ["title.overview", "title.sessions", "title.session", "title.lost"])
def test_a_page_speaks_its_language_without_errors(
    open_page: Open, fleet: FleetDatabase, title: str, language: str, theme: str
) -> None:
    page = open_page(paths(fleet)[title], language, theme)
    settled(page, title)
    words = Catalogue("zh" if language == "zh" else "en")
    expect(page.locator("h1")).to_have_text(words.text(title))
    assert page.evaluate("document.documentElement.lang").startswith(language)
    shown = page.inner_text("body").replace(all_texts()["shell.language"][1], "")
    for name in FROM_DATA:
        shown = shown.replace(name, "")
    assert bool(CHINESE.search(shown)) == (language == "zh"), CHINESE.findall(shown)[:20]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    lightness = sum(int(part) for part in re.findall(r"\d+", ground)[:3])
    assert (lightness > 600) == (theme == "light")
    assert not re.search(r"\b(undefined|NaN|None|null)\b|\{\w+\}", shown)


def test_key_figures_are_those_of_the_tables(open_page: Open, fleet: FleetDatabase) -> None:
    page = open_page("/", "en")
    bills, energy, amount, abnormal = fleet.client.execute(
        "SELECT countIf(status = 'final'), sum(final_energy_e4kwh), sum(amount_fen), "
        "countIf(status = 'final' AND notEmpty(codes)) FROM bills WHERE local_day = %(day)s",
        {"day": DAY},
    )[0]
    running = [story for story in fleet.fleet.stories if story.name == "running"]
    live_fen = sum(story.readings[-1]["live_amount_fen"] for story in running)
    live_e4kwh = sum(story.true_e4kwh for story in running)
    figures = page.locator("#overview-figures .figure-value").all_inner_texts()
    assert figures[2:] == [
        written.energy(energy + live_e4kwh, 1),
        written.money(amount + live_fen),
        f"{bills:,}",
        f"{abnormal:,}",
    ]
    expect(page.locator("#state-fault")).to_have_text("1")
    expect(page.locator("#state-offline")).to_have_text("4")
    expect(page.locator("#as-of")).to_contain_text("2026-11-22 16:31:07")
    expect(page.locator("#as-of")).to_contain_text("Asia/Shanghai")


def test_the_overview_follows_new_bills_without_a_reload(open_page: Open, fleet: FleetDatabase) -> None:
    page = open_page("/", "en")
    count = page.locator("#overview-figures .figure-value").nth(4)
    before = int(count.inner_text().replace(",", ""))
    page.evaluate("window.notReloaded = true")
    fleet.client.execute(
        "INSERT INTO bill_revisions (operator_id, station_id, pile_id, pile, connector, trade_no, revision, "
        "status, final_rule, local_day, final_energy_e4kwh, amount_fen, end_ms) SELECT operator_id, "
        "station_id, pile_id, pile, connector, "
        "repeat('9', 32), 1, 'final', 1, local_day, 10000, 100, end_ms FROM bills WHERE local_day = %(day)s LIMIT 1",
        {"day": DAY},
    )
    try:
        expect(count).to_have_text(f"{before + 1:,}", timeout=15_000)
        assert page.evaluate("window.notReloaded")
    finally:
        fleet.client.execute(
            "ALTER TABLE bill_revisions DELETE WHERE trade_no = repeat('9', 32) SETTINGS mutations_sync = 2"
        )


def test_the_day_curve_is_one_click_away(open_page: Open) -> None:
    page = open_page("/", "en")
    settled(page, "title.overview")
    points = "document.querySelector('#overview-curve .js-plotly-plot').data[0].x.length"
    assert page.evaluate(points) == 60
    page.get_by_text("24 hours").click()
    page.wait_for_function(f"{points} === 144")


def test_language_and_theme_switch_and_stay(open_page: Open) -> None:
    page = open_page("/sessions?codes=8", "zh", "light")
    page.click("#switch-language")
    expect(page.locator("h1")).to_have_text("Charging sessions")
    assert page.url.endswith("/sessions?codes=8")
    page.click("#switch-theme")
    page.wait_for_function("document.documentElement.dataset.mantineColorScheme === 'dark'")
    page.reload()
    expect(page.locator("h1")).to_have_text("Charging sessions")
    assert page.evaluate("document.documentElement.dataset.mantineColorScheme") == "dark"


def test_a_filter_goes_to_the_address_and_back(open_page: Open, fleet: FleetDatabase) -> None:
    held = [s for s in fleet.fleet.stories if s.name in ("rollback", "lost_bill", "bill_x1000", "zero_bill", "clock")]
    page = open_page("/sessions", "en")
    settled(page, "title.sessions")
    expect(page.locator("#sessions-count")).to_have_text(f"{len(fleet.fleet.stories)} sessions")
    page.click("#filter-states")
    page.get_by_role("option", name="Held").click()
    expect(page.locator("#sessions-count")).to_have_text(f"{len(held)} sessions")
    page.wait_for_function("location.search === '?states=held'")
    page.keyboard.press("Escape")
    page.fill("#filter-trade", held[0].trade_no[-12:])
    expect(page.locator("#sessions-count")).to_have_text("1 session")
    page.go_back()
    expect(page.locator("#sessions-count")).to_have_text(f"{len(held)} sessions")
    expect(page.locator("#filter-trade")).to_have_value("")
    page.click("#filters-clear")
    expect(page.locator("#sessions-count")).to_have_text(f"{len(fleet.fleet.stories)} sessions")


def test_a_filtered_address_can_be_shared(open_page: Open, fleet: FleetDatabase) -> None:
    expected = sum(story.name == "bill_x1000" for story in fleet.fleet.stories)
    page = open_page("/sessions?codes=8&range=all", "zh")
    expect(page.locator("#sessions-count")).to_have_text(f"{expected} 条")
    settled(page, "title.sessions")
    assert page.locator(".ag-center-cols-container .ag-row").count() == expected


def test_sorting_and_paging_are_the_servers(open_page: Open, fleet: FleetDatabase) -> None:
    page = open_page("/sessions", "en")
    settled(page, "title.sessions")
    page.get_by_text("Yuan", exact=True).click()
    largest = fleet.client.execute("SELECT max(amount_fen) FROM bills")[0][0]
    first = page.locator(".ag-center-cols-container .ag-row[row-index='0'] [col-id='amount_fen']")
    expect(first).to_have_text(written.money(largest))
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".ag-center-cols-container .ag-row[row-index='50']")).to_have_count(1)


def test_a_row_leads_to_the_session_and_its_bytes(open_page: Open, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("bill_x1000")
    page = open_page(f"/sessions?trade={story.trade_no}", "en")
    settled(page, "title.sessions")
    page.click(".cell-link")
    expect(page.locator("#trade-no")).to_have_text(story.trade_no)
    values = page.locator(".three .figure-value").all_inner_texts()
    assert values[:2] == [written.energy(story.true_e4kwh * 1000, 4), written.energy(story.true_e4kwh, 4)]
    page.locator("#frames-list button").first.click()
    expect(page.locator(".hex").first).to_contain_text("68 A2 00 02 00 3B 32 01")
    page.get_by_text("All", exact=True).click()
    expect(page.locator(".pager")).to_contain_text(f"{len(story.readings) + 1} stored")
    page.get_by_text("Later").click()
    expect(page.locator(".pager")).to_contain_text("2 /")
    page.locator("#frames-list .table button").first.click()
    expect(page.locator(".hex").first).to_contain_text("68 40")


def test_a_false_reading_does_not_flatten_the_curve(open_page: Open, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("spike")
    page = open_page(path_of(story), "zh")
    settled(page, "title.session")
    top = page.evaluate("document.querySelector('#session-curve .js-plotly-plot').layout.yaxis.range[1]")
    assert story.true_e4kwh / 1e4 < top < story.true_e4kwh / 1e4 * 1.5


def test_a_flagged_stretch_is_listed_and_the_interval_is_drawn(open_page: Open, fleet: FleetDatabase) -> None:
    page = open_page(path_of(fleet.fleet.of("spike")), "en")
    settled(page, "title.session")
    rules = page.locator("#session-part-rules")
    expect(rules).to_contain_text("one point away from the line that returns: dropped")
    expect(rules).to_contain_text("50,0")
    names = page.evaluate("document.querySelector('#session-curve .js-plotly-plot').data.map(t => t.name)")
    assert "Measured, with its interval" in names
    expect(page.locator("#session-part-facts3")).to_contain_text("Charger less platform")
    expect(page.locator("#session-part-meter")).to_contain_text("Quantum q")
    expect(page.locator("#session-part-story")).to_contain_text("observed")
    expect(page.locator("#session-part-hypotheses")).to_be_hidden()


def test_the_evidence_can_be_taken_along(open_page: Open, fleet: FleetDatabase, tmp_path: Path) -> None:
    """The pack is a download, and its page opens from the disk without any request."""
    story = fleet.fleet.of("bill_x1000")
    page = open_page(path_of(story), "en")
    settled(page, "title.session")
    with page.expect_download() as started:
        page.click("#evidence-pack")
    pack = tmp_path / started.value.suggested_filename
    started.value.save_as(pack)
    assert pack.name == f"evidence-{story.trade_no}.zip"
    with zipfile.ZipFile(pack) as files:
        files.extract("timeline.html", tmp_path)
    document = page.context.new_page()
    asked: list[str] = []
    document.on("request", lambda request: asked.append(request.url))
    document.goto((tmp_path / "timeline.html").as_uri())
    expect(document.locator("h1")).to_have_text("Evidence of a charge")
    expect(document.locator("svg.curve")).to_be_visible()
    assert asked == [(tmp_path / "timeline.html").as_uri()]
    document.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_session_fits_a_narrow_screen(open_page: Open, fleet: FleetDatabase, language: str) -> None:
    page = open_page(path_of(fleet.fleet.of("bill_x1000")), language)
    page.set_viewport_size({"width": 390, "height": 844})
    settled(page, "title.session")
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    finally:
        page.set_viewport_size({"width": 1440, "height": 900})


def test_a_charge_under_way_climbs_without_a_reload(open_page: Open, fleet: FleetDatabase) -> None:
    """The refresh keeps what the reader has opened, the place on the page, and the chart's zoom."""
    story = max((s for s in fleet.fleet.stories if s.name == "running"), key=lambda s: s.true_e4kwh)
    last = story.readings[-1]
    page = open_page(path_of(story), "en")
    settled(page, "title.session")
    measured = page.locator(".three .figure-value").nth(1)
    expect(measured).to_have_text(written.energy(last["live_accepted_e4kwh"], 4))
    page.get_by_text("All", exact=True).click()
    page.locator("#frames-list .table button").first.click()
    expect(page.locator(".hex").first).to_be_visible()
    page.evaluate("window.scrollTo(0, 700)")
    page.evaluate("window.chart = document.querySelector('#session-curve .js-plotly-plot')")
    points = page.evaluate("window.chart.data[0].x.length")
    more_e4kwh = last["live_accepted_e4kwh"] + 12_345
    columns = "* REPLACE (event_ms + 15000 AS event_ms, receive_ms + 15000 AS receive_ms, 99 AS segment_id, "
    columns += "toUInt32(%(more)s) AS energy_e4kwh, toUInt32(%(more)s) AS live_accepted_e4kwh)"
    fleet.client.execute(
        f"INSERT INTO readings SELECT {columns} FROM readings WHERE trade_no = %(trade_no)s AND event_ms = %(ms)s",
        {"more": more_e4kwh, "trade_no": story.trade_no, "ms": last["event_ms"]},
    )
    try:
        expect(measured).to_have_text(written.energy(more_e4kwh, 4), timeout=15_000)
        page.wait_for_function(f"window.chart.data[0].x.length === {points + 1}")
        assert page.evaluate("window.chart === document.querySelector('#session-curve .js-plotly-plot')")
        assert page.evaluate("window.scrollY") == pytest.approx(700, abs=60)
        expect(page.locator(".hex").first).to_be_visible()
    finally:
        fleet.client.execute("ALTER TABLE readings DELETE WHERE segment_id = 99 SETTINGS mutations_sync = 2")


def test_a_charge_that_ended_is_asked_for_no_more(open_page: Open, fleet: FleetDatabase) -> None:
    page = open_page(path_of(fleet.fleet.of("clean")), "en")
    settled(page, "title.session")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or ""))
    page.wait_for_timeout(5_500)
    assert not [body for body in asked if "session-tick" in body]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_nothing_is_cut_at_the_edge(open_page: Open, language: str) -> None:
    """At 1440 px: how a charge was started, the last column but those to scroll to, and what is worth a look."""
    page = open_page("/sessions", language)
    settled(page, "title.sessions")
    edge = page.evaluate(
        "document.querySelector('.sessions-grid .ag-center-cols-viewport').getBoundingClientRect().right"
    )
    for cell in page.locator(".ag-center-cols-container .ag-row [col-id='mode']").all()[:10]:
        assert cell.evaluate("e => e.getBoundingClientRect().right") <= edge
        assert cell.evaluate("e => e.scrollWidth <= e.clientWidth")
    page = open_page("/", language)
    settled(page, "title.overview")
    shown = page.locator("#overview-events .feed-text > *")
    assert shown.count() > 5
    assert all(part.evaluate("e => e.scrollWidth <= e.clientWidth || e.clientWidth === 0") for part in shown.all())
