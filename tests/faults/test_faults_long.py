"""Each fault of the suite once, shorter than `make faults` runs it; and a storm of full size."""

from pathlib import Path

import pytest

from tests.faults.__main__ import fault_functions
from tests.faults.overload import storm

pytestmark = [pytest.mark.fault, pytest.mark.server, pytest.mark.system, pytest.mark.long, pytest.mark.timeout(600)]
SEED = 20_261
ROUNDS = 30


@pytest.mark.parametrize("name", fault_functions(ROUNDS, SEED, 1))
def test_a_fault_breaks_no_promise(name: str, tmp_path: Path) -> None:
    rows = list(fault_functions(ROUNDS, SEED, 1)[name](tmp_path))
    assert [line for row in rows for line in row.wrong] == []
    assert all(row.acknowledged for row in rows)


def test_twenty_thousand_chargers_reconnect_at_once_over_two_workers(tmp_path: Path) -> None:
    """Promise P10."""
    row = storm(tmp_path, 20_000, SEED, workers=2)
    print(row.notes)
    assert row.wrong == []
    assert row.acknowledged == row.found >= 20_000
