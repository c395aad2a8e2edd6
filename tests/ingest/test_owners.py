"""Owners of whole columns: equal to asking each charger for each moment."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.directory import UNASSIGNED_OPERATOR_ID, Ownership, PileDirectory
from ingest.owners import operators_at
from tests.ingest.charger_frames import make_pile

moment = st.integers(-5, 25)
owner = st.builds(Ownership, st.integers(2, 9), moment, moment)
piles = st.lists(st.lists(owner, max_size=3), max_size=4)


@given(piles, st.lists(st.tuples(st.integers(0, 6), moment), max_size=60))
def test_columns_have_the_owner_of_each_moment(owners: list[list[Ownership]], facts: list[tuple[int, int]]) -> None:
    directory = PileDirectory(
        make_pile(str(number), number, owners=tuple(owned)) for number, owned in enumerate(owners, 1)
    )
    expected = []
    for pile_id, at_ms in facts:
        pile = directory.by_id(pile_id)
        expected.append(UNASSIGNED_OPERATOR_ID if pile is None else pile.operator_at(at_ms))
    found = operators_at(
        directory, np.array([p for p, _ in facts], np.uint32), np.array([t for _, t in facts], np.int64)
    )
    assert found.tolist() == expected
