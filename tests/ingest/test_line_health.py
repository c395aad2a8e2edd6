"""When a line is given up, and why."""

from types import SimpleNamespace
from typing import Any

import pytest

from ingest.line_health import LineHealth
from ingest.line_limits import LineLimits
from ingest.reactions import Reason

T0 = 1_795_300_000_000
SILENCE_MS = 35_000
LIMITS = LineLimits()


def stream(**counters: Any) -> Any:
    values = {"frames": 0, "garbage_run": 0, "quarantined_bytes": 0, "quarantined": {}, "pending": 0} | counters
    values["splitter"] = SimpleNamespace(pending=values.pop("pending"))
    return SimpleNamespace(**values)


def test_a_healthy_line_has_no_incident_and_no_end() -> None:
    health = LineHealth(LIMITS, T0)
    for n in range(1, 100):
        assert health.after_read(stream(frames=n), T0 + n * 10_000) == {}
        assert health.end_by_time(T0 + n * 10_000 + 9_000, True, SILENCE_MS) == ""
    assert health.end_after_read(stream(frames=99), True) == ""


def test_silence_is_the_absence_of_good_frames_not_of_bytes() -> None:
    health = LineHealth(LIMITS, T0)
    health.after_read(stream(frames=1), T0)
    for n in range(1, 36):
        noise = stream(frames=1, quarantined_bytes=n, quarantined={Reason.GARBAGE: n})
        assert health.after_read(noise, T0 + n * 1_000) == {"garbage": 1}
        assert health.end_by_time(T0 + n * 1_000, True, SILENCE_MS) == ""
    assert health.end_by_time(T0 + SILENCE_MS + 1, True, SILENCE_MS) == "silent"


def test_who_does_not_say_who_it_is_goes() -> None:
    health = LineHealth(LIMITS, T0)
    health.after_read(stream(frames=10), T0)
    assert health.end_after_read(stream(frames=10), False) == ""
    assert health.end_after_read(stream(frames=11), False) == "not_logged_in"
    assert health.end_after_read(stream(frames=11), True) == ""
    assert health.end_by_time(T0 + LIMITS.login_ms, False, SILENCE_MS) == ""
    assert health.end_by_time(T0 + LIMITS.login_ms + 1, False, SILENCE_MS) == "no_login"


def test_half_a_frame_that_stays_half_ends_the_line() -> None:
    health = LineHealth(LIMITS, T0)
    health.after_read(stream(frames=1, pending=20), T0)
    assert health.end_by_time(T0 + 20_000, True, SILENCE_MS) == ""
    assert health.end_by_time(T0 + 20_001, True, SILENCE_MS) == "half_frame"


def test_a_frame_that_comes_byte_by_byte_ends_the_line() -> None:
    health = LineHealth(LIMITS, T0)
    for n in range(1, 21):
        health.after_read(stream(frames=1, pending=n), T0 + n * 1_000)
        assert health.end_by_time(T0 + n * 1_000, True, SILENCE_MS) == ""
    assert health.end_by_time(T0 + 21_001, True, SILENCE_MS) == "slow_sender"


def test_a_new_half_frame_has_its_own_time() -> None:
    health = LineHealth(LIMITS, T0)
    for n in range(1, 60):
        health.after_read(stream(frames=n, pending=5), T0 + n * 1_000)
        assert health.end_by_time(T0 + n * 1_000, True, SILENCE_MS) == ""


def test_encrypted_frames_without_a_good_one_end_the_line() -> None:
    health = LineHealth(LIMITS, T0)
    for n in range(1, 6):
        assert health.end_after_read(stream(), True) == ""
        bad = stream(quarantined_bytes=17 * n, quarantined={Reason.ENCRYPTED: 17 * n})
        assert health.after_read(bad, T0) == {"encrypted": 17}
    assert health.end_after_read(stream(), True) == "encrypted"
    health.after_read(stream(frames=1, quarantined_bytes=85), T0)
    assert health.end_after_read(stream(frames=1), True) == ""


@pytest.mark.parametrize(("run", "end"), [(4_096, ""), (4_097, "garbage")])
def test_garbage_ends_the_line_at_its_limit(run: int, end: str) -> None:
    health = LineHealth(LIMITS, T0)
    assert health.end_after_read(stream(garbage_run=run), True) == end


@pytest.mark.parametrize("logged_in", [True, False])
def test_what_is_not_read_for_a_reason_of_ours_is_no_silence(logged_in: bool) -> None:
    health = LineHealth(LIMITS, T0)
    health.after_read(stream(frames=1, pending=20), T0)
    for n in range(1, 120):
        health.start_anew(T0 + n * 1_000)
        assert health.end_by_time(T0 + n * 1_000, logged_in, SILENCE_MS) == ""
    assert health.end_by_time(T0 + 119_000 + 20_001, logged_in, SILENCE_MS) == "half_frame"
