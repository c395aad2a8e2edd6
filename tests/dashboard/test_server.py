"""How the pages are served: the loopback only, ready from the first request, calm when the database is away."""

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn
from urllib.request import urlopen

import pytest
from clickhouse_driver import Client

from analytics.client import DatabaseUnreachable
from analytics.questions import PLATFORM_SCOPE
from dashboard.app import create_app
from dashboard.loopback import BindRefusedError
from dashboard.server import checked_bind
from dashboard.source import Source, SourceAwayError
from tests.dashboard.fleet_database import FleetDatabase, served_pages


def away() -> NoReturn:
    raise DatabaseUnreachable("nobody answers on that port")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "pages.example.org", ""])
def test_every_other_address_is_refused_in_one_sentence(host: str) -> None:
    with pytest.raises(BindRefusedError, match=r"no sign-in yet and answers on 127\.0\.0\.1 only") as refused:
        checked_bind(host, 8050)
    assert "\n" not in str(refused.value)


def test_the_loopback_is_taken() -> None:
    assert checked_bind("127.0.0.1", 8050) == "127.0.0.1:8050"
    assert checked_bind("localhost", 8050) == "127.0.0.1:8050"
    assert checked_bind("::1", 8050) == "[::1]:8050"
    with pytest.raises(BindRefusedError, match="port between 1 and 65535"):
        checked_bind("127.0.0.1", 0)


@pytest.mark.server
def test_the_very_first_requests_may_come_all_at_once(fleet: FleetDatabase) -> None:
    """plotly/dash #3971: without a warm-up the first parallel requests for component files fail with 500."""
    document = create_app(away, PLATFORM_SCOPE, clock=lambda: 0).server.test_client().get("/").get_data(as_text=True)
    files = re.findall(r'src="(/_dash-component-suites/[^"]+)"', document)
    assert len(files) > 8
    with served_pages(fleet.address) as base:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda path: urlopen(base + path, timeout=20).status, files * 3))
        assert set(answers) == {200}
        layout = json.loads(urlopen(base + "/_dash-layout", timeout=20).read())
        assert layout["type"] == "MantineProvider"


def test_a_database_that_is_away_is_said_and_nothing_breaks() -> None:
    app = create_app(away, PLATFORM_SCOPE, clock=lambda: 1_795_336_267_000)
    browser = app.server.test_client()
    browser.set_cookie("pilestream_lang", "en")
    for path, key in (("/", "no page"), ("/sessions", "no list"), (f"/session/1/1/{'0' * 32}", "no session")):
        body = {
            "output": "..page.children...as-of.children..",
            "outputs": [{"id": "page", "property": "children"}, {"id": "as-of", "property": "children"}],
            "inputs": [{"id": "address", "property": "pathname", "value": path}],
            "state": [{"id": "address", "property": "search", "value": ""}],
            "changedPropIds": ["address.pathname"],
        }
        answer = browser.post("/_dash-update-component", json=body)
        assert answer.status_code == http.client.OK, key
        assert "The database cannot be reached right now" in answer.get_data(as_text=True), key


def test_language_and_theme_are_known_from_the_first_byte() -> None:
    app = create_app(away, PLATFORM_SCOPE, clock=lambda: 0)
    chinese = app.server.test_client().get("/")
    browser = app.server.test_client()
    browser.set_cookie("pilestream_theme", "dark")
    english = browser.get("/?lang=en")
    assert '<html lang="zh-CN" data-mantine-color-scheme="light">' in chinese.get_data(as_text=True)
    assert '<html lang="en" data-mantine-color-scheme="dark">' in english.get_data(as_text=True)
    assert "pilestream_lang=en" in english.headers["Set-Cookie"]
    hostile = app.server.test_client().get('/?lang="><script>')
    assert '<script>"' not in hostile.get_data(as_text=True)
    assert "Set-Cookie" not in hostile.headers


@pytest.mark.server
def test_a_broken_connection_is_replaced_unseen(fleet: FleetDatabase) -> None:
    made: list[Client] = []

    def connect() -> Client:
        from analytics.client import connect as connect_to

        made.append(connect_to(fleet.address))
        return made[-1]

    source = Source(connect, PLATFORM_SCOPE, lambda: 0)
    assert len(source.ask("stations").rows) == 5
    made[0].connection.socket.close()
    assert len(source.ask("stations").rows) == 5
    assert len(made) == 2


def test_a_database_that_stays_away_is_one_clear_error() -> None:
    with pytest.raises(SourceAwayError, match="the database does not answer: nobody answers"):
        Source(away, PLATFORM_SCOPE, lambda: 0).ask("stations")


def test_answers_are_shared_for_a_moment() -> None:
    calls: list[int] = []
    source = Source(away, PLATFORM_SCOPE, lambda: 0)

    def make() -> int:
        calls.append(1)
        return 7

    for _ in range(5):
        assert source.shared("key", 60.0, make) == 7
    assert len(calls) == 1
