"""Rows in the order of their table: by charger, connector and time, equal ones as they came."""

import itertools

import numpy as np
import pytest

from ingest.row_order import by_connector_and_time


@pytest.mark.parametrize(("rows", "piles", "spread_ms"), [(0, 1, 1), (1, 1, 1), (5_000, 7, 40), (20_000, 9_000, 10**6)])
def test_rows_stand_as_a_stable_sort_puts_them(rows: int, piles: int, spread_ms: int) -> None:
    random = np.random.default_rng(rows)
    pile_id = random.integers(1, piles + 1, rows).astype(np.uint32) * 65_537
    connector = random.integers(0, 3, rows).astype(np.uint8)
    event_ms = np.arange(rows, dtype=np.int64) + random.integers(0, spread_ms, rows)
    picked = np.flatnonzero(random.integers(0, 5, rows))
    order, starts = by_connector_and_time(pile_id, connector, event_ms, picked)
    expected = picked[np.lexsort((event_ms[picked], connector[picked], pile_id[picked]))]
    assert order.tolist() == expected.tolist()
    groups = [order[start:end] for start, end in itertools.pairwise(starts)]
    assert sum(map(len, groups)) == len(picked) == starts[-1]
    assert all(len({(pile_id[row], connector[row]) for row in group}) == 1 for group in groups)
