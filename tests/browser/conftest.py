"""Debian's Chromium on the pages of a filled database; whatever goes wrong in the browser fails the test."""

import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from analytics.client import ClickHouseAddress
from tests.dashboard.fleet_database import FleetDatabase, fleet_database, served_pages

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
INSTALL = "no Chromium here: apt-get install chromium fonts-noto-cjk"

Open = Callable[..., Page]


@pytest.fixture(scope="session")
def fleet(clickhouse: ClickHouseAddress) -> Iterator[FleetDatabase]:
    """A day of the synthetic fleet."""
    with fleet_database(clickhouse) as database:
        yield database


@pytest.fixture(scope="session")
def pages(fleet: FleetDatabase) -> Iterator[str]:
    """The address of the pages."""
    with served_pages(fleet.address) as base:
        yield base


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a file. Playwright's event loop runs as long: no other file could start its own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip(INSTALL)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def context(browser: Browser) -> BrowserContext:
    """One profile for them, far from the chargers' zone and language; its cache keeps the scripts."""
    return browser.new_context(viewport={"width": 1440, "height": 900}, locale="de-DE", timezone_id="America/New_York")


@pytest.fixture
def open_page(context: BrowserContext, pages: str) -> Iterator[Open]:
    """Opens a page with a language and theme in its cookies; errors and foreign requests fail the test at its end."""
    troubles: list[str] = []
    opened: list[Page] = []

    def open_one(path: str, language: str = "zh", theme: str = "light") -> Page:
        context.clear_cookies()
        context.add_cookies(
            [
                {"name": "pilestream_lang", "value": language, "url": pages},
                {"name": "pilestream_theme", "value": theme, "url": pages},
            ]
        )
        page = context.new_page()
        opened.append(page)
        page.set_default_timeout(20_000)
        page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("requestfailed", lambda request: _note_failure(troubles, request.url, request.failure))
        page.on("request", lambda request: _note_foreign(troubles, request.url, pages))
        page.on("response", lambda answer: troubles.append(answer.url) if answer.status >= 400 else None)
        page.goto(pages + path)
        page.wait_for_selector("h1")
        return page

    yield open_one
    for page in opened:
        page.close()
    assert not troubles


def _note_foreign(troubles: list[str], url: str, base: str) -> None:
    if not url.startswith((base, "data:", "blob:")):
        troubles.append(f"foreign request: {url}")


def _note_failure(troubles: list[str], url: str, failure: str | None) -> None:
    if failure != "net::ERR_ABORTED":  # a refresh that a new page overtook
        troubles.append(f"{url}: {failure}")
