"""Circles of objects are found by a clock, and in between only young ones."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from service.full_collections import EVERY_S, FEW, MANY, FullCollections
from tests.analytics.stored_facts import Clock


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


def looks_at_the_middle(count: int) -> None:
    while gc.get_count()[2] < count:
        gc.collect(1)


def an_old_circle() -> "weakref.ref[Circle]":
    circle = Circle()
    found = weakref.ref(circle)
    gc.collect(1)
    del circle
    return found


def test_an_old_circle_goes_after_a_minute_if_anything_was_added() -> None:
    clock = Clock(0)
    collections = FullCollections(clock)
    found = an_old_circle()
    looks_at_the_middle(FEW)
    assert not collections.collect_if_due()
    assert found() is not None
    clock.now_ms = int(EVERY_S)
    assert collections.collect_if_due()
    assert found() is None
    assert not collections.collect_if_due()


def test_much_that_was_added_is_not_kept_for_a_minute() -> None:
    collections = FullCollections(Clock(0))
    found = an_old_circle()
    looks_at_the_middle(MANY)
    assert collections.collect_if_due()
    assert found() is None


def test_nothing_else_looks_through_all() -> None:
    FullCollections(Clock(0))
    full = gc.get_stats()[2]["collections"]
    kept = [[number] for number in range(1_000_000)]
    assert len(kept) == 1_000_000
    assert gc.get_stats()[2]["collections"] == full
