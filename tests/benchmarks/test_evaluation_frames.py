"""The frames of an evaluation: they decode, they say what the charges tell, and they come in the order of time."""

import tomllib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from backoffice.database import open_database
from backoffice.directory import read_directory
from backoffice.master_file import load_master_file
from benchmarks.evaluation.chargers import MODELS, TARIFFS
from benchmarks.evaluation.history import ToldCharger, block_frames
from benchmarks.evaluation.run import blocks, master_file
from benchmarks.evaluation.stories import told_charges
from benchmarks.fleet.history import HistoryFrame
from core.aaf5.codec import decode_frame as decode_aaf5
from core.meter.profile import MeterProfile
from core.ykc.codec import decode_frame as decode_ykc
from core.ykc.realtime import decode_realtime

Chargers = list[ToldCharger]


@pytest.fixture(scope="module")
def chargers() -> Chargers:
    return [told_charges(3, number, "each", 3) for number in range(2 * len(MODELS))]


@pytest.fixture(scope="module")
def frames(chargers: Chargers) -> list[HistoryFrame]:
    return list(block_frames(chargers))


def test_frames_come_in_the_order_of_time(frames: list[HistoryFrame]) -> None:
    times = [time_ms for time_ms, _, _ in frames]
    assert times == sorted(times)


def test_frames_of_every_kind_can_be_decoded(frames: list[HistoryFrame]) -> None:
    for _, connection, frame in frames[::11]:
        decoded = (decode_aaf5 if connection.startswith("aaf5-") else decode_ykc)(frame)
        assert decoded.fields, frame.hex()
        assert decoded.layout_ok, frame.hex()


def test_ykc_readings_say_what_the_charges_tell(chargers: Chargers, frames: list[HistoryFrame]) -> None:
    seen: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for time_ms, _, frame in frames:
        row = decode_realtime(frame) if frame[0] == 0x68 else None
        if row is not None and row["state"] == 3:
            seen[f"{row['trade_hi']:016X}{row['trade_lo']:016X}"].append((time_ms, row["energy_e4kwh"]))
    for drawn, told in chargers:
        for charge in told if drawn.model.protocol == "ykc" else ():
            registers = charge.readings.register & 0xFFFF_FFFF
            arrived = sorted(registers.tolist())
            assert sorted(value for _, value in seen.pop(charge.truth.trade_no, [])) == arrived, charge.truth
    assert not seen


def test_aaf5_readings_and_records_say_what_the_charges_tell(chargers: Chargers, frames: list[HistoryFrame]) -> None:
    statuses: dict[str, list[int]] = defaultdict(list)
    records: dict[str, list[int]] = defaultdict(list)
    for _, connection, frame in frames:
        decoded = decode_aaf5(frame) if frame[0] == 0xAA else None
        if decoded is None:
            continue
        code = connection.removeprefix("aaf5-").rpartition("-")[0]
        if decoded.name == "status" and decoded.fields["work_state"] == 2:
            statuses[code].append(round(float(str(decoded.fields["meter_now"])) * 100))
        elif decoded.name == "record":
            records[code].append(round(float(str(decoded.fields["energy"])) * 100))
    for drawn, told in chargers:
        if drawn.model.protocol != "aaf5":
            continue
        registers = np.concatenate([charge.readings.register for charge in told]) // 100 & 0xFFFF_FFFF
        assert sorted(statuses[drawn.pile.code]) == sorted(registers.tolist())
        energies = [one.record.energy // 100 & 0xFFFF_FFFF for one in told if one.record for _ in one.record.sent_ms]
        assert sorted(records[drawn.pile.code]) == sorted(energies)


def test_ykc_numbers_count_from_zero_on_each_connection(chargers: Chargers, frames: list[HistoryFrame]) -> None:
    repeating = {
        drawn.pile.code
        for drawn, told in chargers
        if any(charge.story.copies or "out_of_order" in charge.story.faults for charge in told)
    }
    seqs: dict[str, list[int]] = defaultdict(list)
    for _, connection, frame in frames:
        if frame[0] == 0x68 and frame[5] == 0x13:
            seqs[connection].append(int.from_bytes(frame[2:4], "little"))
    checked = [name for name in seqs if name.rpartition("-")[0] not in repeating]
    assert checked
    for name in checked:
        assert all(later > earlier for earlier, later in zip(seqs[name], seqs[name][1:], strict=False)), name


def test_nothing_is_said_while_a_charger_is_away(chargers: Chargers, frames: list[HistoryFrame]) -> None:
    arrived: dict[str, list[int]] = defaultdict(list)
    for time_ms, connection, _ in frames:
        arrived[connection.removeprefix("aaf5-").rpartition("-")[0]].append(time_ms)
    silences = 0
    for drawn, told in chargers:
        times = np.array(arrived[drawn.pile.code])
        for charge in told:
            for silence in charge.story.silences:
                under_way_ms = 20_000
                inside = (times >= silence.from_ms + under_way_ms) & (times < silence.to_ms)
                assert not inside.any(), charge.truth
                silences += 1
    assert silences > 3


def test_the_master_data_is_that_of_the_chargers(tmp_path: Path, chargers: Chargers) -> None:
    path = tmp_path / "chargers.toml"
    path.write_text(master_file(20 * len(MODELS)), "utf-8")
    assert tomllib.loads(path.read_text("utf-8"))["models"]
    engine = open_database(f"sqlite:///{tmp_path / 'backoffice.db'}")
    load_master_file(engine, path)
    piles = {pile.code: pile for pile in read_directory(engine)}
    for drawn, _ in chargers:
        pile, model = piles[drawn.pile.code], drawn.model
        assert pile.learns == tuple(sorted(model.learns, key=pile.learns.index))
        assert [version.model_no for version in pile.tariffs] == [version.model_no for version in TARIFFS]
        if not model.learns:
            profile = MeterProfile.of_pile(pile)
            assert (profile.register_kind, profile.quantum_e4kwh) == (model.register, model.quantum_e4kwh)
            assert profile.digits == model.wraps_at_digits
            assert profile.pmax_w == model.rated_kw * 1_100


@pytest.mark.parametrize("sessions", [1, 220, 4_444, 100_000])
def test_blocks_hold_every_session_once(sessions: int) -> None:
    wanted = blocks(sessions, 1, "historic")
    numbers = [number for block in wanted for number, _ in block.chargers]
    assert len(set(numbers)) == len(numbers)
    assert sum(block.sessions for block in wanted) == sessions
    assert max(len(block.chargers) for block in wanted) <= 220
