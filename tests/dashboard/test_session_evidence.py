"""Who started a charge, and where it left its protocol, as its page says it."""

import json
from typing import Any

import msgspec
import pytest
from plotly.utils import PlotlyJSONEncoder

from dashboard.catalogue import Catalogue, Language
from dashboard.context import Services
from dashboard.session.evidence import deviations, start_evidence
from dashboard.session.page import session_page
from dashboard.session.record import SessionRecord, session_record
from tests.dashboard.fleet_database import FleetDatabase
from tests.dashboard.synthetic_master import pile_code

pytestmark = pytest.mark.server


def record_of(services: Services, fleet: FleetDatabase, name: str) -> SessionRecord:
    story = fleet.fleet.of(name)
    record = session_record(services, pile_code(story.pile_id), story.connector, story.trade_no)
    assert record is not None
    return record


def shown(piece: Any) -> str:
    return json.dumps(json.loads(PlotlyJSONEncoder().encode(piece)), ensure_ascii=False)


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        (
            "zh",
            (
                "VIN 即插即充 · 据桩的启动申请 · 账号 LSVAU2A37N2183294",
                "协议偏差",
                "11 / 12 步合规",
                "充电结束 · 缺少",
                "桩",
            ),
        ),
        (
            "en",
            (
                "VIN · known by the charger's request · account LSVAU2A37N2183294",
                "Deviations from the protocol",
                "11 of 12 steps kept",
                "end of charge · missing",
                "charger",
            ),
        ),
    ],
)
def test_the_page_tells_who_started_it_and_where_it_left_the_protocol(
    services: Services, fleet: FleetDatabase, language: Language, expected: tuple[str, ...]
) -> None:
    story = fleet.fleet.of("bill_x1000")
    page = session_page(services, Catalogue(language), pile_code(story.pile_id), story.connector, story.trade_no)
    text = shown(page)
    for words in expected:
        assert words in text


def test_the_way_to_start_stands_once_where_the_evidence_agrees(services: Services, fleet: FleetDatabase) -> None:
    record = record_of(services, fleet, "bill_x1000")
    assert [start["source"] for start in record.starts] == ["request", "order", "record"]
    assert "VIN · " not in shown(start_evidence(record, Catalogue("en"), "VIN"))
    refused = {**record.starts[0], "granted": 0, "reason": "balance_too_low"}
    words = shown(start_evidence(msgspec.structs.replace(record, starts=[refused]), Catalogue("zh"), "VIN"))
    assert "未准许：余额不足" in words
    assert start_evidence(msgspec.structs.replace(record, starts=[]), Catalogue("zh"), "VIN") == []


def test_a_charge_that_kept_to_its_protocol_or_was_not_checked_says_so(
    services: Services, fleet: FleetDatabase
) -> None:
    record = record_of(services, fleet, "bill_x1000")
    clean = msgspec.structs.replace(record, deviations=[])
    assert "Every step was as the protocol prescribes" in shown(deviations(clean, Catalogue("en")))
    unchecked = record_of(services, fleet, "lost_bill")
    assert (unchecked.check, unchecked.deviations, unchecked.starts) == (None, [], [])
    assert "充电结束后检查" in shown(deviations(unchecked, Catalogue("zh")))


def test_a_late_answer_tells_how_long_it_took(services: Services, fleet: FleetDatabase) -> None:
    record = record_of(services, fleet, "bill_x1000")
    late = {
        **record.deviations[0],
        "step": "start_reply", "kind": "late", "party": "platform", "times": 3, "observed_ms": 45_000,
        "allowed_ms": 30_000,
    }  # fmt: skip
    text = shown(deviations(msgspec.structs.replace(record, deviations=[late]), Catalogue("en")))
    assert "answer to the start · late" in text
    assert "platform · 3 times · took 45 s, allowed 30 s" in text
