"""Each fault of the suite once, shorter than `make faults` runs it; and two workers killed in turn."""

from pathlib import Path

import pytest

from tests.faults.__main__ import fault_functions
from tests.faults.kills import kill_rounds

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.system, pytest.mark.long, pytest.mark.timeout(600)]
SEED = 20_261
ROUNDS = 30


@pytest.mark.parametrize("name", fault_functions(ROUNDS, SEED, 1))
def test_a_fault_breaks_no_promise(name: str, tmp_path: Path) -> None:
    rows = fault_functions(ROUNDS, SEED, 1)[name](tmp_path)
    assert [line for row in rows for line in row.wrong] == []
    assert all(row.acknowledged for row in rows)


def test_workers_and_their_hub_killed_in_turn(tmp_path: Path) -> None:
    rows = kill_rounds(tmp_path, 8, SEED, targets=("gateway", "hub", "loader", "clickhouse"), workers=2)
    assert [line for row in rows for line in row.wrong] == []
