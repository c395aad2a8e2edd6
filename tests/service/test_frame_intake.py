"""Simulated frames become bills in a folder of their own, block by block, also from several processes."""

import multiprocessing
from pathlib import Path

import pytest

from analytics.client import ClickHouseAddress, connect
from benchmarks.fleet.faults import FaultMix
from benchmarks.fleet.history import history_frames
from benchmarks.fleet.master_data import fleet_of
from benchmarks.fleet.plan import HOUR_MS, Plan, build_plan
from service.demo import MASTER_FILE
from service.frame_intake import FrameIntake, Taken, frame_intake
from service.settings import Settings

FROM_MS = 1_795_309_200_000  # in the morning, when many charge
TO_MS = FROM_MS + 2 * HOUR_MS
CLEAN = FaultMix({})


def plan_of(part: int) -> Plan:
    """One of two disjoint parts of a small fleet."""
    return build_plan(fleet_of(MASTER_FILE)[part:24:2], 7, FROM_MS, TO_MS, faults=CLEAN)


def take_part(intake: FrameIntake, part: int) -> Taken:
    """Its frames, until all has ended."""
    return intake.take(history_frames(plan_of(part), FROM_MS, TO_MS + 8 * HOUR_MS, heartbeat_s=60))


def take_elsewhere(intake: tuple[Settings, ClickHouseAddress], part: int) -> None:
    """The same in a process of its own."""
    other = FrameIntake(*intake, name="other")
    take_part(other, part)
    other.close()


@pytest.mark.server
def test_blocks_of_two_processes_become_bills_in_a_folder_of_their_own(
    tmp_path: Path, database_address: ClickHouseAddress
) -> None:
    settings = Settings(data=str(tmp_path), clickhouse=database_address.url())
    (tmp_path / "evaluate").mkdir()
    (tmp_path / "evaluate" / "old.txt").write_text("of an earlier run")
    with frame_intake(settings, MASTER_FILE) as intake, multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply_async(take_elsewhere, ((intake.settings, intake.address), 1))
        here = take_part(intake, 0)
        elsewhere.get(120)
        client = intake.client()
        stored = client.execute("SELECT count(), uniqExact(pile_id), countIf(empty(codes)), sum(held) FROM bills")
        checked = intake.check_conformance()
        client.disconnect()
    assert here.decided.failed_sessions == 0
    ((count, piles, without_codes, held),) = stored
    charges = [
        charge for part in (0, 1) for pile in plan_of(part).piles for gun in pile.connectors for charge in gun.charges
    ]
    assert count == len(charges) > 12
    assert piles == len({charge.pile.code for charge in charges})
    assert checked >= count
    assert (without_codes, held) == (count, 0)
    assert not (tmp_path / "evaluate" / "old.txt").exists()
    assert list((tmp_path / "evaluate").glob("spool-*")) == []
    untouched = connect(database_address)
    assert untouched.execute("SELECT count() FROM readings") == [(0,)]
    untouched.disconnect()
