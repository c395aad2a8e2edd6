"""The files of a session's evidence: complete, self-contained, checkable, and without what names a person."""

import csv
import hashlib
import io
import json
import re
import zipfile
from html.parser import HTMLParser
from typing import Any

import pytest
from flask.testing import FlaskClient

from analytics.client import connect
from analytics.questions import Scope
from core.ykc.realtime import encode_realtime
from dashboard.app import create_app
from dashboard.catalogue import Catalogue
from dashboard.context import Services
from dashboard.session.curve_svg import curve_svg
from dashboard.session.evidence_case import EvidenceCase, evidence_case
from dashboard.session.evidence_pack import evidence_zip
from dashboard.session.evidence_page import evidence_html
from tests.dashboard.fleet_database import NOW_MS, FleetDatabase
from tests.dashboard.synthetic_fleet import TARGET_VIN, Story
from tests.dashboard.synthetic_master import pile_code

pytestmark = pytest.mark.server

CHINESE = re.compile(r"[\u4e00-\u9fff]")
STORIES = ("bill_x1000", "spike", "gap", "lost_bill", "failed", "card", "running")
NAMES = ["timeline.html", "frames.csv", "readings.csv", "evidence.json", "SHA256SUMS"]


def case_of(services: Services, story: Story) -> EvidenceCase:
    case = evidence_case(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert case is not None
    return case


def pack_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as pack:
        assert pack.testzip() is None
        assert pack.namelist() == NAMES
        assert {info.external_attr >> 16 & 0o777 for info in pack.infolist()} == {0o644}
        return {name: pack.read(name) for name in NAMES}


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


class Tags(HTMLParser):
    """Every tag with its attributes, and whether each is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "line", "circle", "rect", "polyline", "polygon", "path"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("name", STORIES)
def test_the_page_of_any_session_is_whole_and_needs_nothing_else(
    services: Services, fleet: FleetDatabase, name: str
) -> None:
    story = fleet.fleet.of(name)
    page = evidence_html(case_of(services, story), Catalogue("en"))
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    kinds = {tag for tag, _attributes in tags.found}
    assert not kinds & {"script", "link", "img", "iframe", "button", "a"}
    assert not [found for _tag, found in tags.found if {"src", "href", "onclick"} & found.keys()]
    assert ("svg" in kinds) == bool(story.readings)
    assert story.trade_no in page
    assert "url(" not in page and "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_a_word_far_beyond_the_axis_leaves_the_drawing(services: Services, fleet: FleetDatabase) -> None:
    record = case_of(services, fleet.fleet.of("spike")).record
    _axes, energies = str(curve_svg(record, Catalogue("en"))).split('<svg x="60" y="42" width="928" height="242"')
    lines = re.findall(r'<polyline points="([^"]+)"', energies.split("</svg>")[0])
    heights = sorted(float(point.split(",")[1]) for line in lines for point in line.split())
    assert heights[0] < -100_000 and 46 <= heights[1] <= 280, "50,000 kWh do not rest at the top of the axis"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_speaks_one_language(services: Services, fleet: FleetDatabase, language: str) -> None:
    words = Catalogue("zh" if language == "zh" else "en")
    page = evidence_html(case_of(services, fleet.fleet.of("bill_x1000")), words)
    for key in ("verdict", "session.facts3", "session.rules", "session.meter", "session.revisions", "session.frames"):
        assert words.text(key) in page
    shown = page.replace("公共站分时电价", "")
    assert bool(CHINESE.search(shown)) == (language == "zh")
    assert f'<html lang="{"zh-CN" if language == "zh" else "en"}">' in page


def test_the_sums_of_the_pack_are_those_of_its_files_and_equal_cases_give_equal_packs(
    services: Services, fleet: FleetDatabase
) -> None:
    case = case_of(services, fleet.fleet.of("spike"))
    content = evidence_zip(case, Catalogue("en"))
    files = pack_of(content)
    sums = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}" for name in NAMES[:-1]]
    assert files["SHA256SUMS"].decode().splitlines() == sums
    assert evidence_zip(case_of(services, fleet.fleet.of("spike")), Catalogue("en")) == content


def test_every_stored_frame_is_in_the_table_of_frames_with_its_bytes(services: Services, fleet: FleetDatabase) -> None:
    """Requirement B21: 100 % of the stored frames; realtime frames are made again from their columns."""
    story = fleet.fleet.of("bill_x1000")
    frames = rows(pack_of(evidence_zip(case_of(services, story), Catalogue("en")))["frames.csv"])
    readings = [frame for frame in frames if frame["type"] == "0x13"]
    assert len(readings) == len(story.readings)
    assert len(frames) == len(story.readings) + 1
    encoded = encode_realtime(_columns(fleet, story, 0)).hex().upper()
    assert readings[0]["bytes"] == encoded
    assert all(frame["bytes"].startswith("68") for frame in frames)
    assert "accepted" in readings[-1]["meaning"]


def _columns(fleet: FleetDatabase, story: Story, place: int) -> dict[str, int]:
    answer = fleet.client.execute(
        "SELECT toUInt64(trade_hi) AS trade_hi, toUInt64(trade_lo) AS trade_lo, toUInt64(frame_pile) AS frame_pile,"
        " toUInt64(gun_bcd) AS gun_bcd, toUInt64(seq) AS seq, toUInt64(checksum_order) AS checksum_order,"
        " toUInt64(state) AS state, toUInt64(gun_home) AS gun_home, toUInt64(plugged) AS plugged,"
        " toUInt64(voltage_dv) AS voltage_dv, toUInt64(current_da) AS current_da,"
        " toUInt64(cable_temp_raw) AS cable_temp_raw, toUInt64(cable_id) AS cable_id, toUInt64(soc) AS soc,"
        " toUInt64(battery_temp_raw) AS battery_temp_raw, toUInt64(charge_minutes) AS charge_minutes,"
        " toUInt64(remain_minutes) AS remain_minutes, toUInt64(energy_e4kwh) AS energy_e4kwh,"
        " toUInt64(loss_energy_e4kwh) AS loss_energy_e4kwh, toUInt64(amount_e4yuan) AS amount_e4yuan,"
        " toUInt64(fault_bits) AS fault_bits FROM readings WHERE trade_no = %(trade_no)s ORDER BY readings.event_ms",
        {"trade_no": story.trade_no},
        with_column_types=True,
    )
    return dict(zip([name for name, _kind in answer[1]], answer[0][place], strict=True))


def test_readings_stand_with_what_was_accepted_and_why(services: Services, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("spike")
    readings = rows(pack_of(evidence_zip(case_of(services, story), Catalogue("en")))["readings.csv"])
    assert len(readings) == len(story.readings)
    (spike,) = [reading for reading in readings if reading["rules"] == "SPIKE"]
    assert float(spike["reported_kwh"]) > 50_000
    assert spike["step_accepted_kwh"] == "", "no step ends at a reading that was passed over"
    assert float(readings[-1]["accepted_total_kwh"]) == story.true_e4kwh / 1e4
    steps = [reading for reading in readings if reading["step_low_kwh"]]
    assert all(
        float(one["step_low_kwh"]) <= float(one["step_accepted_kwh"]) <= float(one["step_high_kwh"]) for one in steps
    )
    assert any("SPIKE" in reading["step_rules"] for reading in steps)


def test_the_record_of_everything_says_what_the_page_says(services: Services, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("lost_bill")
    told = json.loads(pack_of(evidence_zip(case_of(services, story), Catalogue("zh")))["evidence.json"])
    assert (told["trade_no"], told["record"], told["held"]) == (story.trade_no, "lost", True)
    assert told["meter"]["pmax_source"] == "configured"
    assert told["times"]["total_s"] > 0
    assert {entry["kind"] for entry in told["entries"]} >= {"reading", "order", "connector", "bill"}


def test_nothing_in_the_files_names_a_person(services: Services, fleet: FleetDatabase) -> None:
    for name in ("card", "bill_x1000", "clean"):
        story = fleet.fleet.of(name)
        content = evidence_zip(case_of(services, story), Catalogue("en"))
        everything = b"".join(pack_of(content).values()).decode()
        for secret in ("D14B0A54", TARGET_VIN, TARGET_VIN[11:], "LSVAU2A37N2183294"):
            assert secret not in everything, (name, secret)
            assert secret.encode().hex().upper() not in everything


@pytest.fixture(scope="module")
def browser(fleet: FleetDatabase) -> FlaskClient:
    app = create_app(lambda: connect(fleet.address), clock=lambda: NOW_MS)
    client: FlaskClient = app.server.test_client()
    return client


def test_both_files_are_answered_at_the_page_s_links(browser: FlaskClient, fleet: FleetDatabase) -> None:
    story = fleet.fleet.of("spike")
    key = {"pile": pile_code(story.pile_id), "connector": story.connector, "trade_no": story.trade_no}
    page = browser.get("/evidence.html", query_string={**key, "lang": "en"})
    assert page.status_code == 200
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "Evidence of a charge" in page.get_data(as_text=True)
    pack = browser.get("/evidence.zip", query_string={**key, "lang": "zh"})
    assert pack.headers["Content-Disposition"] == f'attachment; filename="evidence-{story.trade_no}.zip"'
    assert "诊断" in pack_of(pack.get_data())["timeline.html"].decode()


@pytest.mark.parametrize(
    "changed", [{"trade_no": "0" * 32}, {"connector": "x"}, {"connector": "99999"}, {"pile": "' OR 1"}]
)
def test_an_unknown_session_has_no_files(browser: FlaskClient, fleet: FleetDatabase, changed: dict[str, str]) -> None:
    story = fleet.fleet.of("spike")
    key = {"pile": pile_code(story.pile_id), "connector": str(story.connector), "trade_no": story.trade_no}
    assert browser.get("/evidence.zip", query_string=key | changed).status_code == 404
    assert browser.get("/evidence.html").status_code == 404


def test_another_operator_s_session_has_no_files(fleet: FleetDatabase) -> None:
    story = next(story for story in fleet.fleet.stories if story.pile_id > 20)
    key = {"pile": pile_code(story.pile_id), "connector": story.connector, "trade_no": story.trade_no}
    for scope, status in ((Scope(frozenset({2})), 404), (Scope(frozenset({3})), 200)):
        app = create_app(lambda: connect(fleet.address), scope, clock=lambda: NOW_MS)
        assert app.server.test_client().get("/evidence.html", query_string=key).status_code == status


def test_frames_are_said_in_the_language_of_the_pack(services: Services, fleet: FleetDatabase) -> None:
    case = case_of(services, fleet.fleet.of("bill_x1000"))
    for language, found in (("zh", True), ("en", False)):
        words = Catalogue("zh" if language == "zh" else "en")
        frames = rows(pack_of(evidence_zip(case, words))["frames.csv"])
        assert all(bool(CHINESE.search(frame["meaning"])) == found for frame in frames), language
        assert all(frame["meaning"] in evidence_html(case, words) for frame in frames[:5])
