"""The page of the case that was once estimated at 128.63 kWh and 244.40 yuan for 34 minutes (C5a, G1), from frames."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from plotly.utils import PlotlyJSONEncoder

from analytics.client import ClickHouseAddress
from analytics.questions import PLATFORM_SCOPE
from analytics.session_curve import session_curve
from dashboard.catalogue import Catalogue, Language
from dashboard.context import Services
from dashboard.session.compared import compared_facts
from dashboard.session.evidence_case import evidence_case
from dashboard.session.evidence_page import evidence_html
from dashboard.session.page import session_page
from dashboard.session.record import SessionRecord, session_record
from dashboard.session.story import session_hypotheses
from dashboard.session.verdict import session_diagnosis
from dashboard.source import Source
from service.errors import ServiceError
from service.evidence_export import export_evidence
from tests.system import incident_frames as incidents
from tests.system.replayed import Replayed, replayed

pytestmark = pytest.mark.server

NUMBER, PILE = incidents.G1_TRADE_NO, incidents.G1_PILE
TAIL_S = 422
HIGH_E4KWH = 363_700 + -(-incidents.PEAK_POWER_KW * 1_100 * TAIL_S // 360)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, clickhouse: ClickHouseAddress) -> Iterator[Replayed]:
    """The case, replayed into an empty folder."""
    lines = incidents.g1_lines()
    with replayed(tmp_path_factory.mktemp("g1"), clickhouse, lines, incidents.master_data()) as found:
        yield found


@pytest.fixture
def services(here: Replayed) -> Services:
    source = Source(lambda: here.client, PLATFORM_SCOPE, lambda: incidents.G1_BACK_MS + 3_600_000)
    return Services(source, "Asia/Shanghai", session_curve, None, lambda _hex: {})


@pytest.fixture
def record(services: Services) -> SessionRecord:
    found = session_record(services, PILE, 1, NUMBER)
    assert found is not None
    return found


def test_the_diagnosis_names_everything_that_went_wrong_and_who_answers_it(record: SessionRecord) -> None:
    """Requirement A07: zero baseline, 422 s gap, status 8, no bill, vendor R, suggested 36.36 kWh."""
    found = session_diagnosis(record)
    assert [(one.key, one.party) for one in found.findings][:4] == [
        ("meter.ZERO_BASELINE", "charger"),
        ("silent_to_the_end", "network"),
        ("fault_state", "charger"),
        ("record_lost", "charger"),
    ]
    assert found.findings[1].values["length"] == ("ms", TAIL_S * 1_000)
    assert found.findings[2].values["state"] == ("count", 8)
    assert found.values == {"energy": ("e4kwh", 363_600), "amount": ("fen", 6_908)}


def test_the_three_hypotheses_stand_with_their_power_and_money(record: SessionRecord) -> None:
    found = {one.name: one for one in session_hypotheses(record)}
    assert {name: (one.energy_e4kwh, one.amount_fen) for name, one in found.items()} == {
        "first_true": (363_600, 6_908),
        "first_delivered": (922_700, 17_531),
        "from_zero": (1_286_300, 24_440),
    }
    assert [name for name, one in found.items() if one.possible] == ["first_true"]


def test_time_is_told_to_the_second_and_growth_is_a_line(record: SessionRecord) -> None:
    assert record.times is not None
    assert (record.times.observed_ms, record.times.unobserved_ms) == (1_617_000, 422_000)
    assert record.curve.silences() == [(incidents.G1_LAST_HEARD_MS, incidents.G1_BACK_MS)]


def test_the_page_measures_what_the_bill_measured(record: SessionRecord) -> None:
    steps = record.curve.intervals
    assert int(steps.accepted_e4kwh.sum() + steps.estimated_e4kwh.sum()) == record.session["best_e4kwh"]
    assert int(steps.to_ms[-1]) == record.session["end_high_ms"] == incidents.G1_BACK_MS
    assert 363_700 + int(steps.high_e4kwh[-1]) == record.session["high_e4kwh"] == HIGH_E4KWH


def test_the_three_facts_say_why_128_kwh_is_not_billed(record: SessionRecord) -> None:
    energy, duration, money = compared_facts(record)
    assert (energy.charger, energy.platform, energy.billed) == (None, 363_600, 363_600)
    naive = next(cause for cause in energy.causes if cause.key == "naive")
    assert naive.values["naive"] == ("e4kwh", 1_286_300)
    assert "end_unseen" in [cause.key for cause in duration.causes]
    assert money.billed == 6_908 * 100


@pytest.mark.parametrize("language", ["zh", "en"])
def test_page_and_file_say_the_same(services: Services, language: Language) -> None:
    words = Catalogue(language)
    page = session_page(services, words, PILE, 1, NUMBER)
    shown = json.dumps(json.loads(PlotlyJSONEncoder().encode(page)), ensure_ascii=False)
    case = evidence_case(services, PILE, 1, NUMBER)
    assert case is not None
    file = evidence_html(case, words)
    for text in ("36.3600", "128.63", "92.27", "69.08", "244.40", "175.31", "286.4", "1,617", "422", "2,039", "R²"):
        assert text in shown and text in file, text
    high = f"{HIGH_E4KWH // 10_000}.{HIGH_E4KWH % 10_000:04d}"
    assert high in shown and high in file
    for key in ("hypothesis.chosen", "hypothesis.impossible", "rule.TAIL_GAP", "rule.ZERO_BASELINE"):
        assert words.text(key) in shown and words.text(key) in file, key
    assert "12345678" not in file, "the account is hidden"


def test_the_command_writes_both_files_and_refuses_others(
    here: Replayed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, pack = tmp_path / "g1.html", tmp_path / "g1.zip"
    assert export_evidence(here.settings, NUMBER, page, language="zh") == 0
    assert "证据" in page.read_text("utf-8")
    assert export_evidence(here.settings, NUMBER, pack, pile=PILE) == 0
    with zipfile.ZipFile(io.BytesIO(pack.read_bytes())) as files:
        assert "evidence.json" in files.namelist()
        frames = files.read("frames.csv").decode("utf-8-sig").splitlines()
    stored = here.client.execute("SELECT count() FROM frames WHERE receive_ms >= %(ms)s", {"ms": 0})[0][0]
    assert 100 < len(frames) - 1 <= stored
    assert "bytes" in capsys.readouterr().err
    assert export_evidence(here.settings, "0" * 20, page) == 1
    assert export_evidence(here.settings, NUMBER, page, pile="nobody") == 1
    assert "no session has the number" in capsys.readouterr().err
    with pytest.raises(ServiceError, match=r"ends with \.html"):
        export_evidence(here.settings, NUMBER, tmp_path / "g1.pdf")
