"""Counters without loss, a log without a flood."""

import logging

import pytest

from ingest.incident_log import LINES_PER_SECOND, MAX_KEYS, IncidentLog

T0 = 1_795_300_000_000


def test_one_line_a_minute_and_the_next_one_says_how_many_went_by(caplog: pytest.LogCaptureFixture) -> None:
    now_ms = T0
    log = IncidentLog(lambda: now_ms)
    for second in range(90):
        now_ms = T0 + second * 1_000
        log.note("garbage", "A", "7 bytes")
    assert [record.getMessage() for record in caplog.records] == [
        "garbage: charger A: 7 bytes",
        "garbage: charger A: 7 bytes (59 more since the last line)",
    ]
    assert log.counts == {"garbage": 90}


def test_a_storm_of_addresses_costs_ten_lines_a_second_and_bounded_memory(caplog: pytest.LogCaptureFixture) -> None:
    now_ms = T0
    log = IncidentLog(lambda: now_ms)
    with caplog.at_level(logging.WARNING):
        for number in range(100):
            log.note("login_refused", f"10.0.0.{number}")
        assert len(caplog.records) == LINES_PER_SECOND
        for number in range(MAX_KEYS + 1_000):
            now_ms += 200
            log.note("login_refused", f"10.1.{number}")
    assert len(log._lines) <= MAX_KEYS
    assert log.counts == {"login_refused": MAX_KEYS + 1_100}


def test_what_comes_from_ourselves_blames_no_charger(caplog: pytest.LogCaptureFixture) -> None:
    IncidentLog(lambda: T0).note("tls_certificate_refused", "", "no\nsuch file", weight=3)
    assert caplog.records[0].getMessage() == "tls_certificate_refused: the gateway: no?such file"
