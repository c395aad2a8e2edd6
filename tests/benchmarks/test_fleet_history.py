"""The written history of a simulated fleet: whole frames, in order, that tell of the plan's charges and its faults."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fleet import history
from benchmarks.fleet.charge import Charge
from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.faults import SPIKE_E4KWH, Fault, FaultMix
from benchmarks.fleet.history import HistoryFrame, history_frames, write_capture
from benchmarks.fleet.piles import simple_fleet
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, Plan, build_plan, demo_plan
from benchmarks.fleet.records import upload_times
from core.ykc.codec import decode_body, raw_fields
from core.ykc.cp56 import cp56_to_ms
from core.ykc.splitter import FRAME_BE, FRAME_LE, FrameSplitter

LIVE_MS = 1_795_363_200_000
FROM_MS = LIVE_MS - 8 * HOUR_MS
ZONE = "Asia/Shanghai"
CLEAN = FaultMix({})

YLC_FRAMES = {(0x03, 18), (0x13, 149)}  # type and bytes of its longer heartbeat and realtime frame

REPLIES = {0x33, 0x35, 0x55}  # they carry the number of what they answer

Reading = tuple[int, dict[str, Any]]


@pytest.fixture(scope="module")
def mixed() -> tuple[Plan, list[HistoryFrame]]:
    plan = demo_plan(simple_fleet(24), 4, LIVE_MS, history_ms=8 * HOUR_MS)
    return plan, list(history_frames(plan, FROM_MS, LIVE_MS))


@pytest.fixture(scope="module")
def clean() -> tuple[Plan, list[HistoryFrame]]:
    plan = build_plan(simple_fleet(12), 4, FROM_MS, LIVE_MS, faults=CLEAN)
    return plan, list(history_frames(plan, FROM_MS, LIVE_MS + 4 * HOUR_MS))


def one_fault(fault: Fault, *, piles: int = 4, seed: int = 3) -> tuple[Plan, list[HistoryFrame]]:
    """A history in which every charge has that fault; it goes on until all are over."""
    plan = build_plan(simple_fleet(piles), seed, FROM_MS, LIVE_MS, faults=FaultMix({fault: 1.0}))
    return plan, list(history_frames(plan, FROM_MS, LIVE_MS + 6 * HOUR_MS, heartbeat_s=60))


def is_down(frame: bytes) -> bool:
    return frame[5] % 2 == 0


def is_whole(frame: bytes) -> bool:
    splitter = FrameSplitter()
    return splitter.feed_bytes(frame) == 1 and splitter.span(0)[0] in (FRAME_LE, FRAME_BE) and splitter.pending == 0


def readings_by_trade(frames: list[HistoryFrame]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = defaultdict(list)
    for time_ms, _, frame in frames:
        if is_whole(frame) and frame[5] == 0x13:
            fields = raw_fields(0x13, frame[6:-2])
            if int(fields["trade_no"], 16):
                found[fields["trade_no"]].append((time_ms, fields))
    return found


def records_by_trade(frames: list[HistoryFrame]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = defaultdict(list)
    for time_ms, _, frame in frames:
        if is_whole(frame) and frame[5] == 0x3B:
            fields = raw_fields(0x3B, frame[6:-2])
            found[fields["trade_no"]].append((time_ms, fields))
    return found


def test_every_frame_fits_its_table_but_for_the_noise_of_the_plan(mixed: tuple[Plan, list[HistoryFrame]]) -> None:
    plan, frames = mixed
    noise = [frame for _, _, frame in frames if not is_whole(frame)]
    for _, _, frame in frames:
        if is_whole(frame):
            longer = (frame[5], len(frame)) in YLC_FRAMES
            assert decode_body(frame[5], frame[6:-2]).layout_ok != longer
    kinds = {frame[5] for _, _, frame in frames if is_whole(frame)}
    usual = {0x01, 0x03, 0x05, 0x13, 0x15, 0x17, 0x19, 0x1D, 0x21, 0x23, 0x25, 0x33, 0x35, 0x3B, 0x55}
    usual |= {0x02, 0x06, 0x34, 0x36, 0x40, 0x56}
    # Which chargers ask the platform, have a lock or fail to recognise a vehicle follows from the seed.
    assert usual <= kinds <= usual | {0x1B, 0x31, 0x32, 0x61, 0xA1, 0xA2}
    noisy = any(charge.fault is Fault.GARBAGE_ON_LINE and charge.stop_ms < LIVE_MS for charge in plan.charges())
    assert bool(noise) <= noisy


def test_times_ascend_and_each_connection_begins_with_a_login_and_counts(
    mixed: tuple[Plan, list[HistoryFrame]],
) -> None:
    _, frames = mixed
    assert [time_ms for time_ms, _, _ in frames] == sorted(time_ms for time_ms, _, _ in frames)
    assert all(FROM_MS <= time_ms < LIVE_MS for time_ms, _, _ in frames)
    seen: dict[str, int] = {}
    for _, connection, frame in frames:
        if not is_whole(frame):
            continue
        seq = int.from_bytes(frame[2:4], "little")
        if connection not in seen:
            assert frame[5] == 0x01
            assert seq == 0
        elif is_down(frame) or frame[5] in REPLIES:
            continue
        else:
            # A doubled frame carries its number twice; noise in between takes one.
            assert seq - seen[connection] in (0, 1, 2, -0xFFFF)
        seen[connection] = seq
    assert len(seen) >= 24


def test_one_charger_sends_one_checksum_order_and_some_send_the_high_byte_first(
    mixed: tuple[Plan, list[HistoryFrame]],
) -> None:
    orders: dict[str, set[int]] = defaultdict(set)
    splitter = FrameSplitter()
    for _, connection, frame in mixed[1]:
        if is_whole(frame) and not is_down(frame):
            splitter.feed_bytes(frame)
            if frame[-2] == frame[-1]:
                continue  # either order
            orders[connection.split("-")[0]].add(splitter.span(0)[0])
    assert all(len(kinds) == 1 for kinds in orders.values())
    assert {FRAME_LE, FRAME_BE} == set.union(*orders.values())


def test_clean_charges_read_and_bill_the_truth(clean: tuple[Plan, list[HistoryFrame]]) -> None:
    plan, frames = clean
    readings, records = readings_by_trade(frames), records_by_trade(frames)
    charges = [charge for charge in plan.charges() if charge.plug_ms > FROM_MS + 15_000]
    assert len(charges) > 30
    for charge in charges:
        seen = readings[charge.trade_no]
        counters = [fields["energy"] for _, fields in seen]
        assert counters == sorted(counters)
        times = np.array([time_ms for time_ms, _ in seen], dtype=np.int64)
        assert counters == charge.energy_at(times).tolist()
        assert int(np.diff(times).max()) < 16_000
        [(sent_ms, record)] = records[charge.trade_no]
        assert sent_ms == charge.record_ms
        assert record["energy"] == charge.energy_e4kwh
        assert record["meter_end"] - record["meter_start"] == charge.energy_e4kwh
        assert sum(record[f"{name}_energy"] for name in ("sharp", "peak", "flat", "valley")) == charge.energy_e4kwh
        assert cp56_to_ms(record["start_time"], ZONE) == charge.start_ms
        assert cp56_to_ms(record["end_time"], ZONE) == charge.end_ms
        # The money of the last reading is the record's, but for what flowed after it and the firmware's rounding.
        price_e5yuan = max(record[f"{name}_price"] for name in ("sharp", "peak", "flat", "valley"))
        missing_e4kwh = record["energy"] - counters[-1]
        assert 0 <= record["amount"] - seen[-1][1]["amount"] + 100 <= missing_e4kwh * price_e5yuan // 100_000 + 201


def test_charging_readings_come_every_15_s_and_idle_ones_every_5_minutes(
    clean: tuple[Plan, list[HistoryFrame]],
) -> None:
    plan, frames = clean
    charge = plan.charges()[5]
    shown = [
        (time_ms, fields)
        for time_ms, fields in (
            (time_ms, raw_fields(0x13, frame[6:-2])) for time_ms, _, frame in frames if frame[5] == 0x13
        )
        if fields["pile_code"] == charge.pile.code and fields["gun_no"] == f"{charge.connector:02d}"
    ]
    times = [time_ms for time_ms, _ in shown]
    assert max(np.diff(times)) <= 300_000
    by_time = dict(shown)
    assert by_time[charge.plug_ms]["plugged"] == 1
    assert by_time[charge.plug_ms]["state"] == 2
    assert by_time[charge.charging_ms]["state"] == 3
    assert by_time[charge.stop_ms]["state"] == 2
    assert by_time[charge.stop_ms]["plugged"] == 1
    assert by_time[charge.unplug_ms]["plugged"] == 0
    assert int(by_time[charge.unplug_ms]["trade_no"], 16) == 0


def test_block_borders_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = demo_plan(simple_fleet(6), 4, LIVE_MS, history_ms=3 * HOUR_MS)
    whole = list(history_frames(plan, LIVE_MS - 3 * HOUR_MS, LIVE_MS))
    monkeypatch.setattr(history, "BLOCK_MS", 7 * MINUTE_MS + 123)
    assert list(history_frames(plan, LIVE_MS - 3 * HOUR_MS, LIVE_MS)) == whole


def test_heartbeats_come_as_often_as_asked() -> None:
    plan = build_plan(simple_fleet(1), 1, FROM_MS, FROM_MS + HOUR_MS, faults=CLEAN)
    for period_s in (10, 30):
        beats = [t for t, _, frame in history_frames(plan, FROM_MS, FROM_MS + HOUR_MS, period_s) if frame[5] == 0x03]
        assert set(np.diff(beats)) == {period_s * 1000}
        assert len(beats) > 3_500 / period_s


def test_a_capture_holds_the_frames_as_json_lines(tmp_path: Path) -> None:
    plan = build_plan(simple_fleet(2), 1, FROM_MS, FROM_MS + HOUR_MS)
    frames = list(history_frames(plan, FROM_MS, FROM_MS + HOUR_MS))
    assert write_capture(tmp_path / "capture.jsonl", frames) == len(frames)
    lines = [json.loads(line) for line in (tmp_path / "capture.jsonl").read_text().splitlines()]
    assert [(line["ts"], line["conn"], bytes.fromhex(line["hex"])) for line in lines] == frames
    assert {line["protocol"] for line in lines} == {"ykc"}


def test_wrong_windows_are_named() -> None:
    plan = build_plan(simple_fleet(1), 1, FROM_MS, LIVE_MS)
    with pytest.raises(FleetError, match="must end after"):
        next(history_frames(plan, LIVE_MS, LIVE_MS))
    with pytest.raises(FleetError, match="1 s or more"):
        next(history_frames(plan, FROM_MS, LIVE_MS, heartbeat_s=0))


# Each fault leaves its mark.


def heard(plan: Plan) -> list[Charge]:
    """The charges whose whole life lies in the history, but for what outages hide."""
    return [charge for charge in plan.charges() if charge.plug_ms > FROM_MS + 15_000]


def test_repeated_and_lost_records() -> None:
    plan, frames = one_fault(Fault.RECORD_REPEATED)
    records = records_by_trade(frames)
    for charge in heard(plan):
        assert [t for t, _ in records[charge.trade_no]] == [charge.record_ms + i * 30_000 for i in range(3)]
    plan, frames = one_fault(Fault.RECORD_LOST)
    assert not records_by_trade(frames)
    assert readings_by_trade(frames)


@pytest.mark.parametrize("fault", [Fault.OFFLINE_MIDDLE, Fault.OFFLINE_END])
def test_an_outage_is_silent_and_the_record_comes_on_the_next_connection(fault: Fault) -> None:
    plan, frames = one_fault(fault)
    by_pile: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for time_ms, connection, _ in frames:
        by_pile[connection.split("-")[0]].append((time_ms, connection))
    records = records_by_trade(frames)
    for pile in plan.piles:
        assert pile.outages
        for outage in pile.outages:
            assert not [t for t, _ in by_pile[pile.pile.code] if outage.from_ms <= t < outage.to_ms]
            login = next(f for t, c, f in frames if t == outage.to_ms and c.startswith(pile.pile.code))
            assert login[5] == 0x01
        assert len({connection for _, connection in by_pile[pile.pile.code]}) == len(pile.outages) + 1
        for connector in pile.connectors:
            for charge in connector.charges:
                [(sent_ms, _)] = records[charge.trade_no]
                assert sent_ms >= charge.record_ms
                assert fault is Fault.OFFLINE_MIDDLE or sent_ms > charge.record_ms + 60_000


def test_stored_readings_come_after_the_outage_with_their_old_minutes() -> None:
    plan, frames = one_fault(Fault.OFFLINE_STORED)
    readings = readings_by_trade(frames)
    late = 0
    for charge in heard(plan):
        for time_ms, fields in readings[charge.trade_no]:
            minutes_behind = (time_ms - charge.charging_ms) // MINUTE_MS - fields["charge_minutes"]
            late += minutes_behind >= 2
    assert late > 5


def test_a_charger_that_never_comes_back_is_never_heard_again() -> None:
    plan, frames = one_fault(Fault.OFFLINE_FOREVER)
    lost = [pile for pile in plan.piles if pile.outages]
    assert lost
    for pile in lost:
        last = max(time_ms for time_ms, connection, _ in frames if connection.startswith(pile.pile.code))
        assert last < pile.outages[-1].from_ms
        assert not any(upload_times(pile, c) for k in pile.connectors for c in k.charges if c.stop_ms > last)


@pytest.mark.parametrize(
    "fault",
    [Fault.COUNTER_ZERO, Fault.COUNTER_RESET, Fault.COUNTER_ROLLBACK, Fault.COUNTER_SPIKE, Fault.COUNTER_FROZEN],
)
def test_counters_lie_while_records_tell_the_truth(fault: Fault) -> None:
    plan, frames = one_fault(fault)
    readings, records = readings_by_trade(frames), records_by_trade(frames)
    for charge in heard(plan):
        seen = [fields["energy"] for _, fields in readings[charge.trade_no]]
        truth = charge.energy_at(np.array([t for t, _ in readings[charge.trade_no]], dtype=np.int64)).tolist()
        wrong = [(shown, true) for shown, true in zip(seen, truth, strict=True) if shown != true]
        assert wrong
        assert records[charge.trade_no][0][1]["energy"] == charge.energy_e4kwh
        if fault is Fault.COUNTER_ZERO:
            assert {shown for shown, _ in wrong} == {0}
        elif fault is Fault.COUNTER_SPIKE:
            assert {shown - true for shown, true in wrong} == {SPIKE_E4KWH}
            assert len(wrong) <= 2
        else:
            assert all(shown < true for shown, true in wrong)


def test_a_late_first_reading_leaves_much_energy_before_it() -> None:
    plan, frames = one_fault(Fault.LATE_FIRST_READING)
    readings = readings_by_trade(frames)
    for charge in heard(plan):
        time_ms, first = readings[charge.trade_no][0]
        assert time_ms - charge.charging_ms > 60_000
        assert first["energy"] > charge.energy_e4kwh // 4


@pytest.mark.parametrize(
    ("fault", "factor"),
    [(Fault.RECORD_ENERGY_SCALED, 1000), (Fault.RECORD_ENERGY_LOW, 0.93), (Fault.RECORD_ENERGY_ZERO, 0)],
)
def test_records_with_wrong_energy(fault: Fault, factor: float) -> None:
    plan, frames = one_fault(fault)
    records = records_by_trade(frames)
    for charge in heard(plan):
        record = records[charge.trade_no][0][1]
        assert record["energy"] == pytest.approx(charge.energy_e4kwh * factor, abs=4)
        assert record["energy"] == sum(record[f"{name}_energy"] for name in ("sharp", "peak", "flat", "valley"))


def test_a_huge_record_does_not_sum_up() -> None:
    plan, frames = one_fault(Fault.RECORD_ENERGY_HUGE)
    for charge in heard(plan):
        record = records_by_trade(frames)[charge.trade_no][0][1]
        assert record["energy"] >= 200_000_000
        parts = sum(record[f"{name}_energy"] for name in ("sharp", "peak", "flat", "valley"))
        assert parts == charge.energy_e4kwh
        break


def test_records_without_registers() -> None:
    plan, frames = one_fault(Fault.RECORD_METER_ZERO)
    records = records_by_trade(frames)
    for charge in heard(plan):
        record = records[charge.trade_no][0][1]
        assert (record["meter_start"], record["meter_end"]) == (0, 0)
        assert record["energy"] == charge.energy_e4kwh


def test_wrong_clocks_and_durations() -> None:
    plan, frames = one_fault(Fault.CLOCK_OFF)
    records = records_by_trade(frames)
    offsets = set()
    for charge in heard(plan):
        record = records[charge.trade_no][0][1]
        offset = cp56_to_ms(record["end_time"], ZONE) - charge.end_ms
        assert cp56_to_ms(record["start_time"], ZONE) - charge.start_ms == offset
        offsets.add(offset)
    assert offsets == {600_000, -600_000}
    plan, frames = one_fault(Fault.RECORD_END_BEFORE_START)
    for _, record in (rows[0] for rows in records_by_trade(frames).values()):
        assert cp56_to_ms(record["end_time"], ZONE) < cp56_to_ms(record["start_time"], ZONE)
    plan, frames = one_fault(Fault.RECORD_DURATION_LONG)
    records = records_by_trade(frames)
    for charge in heard(plan):
        record = records[charge.trade_no][0][1]
        told_ms = cp56_to_ms(record["end_time"], ZONE) - cp56_to_ms(record["start_time"], ZONE)
        assert told_ms >= charge.end_ms - charge.start_ms + 75 * MINUTE_MS


def test_a_failed_start_has_a_record_of_zero_and_no_charging() -> None:
    plan, frames = one_fault(Fault.START_FAILED)
    assert not readings_by_trade(frames)
    records = records_by_trade(frames)
    for charge in heard(plan):
        record = records[charge.trade_no][0][1]
        assert record["energy"] == 0
        assert 0x4A <= record["stop_reason"] <= 0x69
        assert 5_000 <= charge.end_ms - charge.start_ms <= 12_000


def test_doubled_frames_are_the_same_bytes() -> None:
    _, frames = one_fault(Fault.DUPLICATED_FRAMES)
    charging = [frame for _, _, frame in frames if frame[5] == 0x13 and frame[6 + 24] == 3]
    assert sum(charging.count(frame) == 2 for frame in charging[:200]) > 150


def test_noise_is_on_the_line_and_no_good_frame_is_missing() -> None:
    plan, frames = one_fault(Fault.GARBAGE_ON_LINE)
    assert sum(not is_whole(frame) for _, _, frame in frames) > 20
    quiet = build_plan(simple_fleet(4), 3, FROM_MS, LIVE_MS, faults=FaultMix({Fault.GARBAGE_ON_LINE: 1.0}))
    readings = readings_by_trade(frames)
    assert all(readings[charge.trade_no] for charge in heard(quiet))
    assert heard(plan)
