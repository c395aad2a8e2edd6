"""The benchmark of bytes per reading: every table holds every reading, and the report says what each column takes."""

import pytest

from benchmarks.storage.contest import EARLIER, PILESTREAM, PLAIN, TABLES, contest

pytestmark = [pytest.mark.server, pytest.mark.long]


def test_all_tables_hold_the_same_readings() -> None:
    report = contest(120_000, 120, [5])
    found = report["contestants"]
    assert set(found) == set(TABLES)
    assert report["measures"]["bytes_per_reading"]["values"] == found[PILESTREAM]["values"]
    assert found[PILESTREAM]["median"] < found[EARLIER]["median"] < found[PLAIN]["median"]
    assert sum(found[PILESTREAM]["columns"].values()) == pytest.approx(found[PILESTREAM]["median"], rel=0.2)


def test_a_reading_that_is_missing_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.storage.contest.pilestream_loader", lambda *_: None)
    with pytest.raises(RuntimeError, match=r"readings: 0 rows in 0 parts, 100 in one were expected"):
        contest(100, 1, [5])
