"""What a charge's register had counted before its first reading: of the readings of the naive figure, trusted ones."""

from collections.abc import Callable

import numpy as np
import pytest

from analytics.session_facts import AfterFacts, SessionFacts, SessionKey
from analytics.session_measurement import measure
from analytics.thresholds import Thresholds
from tests.analytics.stored_facts import MINUTE, SECOND, T0, TARIFF, pile, trade_no

MISSED_E4KWH = 1_500
SPIKE_E4KWH = 500_000_000
COUNT = 41
Arrays = dict[str, np.ndarray[tuple[int, ...], np.dtype[np.int64]]]


def readings() -> Arrays:
    """Ten minutes at 60 kW, of a session counter that stands at 0.15 kWh at its first reading."""
    elapsed = np.arange(COUNT, dtype=np.int64) * 15 * SECOND
    constant = np.ones_like(elapsed)
    return {
        "event_ms": T0 + elapsed,
        "receive_ms": T0 + elapsed,
        "counter_e4kwh": MISSED_E4KWH + elapsed // 6,
        "state": 3 * constant,
        "plugged": constant,
        "power_w": 60_000 * constant,
        "charge_minutes": elapsed // MINUTE,
        "seq": np.arange(1, COUNT + 1, dtype=np.int64),
    }


def as_sent(arrays: Arrays) -> None:
    """Nothing is wrong."""


def spiked_first(arrays: Arrays) -> None:
    arrays["counter_e4kwh"][0] += SPIKE_E4KWH


def with_another_at(arrays: Arrays, seq: int, counter_e4kwh: int) -> None:
    """One more at the moment of the first, which arrived before all others."""
    for name, column in arrays.items():
        arrays[name] = np.concatenate((column[:1], column))
    arrays["seq"][0], arrays["counter_e4kwh"][0] = seq, counter_e4kwh


def beside_an_earlier_value(arrays: Arrays) -> None:
    with_another_at(arrays, 0, MISSED_E4KWH + 700)


def repeated(arrays: Arrays) -> None:
    with_another_at(arrays, 1, MISSED_E4KWH)


def begin_missed(arrays: Arrays) -> int:
    facts = SessionFacts(
        key=SessionKey(4, 1, trade_no()),
        pile=pile(),
        readings=arrays,
        stored=np.zeros(len(arrays["seq"]), dtype=np.uint8),
        after=AfterFacts(T0 + 11 * MINUTE, 2, 0, T0 + 11 * MINUTE, T0 + 11 * MINUTE, 0, 0),
    )
    return int(measure(facts, {TARIFF.tariff_version_id: TARIFF}, Thresholds()).columns["begin_missed_e4kwh"])


@pytest.mark.parametrize(
    ("change", "missed_e4kwh"),
    [
        (as_sent, MISSED_E4KWH),
        (spiked_first, MISSED_E4KWH + 15 * SECOND // 6),
        (beside_an_earlier_value, MISSED_E4KWH),
        (repeated, MISSED_E4KWH),
    ],
)
def test_the_first_trusted_reading_counts_in_any_order_of_arrival(
    change: Callable[[Arrays], None], missed_e4kwh: int
) -> None:
    arrays = readings()
    change(arrays)
    order = np.random.default_rng(2).permutation(len(arrays["seq"]))
    for places in (np.arange(len(order)), order[::-1], order):
        assert begin_missed({name: column[places] for name, column in arrays.items()}) == missed_e4kwh
