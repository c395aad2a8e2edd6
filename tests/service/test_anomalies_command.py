"""`pilestream anomalies` as it is typed: its days, months, groups and choices, and what it says of wrong ones."""

import argparse
import json
from datetime import date
from pathlib import Path

import pytest
from clickhouse_driver import Client

import pilestream
from analytics.anomalies import AnomalyTable, CodeCounts, Group
from analytics.client import ClickHouseAddress
from service.anomalies import add_anomalies_parser, render
from tests.analytics.session_revision_rows import clean_row, compute, insert_rows, insert_tariff, trade_no


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers()
    add_anomalies_parser(commands, lambda _options: 0)
    return parser.parse_args(["anomalies", *arguments])


def test_days_and_months() -> None:
    options = parsed("--from", "2019-03", "--to", "2020-02")
    assert (options.from_day, options.to_day) == (date(2019, 3, 1), date(2020, 2, 29))
    options = parsed("--from", "2019-03-15", "--to", "2019-03-31")
    assert (options.from_day, options.to_day) == (date(2019, 3, 15), date(2019, 3, 31))
    assert parsed().to_day is None


def test_groups_and_choices() -> None:
    options = parsed("--by", "vendor,month", "--only", "station=大岗", "--only", "vendor=R", "--bills", "8,6")
    assert options.by == ("vendor", "month")
    assert dict(options.only) == {"station": "大岗", "vendor": "R"}
    assert options.bills == [8, 6]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "March"), "is no day; write 2019-03-01"),
        (("--to", "2019-13"), "is no day; write 2019-03-01"),
        (("--to", "20190305"), "is no day; write 2019-03-01"),
        (("--to", "2019-W10"), "is no day; write 2019-03-01"),
        (("--limit", "0"), "is no number of bills"),
        (("--limit", "99999999999999999999"), "is no number of bills; write 1 to 10,000,000"),
        (("--limit", "9" * 5_000), "is no number of bills"),
        (("--limit", "٣"), "is no number of bills"),
        (("--bills", "99999999999999999999"), "is no set of codes"),
        (("--by", "vendor,colour"), "'colour' is not one of day, month"),
        (("--only", "vendor"), "is no choice; write KIND=NAME"),
        (("--only", "colour=red"), "'colour' is not one of day, month"),
        (("--bills", "eight"), "is no set of codes"),
        (("--bills", "8,8"), "is no set of codes, each once"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.server
def test_the_command(
    database: Client,
    database_address: ClickHouseAddress,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    insert_tariff(database)
    insert_rows(database, [clean_row(1), clean_row(2, naive_energy_e4kwh=0, flags=["ZERO_BASELINE"])])
    compute(database)
    monkeypatch.setenv("PILESTREAM_CLICKHOUSE", database_address.url())

    def run(*arguments: str) -> str:
        assert pilestream.main(["anomalies", "--data", str(tmp_path), *arguments]) == 0
        return capsys.readouterr().out

    content = json.loads(run("--format", "json", "--from", "2023-11", "--to", "2023-11", "--by", "month"))
    assert (content["bills"], content["raw"], content["corrected"]) == (2, {"8": 1}, {})
    assert content["causes"] == {"ZERO_BASELINE": 1}
    assert [group["group"] for group in content["groups"]] == [{"month": "2023-11"}]
    assert (content["from"], content["to"]) == ("2023-11-01", "2023-11-30")
    assert content["computed_at"] > "2023"
    assert "final bills: 2 (the begin to now; computed at 20" in run()
    assert run("--bills", "8") == f"{trade_no(2)}\n"
    assert run("--bills", "7,5") == ""
    assert run("--bills", "8", "--format", "csv") == f"trade_no\n{trade_no(2)}\n"
    listed = json.loads(run("--bills", "8", "--format", "json", "--to", "2023-11", "--limit", "10000000"))
    assert listed.pop("computed_at") > "2023"
    assert listed == {"set": "8", "bills": [trade_no(2)], "from": None, "to": "2023-11-30"}
    assert json.loads(run("--json", "--bills", "7,5"))["bills"] == []
    assert json.loads(run("--json"))["bills"] == 2
    assert json.loads(run("--json", "--only", "vendor=nobody"))["bills"] == 0
    assert json.loads(run("--format", "json", "--to", "2023-10"))["bills"] == 0
    assert pilestream.main(["anomalies", "--data", str(tmp_path), "--bills", "8", "--only", "vendor=R"]) == 2
    assert "takes days only" in capsys.readouterr().err
    assert pilestream.main(["anomalies", "--data", str(tmp_path), "--only", "vendor=nobody"]) == 0
    assert "no bill of this period is of vendor=nobody" in capsys.readouterr().err
    assert pilestream.main(["anomalies", "--data", str(tmp_path), "--bills", "99"]) == 0
    assert "no bill of this period has the set 99" in capsys.readouterr().err
    assert pilestream.main(["anomalies", "--data", str(tmp_path), "--to", "2023-10"]) == 0
    assert "no charge of this period has a final bill" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "vendor=A", "--only", "vendor=B"), "each kind once, not vendor twice"),
        (("--from", "2019-04", "--to", "2019-03"), "ends before it begins"),
        (("--limit", "5"), "--limit goes with --bills, --orphans or --findings"),
    ],
)
def test_what_contradicts_itself_is_refused(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pilestream.main(["anomalies", "--data", str(tmp_path), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_what_a_charger_says_of_itself_reaches_neither_spreadsheet_nor_terminal_raw() -> None:
    none = CodeCounts(0, {}, {}, {})
    group = Group(1, {}, {}, {}, group={"firmware": "=1+1\x1b[2J"}, whole_kwh=none)
    table = AnomalyTable(1, {}, {}, {}, whole_kwh=none, raw_causes={}, remaining=[], groups=[group])
    assert "\n'=1+1" in render(table, "csv")
    assert "\x1b" not in render(table, "table")
