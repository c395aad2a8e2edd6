"""`pilestream anomalies --orphans` and `--findings` as they are typed."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from clickhouse_driver import Client

import pilestream
from analytics.client import ClickHouseAddress
from service.beside_bills import COLUMNS, render_beside_bills
from tests.analytics.session_revision_rows import MINUTE, T0, clean_row, insert_rows, trade_no

HOUR = 60 * MINUTE
NOBODY = "\x1b[2J=1"
Run = Callable[..., str]


@pytest.fixture
def run(
    database: Client,
    database_address: ClickHouseAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Two charges of a register that went on by 14.2 kWh in between, and a record that nothing knows."""
    ends = [(1, 1_000_000, 1_200_000), (2, 1_342_000, 1_500_000)]
    for number, begin, end in ends:
        times = {"start_ms": T0 + number * HOUR, "end_ms": T0 + number * HOUR + 30 * MINUTE}
        registers = {"register_start_e4kwh": begin, "register_end_e4kwh": end, "register_kind": "lifetime"}
        energy = {"final_energy_e4kwh": end - begin}
        insert_rows(database, [clean_row(number, **times, **registers, **energy)])
    insert_rows(database, [{**clean_row(3), "trade_no": NOBODY, "readings": 0, "pile_id": 9}])
    monkeypatch.setenv("PILESTREAM_CLICKHOUSE", database_address.url())

    def told(*arguments: str) -> str:
        assert pilestream.main(["anomalies", "--data", str(tmp_path), *arguments]) == 0
        return capsys.readouterr().out

    return told


@pytest.mark.server
def test_registers_that_went_on(run: Run) -> None:
    content = json.loads(run("--findings", "--json", "--from", "2023-11"))
    assert (content["from"], content["to"]) == ("2023-11-01", None) and content["computed_at"] > "2023"
    assert content["findings"] == [
        {
            "finding": "UNBILLED_ENERGY",
            "pile": "32010600019236",
            "connector": 1,
            "from": "2023-11-15T07:43:20+08:00",
            "to": "2023-11-15T08:13:20+08:00",
            "previous_trade_no": trade_no(1),
            "trade_no": trade_no(2),
            "previous_end_kwh": "120.0000",
            "next_start_kwh": "134.2000",
            "between_kwh": "0.0000",
            "missing_kwh": "14.2000",
            "reach_kwh": "66.5000",
        }
    ]
    assert tuple(content["findings"][0]) == COLUMNS["findings"]
    header, row = list(csv.reader(io.StringIO(run("--findings", "--format", "csv"))))
    assert dict(zip(header, row, strict=True))["missing_kwh"] == "14.2000"
    head, line = run("--findings").splitlines()
    assert head.index("missing_kwh") + len("missing_kwh") == line.index("14.2000") + len("14.2000")
    assert run("--findings", "--to", "2023-10") == "no register went on between two charges\n"


@pytest.mark.server
def test_records_that_wait(run: Run) -> None:
    (one,) = json.loads(run("--orphans", "--json"))["orphans"]
    assert (one["trade_no"], one["energy_kwh"], one["start"]) == (NOBODY, "20.0000", "2023-11-15T06:13:20+08:00")
    assert tuple(one) == COLUMNS["orphans"]
    assert "\x1b" not in run("--orphans") and "20.0000" in run("--orphans")
    assert run("--orphans", "--from", "2024-01", "--format", "csv").splitlines() == [",".join(COLUMNS["orphans"])]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--orphans", "--by", "vendor"), "--orphans takes days only"),
        (("--findings", "--only", "vendor=R"), "--findings takes days only"),
    ],
)
def test_what_goes_with_neither_is_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pilestream.main(["anomalies", "--data", str(tmp_path), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("both", [("--orphans", "--findings"), ("--orphans", "--bills", "8")])
def test_two_lists_at_once_are_refused(both: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        pilestream.main(["anomalies", *both])
    assert ended.value.code == 2
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_number_that_a_spreadsheet_would_run_is_quoted() -> None:
    line = {name: "=1+1" if name == "trade_no" else None for name in COLUMNS["orphans"]}
    assert "\n'=1+1," in render_beside_bills("orphans", [line], "csv", {})
    assert "  -" in render_beside_bills("orphans", [line], "table", {})
