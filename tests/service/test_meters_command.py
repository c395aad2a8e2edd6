"""`pilestream replay` learns of the chargers that nobody planned, and `pilestream meters` shows what and from what."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

import pilestream
from analytics.client import ClickHouseAddress, connect
from tests.ingest.charger_frames import CODE, OTHER_CODE, charging, realtime

pytestmark = pytest.mark.server
MIDNIGHT_MS = 1_795_104_000_000  # 2026-11-20 00:00:00 in Shanghai
HOUR, MINUTE = 3_600_000, 60_000
DAY = 24 * HOUR
KWH = 10_000
Line = tuple[int, str, bytes]


def number_of(code: str, place: int) -> str:
    return f"{code}01{place:016d}"


def day_of(code: str, day: int, quantum: int) -> list[Line]:
    """Twelve charges of half an hour of a counter that shows whole quanta."""
    lines: list[Line] = []
    noise = random.Random(day)
    for place in range(12 * day, 12 * day + 12):
        start_ms = MIDNIGHT_MS + day * DAY + (6 + place % 12) * HOUR
        energy = 0
        for n in range(31):
            frame = charging(
                number_of(code, place), energy // quantum * quantum, n, code, current=1_500,
                seq=n.to_bytes(2, "little"),
            )  # fmt: skip
            lines.append((start_ms + n * MINUTE, code, frame))
            energy += 10_000 + noise.randrange(-199, 200)
        lines.append((start_ms + 31 * MINUTE, code, realtime(code)))
    return lines


class Here:
    """The command line on a folder and a database of its own."""

    def __init__(self, folder: Path, server: ClickHouseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.address = msgspec.structs.replace(server, database=f"test_{uuid4().hex[:12]}")
        monkeypatch.setenv("PILESTREAM_CLICKHOUSE", self.address.url())
        folder.mkdir()

    def run(self, *arguments: str) -> int:
        return pilestream.main([*arguments, "--data", str(self.folder)])

    def replay(self, lines: list[Line]) -> None:
        capture = self.folder / "capture.jsonl"
        capture.write_text(
            "\n".join(
                json.dumps({"ts": ts, "conn": conn, "protocol": "ykc", "hex": frame.hex()}) for ts, conn, frame in lines
            ),
            "utf-8",
        )
        assert self.run("replay", str(capture)) == 0

    def measured(self) -> list[tuple[Any, ...]]:
        """What each charge was measured by."""
        client = connect(self.address)
        rows = client.execute(
            "SELECT trade_no, quantum_source, register_source, quantum_e4kwh, low_e4kwh, high_e4kwh, meter_profile_id"
            " FROM sessions ORDER BY trade_no"
        )
        client.disconnect()
        return list(rows)


@pytest.fixture
def here(tmp_path: Path, clickhouse: ClickHouseAddress, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    here = Here(tmp_path / "data", clickhouse, monkeypatch)
    yield here
    client = connect(clickhouse)
    client.execute(f"DROP DATABASE IF EXISTS {here.address.database} SYNC")
    client.disconnect()


def printed(here: Here, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert here.run("meters", *arguments, "--json") == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_replay_learns_of_unknown_chargers_and_meters_shows_it(
    here: Here, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = [line for day in range(3) for line in day_of(CODE, day, KWH)]
    fine = [line for day in range(2) for line in day_of(OTHER_CODE, day, 100)]
    here.replay([*whole, *fine])

    lines = printed(here, capsys)
    assert [(line["pile"], line["connector"]) for line in lines] == [
        (CODE, 1), (CODE, 2), (OTHER_CODE, 1), (OTHER_CODE, 2),
    ]  # fmt: skip
    known, unknown, other, _ = lines
    assert (known["register"], known["register_source"]) == ("session", "learned")
    assert (known["quantum_kwh"], known["quantum_source"]) == ("1.0000", "learned")
    assert (known["pmax_kw"], known["pmax_source"]) == ("198.0", "default")
    assert (known["valid_from"], known["sessions"]) == ("2026-11-21T01:00:00+08:00", 12)
    assert [reason.split(":")[0] for reason in known["reasons"]] == ["register session", "quantum 1 kWh"]
    assert (unknown["profile_id"], unknown["quantum_source"]) == (None, "default")
    assert (other["quantum_kwh"], other["profile_id"] != known["profile_id"]) == ("0.0100", True)

    measured = here.measured()
    # the first day has only its own readings, later ones have the row; the intervals of both hold about 30 kWh
    of_whole = [row for row in measured if row[0].startswith(CODE)]
    assert [row[1] for row in of_whole] == ["session"] * 12 + ["learned"] * 24
    assert [str(row[6]) for row in of_whole] == ["0"] * 12 + [known["profile_id"]] * 24
    assert all(low < 299_000 and high > 301_000 for *_, low, high, _ in of_whole)

    assert here.run("meters", CODE) == 0
    text = capsys.readouterr().out
    assert f"{CODE}/1: register session (learned), step 1.0000 kWh (learned), Pmax 198.0 kW (default)\n" in text
    assert "  since 2026-11-21T01:00:00+08:00, learned of 12 sessions from 2026-11-20 to 2026-11-20, row" in text
    assert f"{CODE}/2: register session (default)" in text

    # a week in all teaches the power; nothing that was measured before is measured otherwise
    here.replay([line for day in range(3, 8) for line in day_of(CODE, day, KWH)])
    (newest, first, _second) = printed(here, capsys, CODE, "--history")
    assert (newest["pmax_kw"], newest["pmax_source"], first["profile_id"]) == ("66.0", "learned", known["profile_id"])
    assert [row for row in here.measured() if row[0] < number_of(CODE, 36) or row[0].startswith(OTHER_CODE)] == measured
    here.replay(whole)
    assert len(printed(here, capsys, CODE, "--history")) == 3

    assert here.run("meters", "32010600019999") == 1
    assert "there is no charger '32010600019999'" in capsys.readouterr().err


def test_captures_in_any_order_measure_by_the_same_rows(
    here: Here, tmp_path: Path, clickhouse: ClickHouseAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [day_of(CODE, day, 100 if day < 1 else KWH) for day in range(3)]
    here.replay([line for day in days for line in day])
    expected = here.measured()
    assert len({row[6] for row in expected}) == 3, "of no day, of one and of two"
    other = Here(tmp_path / "other", clickhouse, monkeypatch)
    for day in (2, 0, 1):
        other.replay(days[day])
    assert other.measured() == expected
    client = connect(clickhouse)
    client.execute(f"DROP DATABASE {other.address.database} SYNC")
    client.disconnect()


def test_an_empty_folder_is_left_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pilestream.main(["meters", "--data", str(tmp_path)]) == 1
    assert "holds no data yet" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
