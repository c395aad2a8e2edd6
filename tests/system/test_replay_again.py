"""Captures replayed again, in parts and in any order: the bills are those of the whole capture."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

import pilestream
from analytics.client import ClickHouseAddress, connect
from tests.ingest.charger_frames import CODE, NOW_MS, OTHER_CODE, charging, heartbeat, realtime, trade_no_of

pytestmark = pytest.mark.server
MINUTE = 60_000
AWAY, ONLINE = CODE, OTHER_CODE
Line = tuple[int, str, bytes]


def captured() -> list[Line]:
    """Two chargers that never send their record: one is away from the 13th minute on, one online for two hours."""
    lines: list[Line] = []
    for shift, code in enumerate((AWAY, ONLINE)):
        start_ms = NOW_MS + shift
        lines.append((start_ms, code, realtime(code, plugged=1)))
        for n in range(1, 41):
            frame = charging(trade_no_of(code), n * 1_000, n // 4, code, seq=n.to_bytes(2, "little"))
            lines.append((start_ms + n * 15_000, code, frame))
        lines.append((start_ms + 11 * MINUTE, code, realtime(code)))
        lines += [(start_ms + 11 * MINUTE + n * 15_000, code, heartbeat(code)) for n in range(1, 9)]
    lines += [(NOW_MS + 13 * MINUTE + n * 15_000, ONLINE, heartbeat(ONLINE)) for n in range(1, 430)]
    return sorted(lines)


class Here:
    """The command line on a folder and a database of their own."""

    def __init__(self, folder: Path, server: ClickHouseAddress, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.address = msgspec.structs.replace(server, database=f"test_{uuid4().hex[:12]}")
        self._monkeypatch = monkeypatch

    def run(self, *arguments: str) -> int:
        self._monkeypatch.setenv("PILESTREAM_CLICKHOUSE", self.address.url())
        return pilestream.main([*arguments, "--data", str(self.folder)])

    def replay(self, lines: Sequence[Line]) -> None:
        capture = self.folder / "capture.jsonl"
        capture.parent.mkdir(exist_ok=True)
        texts = [
            json.dumps({"ts": ts, "conn": conn, "protocol": "ykc", "hex": frame.hex()}) for ts, conn, frame in lines
        ]
        capture.write_text("\n".join(texts), "utf-8")
        assert self.run("replay", str(capture)) == 0

    def bills(self, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
        """What `bill --json` says of both chargers' sessions."""
        capsys.readouterr()
        assert self.run("bill", trade_no_of(AWAY), trade_no_of(ONLINE), "--json") == 0
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return sorted(lines, key=lambda line: str(line["pile"]))


@pytest.fixture
def two(tmp_path: Path, clickhouse: ClickHouseAddress, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Here, Here]]:
    """Two folders that know nothing of each other."""
    both = Here(tmp_path / "one", clickhouse, monkeypatch), Here(tmp_path / "other", clickhouse, monkeypatch)
    yield both
    client = connect(clickhouse)
    for here in both:
        client.execute(f"DROP DATABASE IF EXISTS {here.address.database} SYNC")
    client.disconnect()


def revisions(here: Here) -> int:
    client = connect(here.address)
    ((count,),) = client.execute("SELECT count() FROM session_revisions")
    client.disconnect()
    return int(count)


def test_a_second_replay_changes_no_bill(two: tuple[Here, Here], capsys: pytest.CaptureFixture[str]) -> None:
    here, _ = two
    here.replay(captured())
    first = here.bills(capsys)
    assert [(line["codes"], line["causes"]) for line in first] == [([2], ["OFFLINE"]), ([1], [])]
    for again in (captured(), captured()[:60]):
        here.replay(again)
        assert here.bills(capsys) == first
        assert revisions(here) == 2


@pytest.mark.parametrize(
    "parts",
    ["by_turns", pytest.param("by_time", marks=pytest.mark.long(reason="four replays; halves by turns mix more"))],
)
def test_halves_in_either_order_give_the_bills_of_the_whole(
    two: tuple[Here, Here], capsys: pytest.CaptureFixture[str], parts: str
) -> None:
    here, other = two
    lines = captured()
    middle = next(i for i, line in enumerate(lines) if line[0] > NOW_MS + 12 * MINUTE)
    halves = [lines[::2], lines[1::2]] if parts == "by_turns" else [lines[:middle], lines[middle:]]
    for half in halves:
        here.replay(half)
    for half in reversed(halves):
        other.replay(half)
    bills = here.bills(capsys)
    assert [line["codes"] for line in bills] == [[2], [1]]
    assert other.bills(capsys) == bills


def test_other_chargers_capture_decides_nothing_of_these(
    two: tuple[Here, Here], capsys: pytest.CaptureFixture[str]
) -> None:
    """A charger is as it was when the last capture that spoke of it ended, not when any capture did."""
    here, other = two
    captures = [[line for line in captured() if line[1] == code] for code in (AWAY, ONLINE)]
    for capture in (*captures, captures[0]):
        here.replay(capture)
    for capture in reversed(captures):
        other.replay(capture)
    bills = here.bills(capsys)
    assert [line["codes"] for line in bills] == [[1], [1]]
    assert other.bills(capsys) == bills
    # the whole says that the one was away while the other was heard
    for replayed in (here, other):
        replayed.replay(captured())
        replayed.replay(captures[0])
    assert [line["codes"] for line in here.bills(capsys)] == [[2], [1]]
    assert other.bills(capsys) == here.bills(capsys)
