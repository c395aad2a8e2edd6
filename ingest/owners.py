"""Whose is a fact? The operator who owned the charger when it happened (DESIGN invariant 9), for whole columns."""

import itertools

import numpy as np
from numpy.typing import NDArray

from core.directory import UNASSIGNED_OPERATOR_ID, Pile, PileDirectory


def operators_at(
    directory: PileDirectory, pile_id: NDArray[np.uint32], event_ms: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """`operator_id` of each row; `UNASSIGNED_OPERATOR_ID` for unknown chargers and for times nobody owned them."""
    operators = np.full(len(pile_id), UNASSIGNED_OPERATOR_ID, np.uint32)
    order = np.argsort(pile_id, kind="stable")
    piles, starts = np.unique(pile_id[order], return_index=True)
    for number, rows in zip(piles.tolist(), np.split(order, starts)[1:], strict=True):
        pile = directory.by_id(number)
        if pile is not None:
            operators[rows] = _owners_of(pile, event_ms[rows])
    return operators


def operators_of_groups(
    directory: PileDirectory, pile_id: NDArray[np.uint32], event_ms: NDArray[np.int64], starts: NDArray[np.intp]
) -> NDArray[np.uint32]:
    """As `operators_at`, for rows that stand in groups of one charger each, in the order of time within each.

    A group begins at each of `starts`, which ends with the number of rows; a group may be empty.
    """
    operators = np.empty(len(pile_id), np.uint32)
    borders = starts.tolist()
    for start, end in itertools.pairwise(borders):
        if start == end:
            continue
        pile = directory.by_id(int(pile_id[start]))
        if pile is None:
            operators[start:end] = UNASSIGNED_OPERATOR_ID
            continue
        first_ms, last_ms = int(event_ms[start]), int(event_ms[end - 1])
        owners = [owner for owner in pile.owners if owner.from_ms <= last_ms and first_ms < owner.to_ms]
        if len(owners) == 1 and owners[0].from_ms <= first_ms and last_ms < owners[0].to_ms:
            operators[start:end] = owners[0].operator_id
        else:
            operators[start:end] = _owners_of(pile, event_ms[start:end])
    return operators


def _owners_of(pile: Pile, event_ms: NDArray[np.int64]) -> NDArray[np.uint32]:
    operators = np.full(len(event_ms), UNASSIGNED_OPERATOR_ID, np.uint32)
    for owner in reversed(pile.owners):  # the first that fits wins, as in Pile.operator_at
        operators[(owner.from_ms <= event_ms) & (event_ms < owner.to_ms)] = owner.operator_id
    return operators
