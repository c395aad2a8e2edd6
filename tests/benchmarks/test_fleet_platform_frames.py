"""The platform's half of a written history, and the vehicle's periodic frames in it."""

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.fleet import messages
from benchmarks.fleet.bms_frames import DEMAND, bms_bodies
from benchmarks.fleet.charge import ASK_BY_VIN, NOT_ASKED, START_BY_APP, START_BY_VIN, STOPPED_BY_APP
from benchmarks.fleet.faults import STEP_FAULTS, Fault, FaultMix
from benchmarks.fleet.firmware import CARELESS, VERSIONS, firmware_of, is_careless
from benchmarks.fleet.history import HistoryFrame, history_frames
from benchmarks.fleet.master_data import fleet_of
from benchmarks.fleet.piles import simple_aaf5_fleet, simple_fleet
from benchmarks.fleet.plan import HOUR_MS, Plan, build_plan
from core.ykc.codec import HEADER_BYTES, encode_raw, raw_fields
from service.demo import MASTER_FILE

LIVE_MS = 1_795_363_200_000
FROM_MS = LIVE_MS - 8 * HOUR_MS

# By protocol: a frame of the charger and the platform's answer, which goes with it to the millisecond.
ANSWERS = {"ykc": {0x01: 0x02, 0x05: 0x06, 0x31: 0x32, 0xA1: 0xA2, 0x3B: 0x40}, "aaf5": {106: 105, 202: 201, 204: 203}}
ORDERS = {"ykc": {0x34: 0x33, 0x36: 0x35, 0x56: 0x55}, "aaf5": {7: 8, 5: 6}}


@pytest.fixture(scope="module")
def clean() -> tuple[Plan, list[HistoryFrame]]:
    plan = build_plan(simple_fleet(12) + simple_aaf5_fleet(12), 4, FROM_MS, LIVE_MS, faults=FaultMix({}))
    return plan, list(history_frames(plan, FROM_MS, LIVE_MS + 8 * HOUR_MS, heartbeat_s=60))


def kind_of(frame: bytes) -> tuple[str, int]:
    return ("ykc", frame[5]) if frame[0] == 0x68 else ("aaf5", int.from_bytes(frame[6:8], "little"))


def seq_of(frame: bytes) -> bytes:
    return frame[2:4] if frame[0] == 0x68 else frame[5:6]


def test_every_question_is_followed_by_its_answer_under_the_same_number(
    clean: tuple[Plan, list[HistoryFrame]],
) -> None:
    by_connection: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for time_ms, connection, frame in clean[1]:
        by_connection[connection].append((time_ms, frame))
    answered = set()
    for told in by_connection.values():
        for (time_ms, frame), (answer_ms, answer) in pairwise(told):
            protocol, kind = kind_of(frame)
            if kind in ANSWERS[protocol]:
                assert kind_of(answer) == (protocol, ANSWERS[protocol][kind])
                assert (answer_ms, seq_of(answer)) == (time_ms, seq_of(frame))
                answered.add((protocol, kind))
    assert {("ykc", 0x01), ("ykc", 0x05), ("ykc", 0x3B), ("aaf5", 106), ("aaf5", 202), ("aaf5", 204)} <= answered


def test_every_order_comes_before_its_answer(clean: tuple[Plan, list[HistoryFrame]]) -> None:
    plan, frames = clean
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for _, _, frame in frames:
        protocol, kind = kind_of(frame)
        counts[protocol, kind] += 1
        for order, answer in ORDERS[protocol].items():
            assert counts[protocol, answer] <= counts[protocol, order]
    for protocol, pairs in ORDERS.items():
        assert all(counts[protocol, order] == counts[protocol, answer] > 0 for order, answer in pairs.items())
    by_app = [charge for charge in plan.charges() if charge.start_mode == START_BY_APP]
    assert counts["ykc", 0x34] + counts["aaf5", 7] == len(by_app)
    assert counts["ykc", 0x36] + counts["aaf5", 5] == sum(c.stop_reason == STOPPED_BY_APP for c in by_app)


def test_a_vehicle_is_always_asked_for(clean: tuple[Plan, list[HistoryFrame]]) -> None:
    depot = fleet_of(MASTER_FILE)[:30]
    charges = build_plan(depot, 4, FROM_MS, LIVE_MS, faults=FaultMix({})).charges()
    assert {charge.asks_by for charge in charges if charge.start_mode == START_BY_VIN} == {ASK_BY_VIN}
    assert NOT_ASKED in {charge.asks_by for charge in charges}


def test_periodic_frames_of_the_vehicle_are_those_of_the_single_messages(
    clean: tuple[Plan, list[HistoryFrame]],
) -> None:
    charge = next(charge for charge in clean[0].charges() if charge.pile.is_dc and charge.pile.protocol == "ykc")
    times = np.array([charge.charging_ms, charge.charging_ms + 61_234, charge.stop_ms - 1], dtype=np.int64)
    wanted = []
    for time_ms in times.tolist():
        for message in (messages.bms_demand(charge, time_ms), messages.bms_info(charge)):
            frame = encode_raw(*message)
            wanted.append((frame[5], frame[HEADER_BYTES:-2]))
    assert bms_bodies(charge, times) == wanted


def test_a_dc_charge_has_them_at_least_every_46_seconds(clean: tuple[Plan, list[HistoryFrame]]) -> None:
    plan, frames = clean
    told: dict[str, list[int]] = defaultdict(list)
    for time_ms, _, frame in frames:
        if frame[0] == 0x68 and frame[5] == DEMAND:
            told[raw_fields(DEMAND, frame[6:-2])["trade_no"]].append(time_ms)
    dc = [c for c in plan.charges() if c.pile.is_dc and c.pile.protocol == "ykc"]
    assert set(told) == {charge.trade_no for charge in dc}
    for charge in dc:
        times = [charge.charging_ms, *told[charge.trade_no], charge.stop_ms]
        assert max(np.diff(times).tolist()) < 47_000


def test_each_model_runs_a_few_firmwares_and_one_of_them_is_careless() -> None:
    fleet = fleet_of(MASTER_FILE)
    for model, versions in VERSIONS.items():
        assert {firmware_of(pile) for pile in fleet if pile.model == model} == set(versions)
        assert 2 <= len(versions) <= 4
    assert {(pile.model, firmware_of(pile)) for pile in fleet if is_careless(pile)} == CARELESS
    faults = {True: [0, 0], False: [0, 0]}
    for charge in build_plan(fleet, 3, FROM_MS, LIVE_MS).charges():
        faults[is_careless(charge.pile)][charge.fault in STEP_FAULTS] += 1
    (clean, wrong), (clean_elsewhere, wrong_elsewhere) = faults[True], faults[False]
    assert wrong / clean > 5 * wrong_elsewhere / clean_elsewhere
    assert FaultMix({}).careless().draw(np.random.default_rng(1)) is Fault.NONE
