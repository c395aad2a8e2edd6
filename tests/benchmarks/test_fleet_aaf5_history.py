"""The written history of AAF5 chargers: whole frames, in order, that tell of the plan's charges."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.fleet import history
from benchmarks.fleet.aaf5_session import session_of
from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.history import HistoryFrame, history_frames, write_capture
from benchmarks.fleet.piles import simple_aaf5_fleet, simple_fleet
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, Plan, build_plan, demo_plan
from core.aaf5.codec import START_BYTES, decode_body, raw_fields
from core.aaf5.session_no import session_number
from core.aaf5.splitter import FRAME_LE, Aaf5Splitter

LIVE_MS = 1_795_363_200_000
FROM_MS = LIVE_MS - 8 * HOUR_MS


def named(fields: dict[str, Any], code: str) -> str:
    """The session that a status or a record names."""
    return session_number(code, fields["gun_no"], fields.get("serial", ""), fields["start_time"])


@pytest.fixture(scope="module")
def mixed() -> tuple[Plan, list[HistoryFrame]]:
    plan = demo_plan(simple_aaf5_fleet(16), 4, LIVE_MS, history_ms=8 * HOUR_MS)
    return plan, list(history_frames(plan, FROM_MS, LIVE_MS))


@pytest.fixture(scope="module")
def clean() -> tuple[Plan, list[HistoryFrame]]:
    plan = build_plan(simple_aaf5_fleet(8), 4, FROM_MS, LIVE_MS, faults=FaultMix({}))
    return plan, list(history_frames(plan, FROM_MS, LIVE_MS + 4 * HOUR_MS))


def fields_of(frame: bytes) -> tuple[int, dict[str, Any]]:
    command = int.from_bytes(frame[6:8], "little")
    return command, raw_fields(command, frame[8:-1])


DOWN = {5, 7, 105, 201, 203}


def test_every_frame_is_whole_and_fits_its_table(mixed: tuple[Plan, list[HistoryFrame]]) -> None:
    commands: set[int] = set()
    sizes: set[int] = set()
    for _, _, frame in mixed[1]:
        if not frame.startswith(START_BYTES):
            continue
        splitter = Aaf5Splitter()
        assert splitter.feed_bytes(frame) == 1
        assert splitter.span(0) == (FRAME_LE, frame)
        command = int.from_bytes(frame[6:8], "little")
        if command not in commands or command in (8, 202, 204):
            assert decode_body(command, frame[8:-1]).layout_ok
        commands.add(command)
        if command == 104:
            sizes.add(len(frame) - 9)
    assert {102, 104, 106, 202, 8} <= commands <= {102, 104, 106, 202, 204, 6, 8, 11, 14, 108} | DOWN
    assert {7, 105, 201} <= commands
    assert sizes == {169, 173, 205}


def test_each_connection_begins_with_a_login_and_speaks_for_one_gun_or_all(
    mixed: tuple[Plan, list[HistoryFrame]],
) -> None:
    plan, frames = mixed
    assert [time_ms for time_ms, _, _ in frames] == sorted(time_ms for time_ms, _, _ in frames)
    seen: dict[str, set[str]] = defaultdict(set)
    counted: dict[str, list[int]] = defaultdict(list)
    for _, connection, frame in frames:
        if not frame.startswith(START_BYTES):
            continue
        command, fields = fields_of(frame)
        assert command == 106 or connection in seen
        if command in DOWN or command == 6:
            continue
        seen[connection].add(fields["pile_code"])
        counted[connection].append(frame[5])
    assert all(len(codes) == 1 for codes in seen.values())
    letters = {pile.pile.code for pile in plan.piles if pile.pile.gun_letters}
    for connection, codes in seen.items():
        [code] = codes
        assert (code[:-1] in letters) == (len(code) == 15)
        if len(code) == 14:
            assert counted[connection] == [number % 256 for number in range(len(counted[connection]))]


def test_clean_charges_read_and_bill_the_truth(clean: tuple[Plan, list[HistoryFrame]]) -> None:
    plan, frames = clean
    readings: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    records: dict[str, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for time_ms, _, frame in frames:
        command, fields = fields_of(frame)
        code = fields.get("pile_code", "")[:14]
        if command == 104 and fields["work_state"] == 2:
            readings[named(fields, code)].append((time_ms, fields))
        elif command == 202:
            records[named(fields, code)].append((time_ms, fields))
    traits = {pile.pile.code: pile.aaf5 for pile in plan.piles}
    charges = [charge for charge in plan.charges() if charge.plug_ms > FROM_MS + 15_000]
    assert len(charges) > 20
    for charge in charges:
        aaf5 = traits[charge.pile.code]
        assert aaf5 is not None
        number = session_of(charge, aaf5).number
        seen = readings[number]
        times = np.array([time_ms for time_ms, _ in seen], dtype=np.int64)
        truth = (charge.meter_start_e4kwh + charge.energy_at(times)) // 100
        assert [fields["meter_now"] for _, fields in seen] == truth.tolist()
        assert all(f["energy"] == f["meter_now"] - f["meter_before"] for _, f in seen)
        assert int(np.diff(times).max()) < 16_000
        # By its own clock the reading is as old as it says.
        assert all(abs(charge.start_ms + f["duration"] * 1_000 - time_ms) < 2_000 for time_ms, f in seen)
        [(sent_ms, record)] = records[number]
        assert sent_ms == charge.record_ms
        assert sum(record["half_hour_energy"]) == record["energy"] == record["meter_after"] - record["meter_before"]
        assert abs(record["energy"] - charge.energy_e4kwh // 100) <= 1


def test_an_idle_gun_repeats_its_last_session(clean: tuple[Plan, list[HistoryFrame]]) -> None:
    last: dict[tuple[str, int], dict[str, Any]] = {}
    repeated = 0
    for _, _, frame in clean[1]:
        command, fields = fields_of(frame)
        key = fields.get("pile_code", ""), fields.get("gun_no", 0)
        if command == 202:
            last[key] = fields
        elif command == 104 and fields["work_state"] != 2 and key in last and fields["car_conn"] == 0:
            assert fields["meter_now"] == last[key]["meter_after"]
            assert fields["start_time"] == last[key]["start_time"]
            assert fields["dc_current"] == fields["ac_current_a"] == 0
            repeated += 1
    assert repeated > 100


def test_block_borders_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = demo_plan(simple_aaf5_fleet(4), 4, LIVE_MS, history_ms=3 * HOUR_MS)
    whole = list(history_frames(plan, LIVE_MS - 3 * HOUR_MS, LIVE_MS))
    monkeypatch.setattr(history, "BLOCK_MS", 7 * MINUTE_MS + 123)
    assert list(history_frames(plan, LIVE_MS - 3 * HOUR_MS, LIVE_MS)) == whole


def test_a_capture_names_the_protocol_of_each_line(tmp_path: Path) -> None:
    fleet = simple_fleet(1) + simple_aaf5_fleet(1)
    plan = build_plan(fleet, 1, FROM_MS, FROM_MS + HOUR_MS)
    write_capture(tmp_path / "capture.jsonl", history_frames(plan, FROM_MS, FROM_MS + HOUR_MS))
    lines = [json.loads(line) for line in (tmp_path / "capture.jsonl").read_text().splitlines()]
    assert {line["protocol"] for line in lines} == {"ykc", "aaf5"}
    assert all((line["protocol"] == "aaf5") == line["hex"].startswith("AAF5") for line in lines)


@pytest.mark.parametrize("fault", [Fault.RECORD_REPEATED, Fault.DUPLICATED_FRAMES, Fault.OFFLINE_STORED])
def test_repeats_and_stored_readings(fault: Fault) -> None:
    plan = build_plan(simple_aaf5_fleet(3), 3, FROM_MS, LIVE_MS, faults=FaultMix({fault: 1.0}))
    frames = list(history_frames(plan, FROM_MS, LIVE_MS + 6 * HOUR_MS, heartbeat_s=60))
    if fault is Fault.RECORD_REPEATED:
        records = [time_ms for time_ms, _, frame in frames if frame[6:8] == b"\xca\x00"]
        assert len(records) == 3 * len(plan.charges())
        assert 10_000 in np.diff(sorted(records))
    elif fault is Fault.DUPLICATED_FRAMES:
        charging = [frame[6:] for _, _, frame in frames if frame[6:8] == b"\x68\x00" and frame[47] == 2]
        assert sum(charging.count(frame) >= 2 for frame in charging[:200]) > 150
    else:
        late = 0
        for time_ms, _, frame in frames:
            command, fields = fields_of(frame)
            if command == 104 and fields["work_state"] == 2:
                starts = [c.start_ms for c in plan.charges() if c.start_ms <= time_ms]
                late += time_ms - max(starts) - fields["duration"] * 1_000 > 120_000 and bool(starts)
        assert late > 5
