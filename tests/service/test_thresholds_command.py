"""`pilestream thresholds`: what is in force, and what another file would change."""

import json
from pathlib import Path
from typing import Any

import pytest

from analytics.thresholds import Thresholds
from pilestream import main
from service.errors import SettingsError
from service.settings import load_settings
from service.thresholds import read_thresholds

FILE = """
[thresholds]
overlap_ms = 90000
[thresholds.station."north"]
clock_ms = 240000
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_table_of_the_settings_is_in_force_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pilestream.toml").write_text(FILE)
    assert load_settings({}, {}).threshold_book.platform == Thresholds(overlap_ms=90_000)
    assert main(["thresholds"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert "overlap_ms = 90000  # set" in shown and "clock_ms = 180000" in shown
    assert shown[-2:] == ['[thresholds.station."north"]', "clock_ms = 240000"]
    assert main(["thresholds", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["overlap_ms"], told["station"]) == (90_000, {"north": {"clock_ms": 240_000}})


def test_a_wrong_threshold_is_wrong_use_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pilestream.toml").write_text("[thresholds]\noverlapp_ms = 1\n")
    assert main(["thresholds"]) == 2
    assert "did you mean 'overlap_ms'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FILE, {"overlap_ms": 90_000, "station": {"north": {"clock_ms": 240_000}}}),
        ("overlap_ms = 1\n", {"overlap_ms": 1}),
        ('data = "./data"\n', {}),
        ("", {}),
    ],
)
def test_a_file_to_try_may_be_whole_settings_or_thresholds_alone(
    tmp_path: Path, text: str, expected: dict[str, Any]
) -> None:
    file = tmp_path / "other.toml"
    file.write_text(text)
    assert read_thresholds(file) == expected


@pytest.mark.parametrize("text", ["thresholds = 7\n", "[thresholds\n", None])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "other.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SettingsError, match=r"other\.toml"):
        read_thresholds(file)
