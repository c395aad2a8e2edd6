"""A revision is recognised by its inputs: any order of readings is the same, any other reading is another."""

from datetime import date

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from analytics.session_digest import canonical_readings
from analytics.session_facts import READING_COLUMNS, AfterFacts, BillFacts, PreviousEnd, SessionFacts, SessionKey
from analytics.session_revision import CurrentRevision, SessionRow
from analytics.session_rows import session_row
from analytics.thresholds import Thresholds
from core.directory import Ownership
from tests.analytics.stored_facts import HOUR, MINUTE, SECOND, T0, TARIFF, pile, trade_no

END = T0 + 10 * MINUTE
BILL = BillFacts(T0, END, 100_000, 110_000, (0, 0, 100_000, 0), 0, 0, 64, 1, "", "", END + SECOND, 0)
Arrays = dict[str, npt.NDArray[np.int64]]


def readings() -> Arrays:
    elapsed = np.arange(0, 10 * MINUTE + 1, 15_000, dtype=np.int64)
    constant = np.ones_like(elapsed)
    return {
        "event_ms": T0 + elapsed,
        "receive_ms": T0 + elapsed,
        "counter_e4kwh": elapsed // 6,
        "state": 3 * constant,
        "plugged": constant,
        "power_w": 60_000 * constant,
        "charge_minutes": elapsed // MINUTE,
        "seq": np.arange(len(elapsed), dtype=np.int64),
    }


def row_of(arrays: Arrays, as_of_ms: int = END + HOUR, changes: dict[str, object] | None = None) -> SessionRow:
    facts = SessionFacts(
        key=SessionKey(4, 1, trade_no()),
        pile=pile(),
        readings=arrays,
        bill=BILL,
        after=AfterFacts(END + SECOND, 2, 0, END + MINUTE, END + SECOND, 0, 0),
    )
    for name, value in (changes or {}).items():
        setattr(facts, name, value)
    return session_row(facts, CurrentRevision(), as_of_ms, None, Thresholds(), {TARIFF.tariff_version_id: TARIFF})


def test_order_of_readings_does_not_matter() -> None:
    order = np.random.default_rng(1).permutation(41)
    shuffled = {name: array[order] for name, array in readings().items()}
    assert row_of(shuffled) == row_of(readings())


@pytest.mark.parametrize("name", ["event_ms", "counter_e4kwh", "plugged", "power_w", "charge_minutes", "seq"])
def test_any_other_reading_is_another_input(name: str) -> None:
    other = readings()
    other[name][20] -= 1
    assert row_of(other).inputs_digest != row_of(readings()).inputs_digest


@pytest.mark.parametrize(
    "change",
    [
        {"bill": None},
        {"start_command_ms": T0 - MINUTE},
        {"tariff_acks": [(T0 - HOUR, 8)]},
        {"clock_offsets": [(T0 + MINUTE, 5_000)]},
        {"outages": [(T0 + MINUTE, T0 + 2 * MINUTE)]},
        {"pile": pile(rated_power_w=60_000)},
        {"pile": pile(occupancy_grace_ms=-1)},
        {"pile": pile(register_digits=6)},
        {"previous_end": PreviousEnd(T0 - HOUR, 5)},
        {"previous_end": PreviousEnd(0, 0)},
        {"bill": msgspec.structs.replace(BILL, duration_s=60)},
        {"bill": msgspec.structs.replace(BILL, stored=1)},
        {"bill": msgspec.structs.replace(BILL, half_hour_energy_e4kwh=(0,) * 48)},
    ],
)
def test_any_other_fact_is_another_input(change: dict[str, object]) -> None:
    assert row_of(readings(), changes=change).inputs_digest != row_of(readings()).inputs_digest


def test_time_alone_is_no_input() -> None:
    assert row_of(readings(), END + 40 * HOUR).inputs_digest == row_of(readings()).inputs_digest


@pytest.mark.parametrize(
    "facts",
    [
        {"bill": None, "after": AfterFacts(), "start_command_ms": T0, "start_acked": True},
        {"after": AfterFacts(), "bill": msgspec.structs.replace(BILL, start_ms=0, end_ms=0)},
    ],
    ids=["only ordered", "bill without times"],
)
def test_charge_that_no_reading_shows_belongs_to_the_day_and_owner_of_its_facts(facts: dict[str, object]) -> None:
    owners = (Ownership(2, 0, T0 + HOUR), Ownership(3, T0 + HOUR))
    nothing = {name: array[:0] for name, array in readings().items()}
    rows = [row_of(nothing, T0 + hours * HOUR, {**facts, "pile": pile(owners=owners)}) for hours in (80, 90, 500)]
    assert {row.inputs_digest for row in rows} == {rows[0].inputs_digest}
    assert {(row.columns["operator_id"], row.columns["local_day"]) for row in rows} == {(2, date(2023, 11, 15))}


def test_other_thresholds_are_another_input() -> None:
    digests = {
        thresholds.digest() for thresholds in (Thresholds(), Thresholds(clock_ms=1), Thresholds(duration_field_ms=1))
    }
    assert len(digests) == 3


def test_sessions_that_the_first_version_billed_keep_their_digests() -> None:
    """The numbers are those of version 0.1.0: another one would give each old session a second, equal revision."""
    nothing = {name: array[:0] for name, array in readings().items()}
    ordered: dict[str, object] = {"bill": None, "after": AfterFacts(), "start_command_ms": T0, "start_acked": True}
    assert row_of(readings()).inputs_digest == 2713140092469205678
    assert row_of(readings(), changes={"bill": None}).inputs_digest == 10694415511832164176
    assert row_of(nothing, T0 + 80 * HOUR, ordered).inputs_digest == 3904572859078789820
    assert Thresholds().digest() == 14957890858572581210


@pytest.mark.parametrize("seed", range(20))
def test_the_readings_of_the_digest_stand_in_one_order_and_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 3, (rng.integers(0, 12), len(READING_COLUMNS)))
    if seed % 2:
        rows[:, 0] = np.sort(rng.choice(1_000, len(rows), replace=False))
    columns = {name: np.ascontiguousarray(rows[:, place]) for place, name in enumerate(READING_COLUMNS)}
    facts = SessionFacts(key=SessionKey(4, 1, trade_no()), pile=pile(), readings=columns)
    assert canonical_readings(facts) == np.unique(rows, axis=0).tobytes()
