"""Histories in which steps are missing, repeated, out of order or late, and backlogs that come mixed up."""

from collections import Counter
from typing import Any

import numpy as np
import pytest

from benchmarks.fleet.charge import START_BY_APP, Charge
from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.history import HistoryFrame, history_frames
from benchmarks.fleet.lifecycle import single_moments
from benchmarks.fleet.moments import Kind
from benchmarks.fleet.piles import SimPile, simple_aaf5_fleet, simple_fleet
from benchmarks.fleet.plan import HOUR_MS, Plan, build_plan
from benchmarks.fleet.records import upload_times
from core.ykc.codec import raw_fields

LIVE_MS = 1_795_363_200_000
FROM_MS = LIVE_MS - 8 * HOUR_MS
STEPS = {0x15: Kind.HANDSHAKE, 0x17: Kind.PARAMS, 0x19: Kind.CHARGE_END, 0x1D: Kind.ABORT, 0x21: Kind.ABORT}

DC = simple_fleet(4)[:3]


def one_fault(fault: Fault, fleet: tuple[SimPile, ...] = DC) -> Plan:
    return build_plan(fleet, 3, FROM_MS, LIVE_MS, faults=FaultMix({fault: 1.0}))


def told_steps(plan: Plan) -> dict[str, list[tuple[int, int]]]:
    """By trade number, the (time, type) of each frame of the charger that names it, but for periodic ones."""
    told: dict[str, list[tuple[int, int]]] = {}
    for time_ms, _, frame in history_frames(plan, FROM_MS, LIVE_MS + 6 * HOUR_MS, heartbeat_s=60):
        fields = raw_fields(frame[5], frame[6:-2])
        if frame[5] % 2 and frame[5] not in (0x13, 0x23, 0x25) and "trade_no" in fields:
            told.setdefault(fields["trade_no"], []).append((time_ms, frame[5]))
    return told


def heard(plan: Plan) -> list[Charge]:
    return [charge for charge in plan.charges() if charge.plug_ms > FROM_MS + 15_000]


def test_a_step_is_missing_from_each_charge() -> None:
    plan = one_fault(Fault.STEP_MISSING)
    told = told_steps(plan)
    missing: Counter[Kind] = Counter()
    for charge in heard(plan):
        kinds = {STEPS[kind] for _, kind in told[charge.trade_no] if kind in STEPS}
        missing.update({Kind.HANDSHAKE, Kind.PARAMS, Kind.CHARGE_END, Kind.ABORT} - kinds)
        assert len(kinds) >= 3
    assert len(missing) == 4


def test_a_step_is_told_twice() -> None:
    plan = one_fault(Fault.STEP_REPEATED)
    told = told_steps(plan)
    for charge in heard(plan):
        counts = Counter(kind for _, kind in told[charge.trade_no])
        by_app = charge.start_mode == START_BY_APP
        steps = [moment.kind for moment in single_moments(charge, plan.piles[0])]
        assert max(counts.values()) == 2 or steps.count(Kind.STOPPED) == 2
        assert not by_app or counts[0x33] == 2


def test_steps_come_in_another_order() -> None:
    plan = one_fault(Fault.STEP_OUT_OF_ORDER)
    told = told_steps(plan)
    disorders = set()
    for charge in heard(plan):
        order = [kind for _, kind in sorted(told[charge.trade_no])]
        disorders.add((order.index(0x17) < order.index(0x15), order.index(0x3B) < order.index(0x19)))
    assert disorders == {(True, False), (False, True)}


def test_steps_come_late() -> None:
    plan = one_fault(Fault.STEP_LATE)
    told = told_steps(plan)
    for charge in heard(plan):
        times = {kind: time_ms for time_ms, kind in told[charge.trade_no]}
        assert times[0x3B] - charge.end_ms > 70_000
        assert times[0x19] - charge.stop_ms > 60_000
        assert charge.start_mode != START_BY_APP or times[0x33] - charge.order_ms > 34_000


def test_orders_are_never_answered() -> None:
    plan = one_fault(Fault.NEVER_ANSWERED)
    told = told_steps(plan)
    assert all(0x33 not in {kind for _, kind in told[charge.trade_no]} for charge in heard(plan))
    frames = history_frames(plan, FROM_MS, LIVE_MS, heartbeat_s=60)
    assert 0x35 not in {frame[5] for _, _, frame in frames}


@pytest.mark.parametrize("fault", [Fault.STEP_OUT_OF_ORDER, Fault.NEVER_ANSWERED])
def test_aaf5_answers_too_early_or_never(fault: Fault) -> None:
    plan = one_fault(fault, simple_aaf5_fleet(4))
    charges = {charge.key: charge for charge in heard(plan) if charge.start_mode == START_BY_APP}
    answers: list[HistoryFrame] = [
        row for row in history_frames(plan, FROM_MS, LIVE_MS, heartbeat_s=60) if row[2][6:8] == b"\x08\x00"
    ]
    times = {charge.start_ms for charge in charges.values()}
    assert bool(answers) == (fault is Fault.STEP_OUT_OF_ORDER)
    assert {time_ms for time_ms, _, _ in answers if time_ms > FROM_MS + 120_000} <= times


@pytest.mark.parametrize("fleet", [DC, simple_aaf5_fleet(3)])
def test_a_backlog_comes_mixed_up(fleet: tuple[SimPile, ...]) -> None:
    plan = one_fault(Fault.BACKLOG_SHUFFLED, fleet)
    mixed = 0
    for pile in plan.piles:
        for outage in pile.outages:
            late = [
                _shown(frame)
                for time_ms, name, frame in history_frames(plan, outage.to_ms, outage.to_ms + 15_000, heartbeat_s=60)
                if pile.pile.code in name and _is_charging(frame)
            ]
            mixed += late != sorted(late)
    assert mixed >= 2


def _is_charging(frame: bytes) -> bool:
    if frame[0] == 0x68:
        return frame[5] == 0x13 and frame[6 + 24] == 3
    return frame[6:8] == b"\x68\x00" and frame[8 + 39] == 2


def _shown(frame: bytes) -> Any:
    """The energy so far, of either protocol."""
    at = 6 + 46 if frame[0] == 0x68 else 8 + 85
    return int.from_bytes(frame[at : at + 4], "little")


def test_the_registers_of_records_lie() -> None:
    plan = one_fault(Fault.METER_ZERO_BEFORE_START)
    for _, _, frame in history_frames(plan, FROM_MS, LIVE_MS, heartbeat_s=60):
        if frame[5] == 0x3B:
            record = raw_fields(0x3B, frame[6:-2])
            assert record["meter_start"] == 0
            assert record["meter_end"] > record["energy"]
    plan = one_fault(Fault.REGISTER_JUMP, simple_aaf5_fleet(2))
    for connector in (connector for pile in plan.piles for connector in pile.connectors):
        starts = np.array([charge.meter_start_e4kwh for charge in connector.charges])
        assert (np.diff(starts) > 200_000_000).all()
    assert all(upload_times(plan.piles[0], charge) for charge in plan.piles[0].connectors[0].charges)
