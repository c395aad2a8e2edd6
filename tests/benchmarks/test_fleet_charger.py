"""Live chargers against a scripted platform on real sockets, by a clock that leaps over every pause."""

import asyncio
import json
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.history import history_frames
from benchmarks.fleet.live import LiveFleet
from benchmarks.fleet.piles import simple_fleet
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, Outage, Plan, demo_plan
from core.tariff_version import CLASS_NAMES
from core.ykc.codec import encode_raw, raw_fields

LIVE_MS = 1_795_363_200_000
CLEAN = FaultMix({})

Platform = Any
Serve = Callable[..., AbstractAsyncContextManager[Platform]]

pytestmark = pytest.mark.server


Play = Callable[..., LiveFleet]


def one_pile(*, faults: FaultMix = CLEAN, seed: int = 8, kind: int = 0) -> Plan:
    """A plan for one charger: `kind` 0 is DC with two connectors, 3 AC with one."""
    return demo_plan(simple_fleet(4)[kind : kind + 1], seed, LIVE_MS, history_ms=3 * HOUR_MS, faults=faults)


def test_login_tariff_and_clock_come_before_anything_else(play: Play) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(platform.of_type(0x13)) >= 2 and len(platform.of_type(0x03)) >= 3)
        assert fleet.chargers[0].online

    async def kinds(fleet: LiveFleet, platform: Platform) -> None:
        await scenario(fleet, platform)
        order = [kind for kind, _, _ in platform.frames]
        assert order[0] == 0x01
        first = [kind for i, kind in enumerate(order) if kind not in order[:i]]
        assert first.index(0x05) < first.index(0x09) < first.index(0x13)
        # The reply to 0x56 carries its sequence bytes and the charger's time.
        [(_, seq, body)] = [frame for frame in platform.frames if frame[0] == 0x55][:1]
        assert seq == b"\x07\x01"
        assert len(body) == 14
        assert fleet.chargers[0].tariff.model_no == "0777"
        assert fleet.chargers[0].tariff.service_price_e5yuan == (50_000,) * 4

    play(one_pile(), kinds)


def test_the_live_run_shows_the_sessions_of_the_history(play: Play) -> None:
    plan = demo_plan(simple_fleet(12), 8, LIVE_MS, history_ms=2 * HOUR_MS, faults=CLEAN)
    begin_ms, end_ms = LIVE_MS + 15_000, LIVE_MS + 30 * MINUTE_MS

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: fleet.chargers[0].clock.now_ms() > end_ms)
        live = _by_trade([(kind, body) for kind, _, body in platform.frames])
        written = _by_trade([(frame[5], frame[6:-2]) for _, _, frame in history_frames(plan, LIVE_MS, end_ms)])
        compared = 0
        for charge in plan.charges():
            begun = charge.charging_ms < LIVE_MS or charge.plug_ms > begin_ms
            # Who is asked for at the platform charges under its number.
            if charge.asks_by or not begun or not begin_ms < charge.stop_ms < end_ms - MINUTE_MS:
                continue
            # Before this energy the two differ: each shows its connectors once after its own login.
            energy = int(charge.counter_at(np.array([begin_ms], dtype=np.int64))[0])
            played = [told for told in live[charge.trade_no] if told["type"] != 0x13 or told["energy"] > energy]
            history = [told for told in written[charge.trade_no] if told["type"] != 0x13 or told["energy"] > energy]
            assert played == history
            assert len(played) > 3
            compared += 1
        assert compared >= 10

    play(plan, scenario)


def _by_trade(frames: list[tuple[int, bytes]]) -> dict[str, list[dict[str, Any]]]:
    """What was told of each charge, but for money: the scripted platform has a tariff of its own."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for kind, body in frames:
        if kind in (0x13, 0x15, 0x17, 0x19, 0x1D, 0x21, 0x3B):
            fields = raw_fields(kind, body)
            told = {
                name: value
                for name, value in fields.items()
                if not name.endswith(("amount", "price")) and not name.startswith(CLASS_NAMES)
            }
            found[fields["trade_no"]].append({"type": kind, **told})
    return found


def test_sessions_under_way_are_continued(play: Play) -> None:
    plan = one_pile()
    under_way = [charge for charge in plan.charges() if charge.charging_ms < LIVE_MS < charge.stop_ms - 60_000]
    assert under_way

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(
            lambda: {charge.trade_no for charge in under_way} <= {f["trade_no"] for f in platform.of_type(0x3B)}
        )
        for charge in under_way:
            readings = [f["energy"] for f in platform.of_type(0x13) if f["trade_no"] == charge.trade_no]
            [record] = [f for f in platform.of_type(0x3B) if f["trade_no"] == charge.trade_no]
            assert readings == sorted(readings)
            assert readings[0] > 0
            assert record["energy"] == charge.energy_e4kwh >= readings[-1]

    fleet = play(plan, scenario)
    assert {charge.trade_no for charge in under_way} <= set(fleet.report()["acked_bills"])


def test_a_record_without_acknowledgement_is_sent_three_times_then_after_five_minutes(
    play: Play,
) -> None:
    plan = one_pile()

    def silent(kind: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        return [] if kind == 0x3B else None

    times: list[int] = []

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        def sendings() -> int:
            sent = platform.of_type(0x3B)
            if sent:
                mine = sum(f["trade_no"] == sent[0]["trade_no"] for f in sent)
                if mine > len(times):
                    times.append(fleet.chargers[0].clock.now_ms())
            return len(times)

        await platform.until(lambda: sendings() >= 4)
        await platform.until(lambda: fleet.chargers[0].clock.now_ms() > times[-1] + 2 * MINUTE_MS)
        assert sendings() == 4

    fleet = play(plan, scenario, script=silent)
    gaps = [time - times[0] for time in times]
    assert gaps == [pytest.approx(expected, abs=1_000) for expected in (0, 30_000, 60_000, 300_000)]
    report = fleet.report()
    assert report["unacked"]
    assert not report["acked_bills"]


def test_a_kept_record_is_sent_again_after_the_next_login(play: Play) -> None:
    answered = False

    def script(kind: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        return [] if kind == 0x3B and not answered else None

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        nonlocal answered
        await platform.until(lambda: platform.of_type(0x3B))
        trade_no = platform.of_type(0x3B)[0]["trade_no"]
        answered = True
        platform.hang_up()
        await platform.until(lambda: trade_no in fleet.chargers[0].acknowledged)
        assert platform.connections == 2

    play(one_pile(), scenario, script=script)


def test_a_record_answered_with_invalid_is_kept_and_not_repeated(play: Play) -> None:
    def script(kind: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        if kind != 0x3B:
            return None
        return [encode_raw("record_ack", {"trade_no": fields["trade_no"], "result": 1}, seq=seq)]

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.of_type(0x3B))
        trade_no = platform.of_type(0x3B)[0]["trade_no"]
        begin = fleet.chargers[0].clock.now_ms()
        await platform.until(lambda: fleet.chargers[0].clock.now_ms() > begin + 2 * MINUTE_MS)
        assert sum(f["trade_no"] == trade_no for f in platform.of_type(0x3B)) == 1
        assert trade_no in fleet.report()["unacked"]

    play(one_pile(), scenario, script=script)


def test_a_refused_login_is_tried_again_later(play: Play) -> None:
    def script(kind: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        if kind != 0x01:
            return None
        return [encode_raw("login_ack", {"pile_code": fields["pile_code"], "result": 1}, seq=seq)]

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.connections >= 2)
        assert {kind for kind, _, _ in platform.frames} == {0x01}
        assert not fleet.chargers[0].online

    fleet = play(one_pile(), scenario, script=script)
    assert fleet.counters.logins_refused >= 1


def test_three_missing_heartbeats_bring_a_new_connection(play: Play) -> None:
    def script(kind: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        return [] if kind == 0x03 else None

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.connections >= 2)
        assert len(platform.of_type(0x03)) >= 3

    play(one_pile(), scenario, script=script)


def test_in_an_outage_the_charger_is_silent_and_then_logs_in_again(play: Play) -> None:
    plan = one_pile()
    outage = Outage(LIVE_MS + 60_000, LIVE_MS + 5 * MINUTE_MS)
    plan = msgspec.structs.replace(plan, piles=(msgspec.structs.replace(plan.piles[0], outages=(outage,)),))

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: clock.now_ms() > outage.from_ms + 20_000)
        heard = len(platform.frames)
        assert heard > 3
        await platform.until(lambda: clock.now_ms() > outage.to_ms - 20_000)
        assert len(platform.frames) == heard
        await platform.until(lambda: len(platform.of_type(0x01)) >= 2)

    play(plan, scenario)


class DirectOrders:
    """Orders by app that go straight to the scripted platform's socket; each start has a number of its own."""

    def __init__(self) -> None:
        self.platform: Platform = None
        self.started: list[str] = []
        self.stopped: list[tuple[str, int]] = []

    async def start(self, pile_code: str, connector: int) -> bool:
        self.started.append(f"99{len(self.started):030d}")
        self.platform.send(_remote_start(pile_code, connector, self.started[-1]))
        return True

    async def stop(self, pile_code: str, connector: int) -> bool:
        self.stopped.append((pile_code, connector))
        stop = {"pile_code": pile_code, "gun_no": f"{connector:02d}"}
        self.platform.send(encode_raw("remote_stop", stop, seq=b"\x05\x00"))
        return True


def _remote_start(pile_code: str, connector: int, trade_no: str) -> bytes:
    fields = {
        "trade_no": trade_no,
        "pile_code": pile_code,
        "gun_no": f"{connector:02d}",
        "logical_card": "0" * 16,
        "physical_card": "0" * 16,
        "balance": 10_000,
    }
    return encode_raw("remote_start", fields, seq=b"\x09\x00")


def test_an_order_by_app_starts_the_charge_under_the_platforms_number(play: Play) -> None:
    orders = DirectOrders()

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        orders.platform = platform
        await platform.until(lambda: {f["trade_no"] for f in platform.of_type(0x3B)} & set(orders.started))
        record = next(f for f in platform.of_type(0x3B) if f["trade_no"] in orders.started)
        reply = next(f for f in platform.of_type(0x33) if f["trade_no"] == record["trade_no"])
        assert (reply["result"], reply["fail_reason"]) == (1, 0)
        assert next(seq for kind, seq, _ in platform.frames if kind == 0x33) == b"\x09\x00"
        readings = [f for f in platform.of_type(0x13) if f["trade_no"] == record["trade_no"]]
        assert readings[0]["state"] == 3
        assert readings[0]["energy"] == 0
        assert record["start_mode"] == 1
        assert record["energy"] >= readings[-1]["energy"] > 0
        await platform.until(lambda: record["trade_no"] in fleet.report()["acked_bills"])

    play(one_pile(), scenario, orders=orders)


def test_a_driver_whose_order_never_arrives_leaves(play: Play) -> None:
    class DeafOrders(DirectOrders):
        async def start(self, pile_code: str, connector: int) -> bool:
            return False

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: fleet.counters.starts_abandoned)
        await platform.until(lambda: [f["plugged"] for f in platform.of_type(0x13)][-1] == 0)
        assert not platform.of_type(0x33)

    play(one_pile(), scenario, orders=DeafOrders())


def test_orders_at_the_wrong_moment_are_refused_by_their_reason(play: Play) -> None:
    plan = one_pile(kind=0)
    charging = next(charge for charge in plan.charges() if charge.charging_ms < LIVE_MS < charge.stop_ms - 90_000)
    code = charging.pile.code

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: any(f["trade_no"] == charging.trade_no for f in platform.of_type(0x13)))
        platform.send(_remote_start(code, charging.connector, "1" * 32))
        await platform.until(lambda: platform.of_type(0x33))
        reply = platform.of_type(0x33)[0]
        assert (reply["trade_no"], reply["result"], reply["fail_reason"]) == ("1" * 32, 0, 2)
        # Another charger's code is ignored; a stop ends the charge at once, and a second one finds none.
        platform.send(_remote_start("32010600019999", 1, "2" * 32))
        stop = encode_raw("remote_stop", {"pile_code": code, "gun_no": f"{charging.connector:02d}"}, seq=b"\x05\x00")
        platform.send(stop)
        await platform.until(lambda: any(f["trade_no"] == charging.trade_no for f in platform.of_type(0x3B)))
        platform.send(stop)
        await platform.until(lambda: len(platform.of_type(0x35)) >= 2)
        assert [(f["result"], f["fail_reason"]) for f in platform.of_type(0x35)] == [(1, 0), (0, 2)]
        assert len(platform.of_type(0x33)) == 1
        record = next(f for f in platform.of_type(0x3B) if f["trade_no"] == charging.trade_no)
        readings = [f["energy"] for f in platform.of_type(0x13) if f["trade_no"] == charging.trade_no]
        assert readings[-1] <= record["energy"] < charging.energy_e4kwh
        assert record["stop_reason"] == 0x40

    play(plan, scenario)


def test_a_start_before_the_plug_is_refused_and_accepted_when_the_plug_comes_in_time(play: Play) -> None:
    plan = one_pile()
    coming = min(
        (charge for charge in plan.charges() if charge.plug_ms > LIVE_MS + MINUTE_MS), key=lambda charge: charge.plug_ms
    )

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: clock.now_ms() > coming.plug_ms - 20_000)
        platform.send(_remote_start(coming.pile.code, coming.connector, "7" * 32))
        await platform.until(lambda: len(platform.of_type(0x33)) >= 2)
        replies = platform.of_type(0x33)
        assert [(f["result"], f["fail_reason"]) for f in replies] == [(0, 5), (1, 0)]
        await platform.until(lambda: any(f["trade_no"] == "7" * 32 for f in platform.of_type(0x13)))

    play(plan, scenario)


def test_faults_are_played_on_the_line(play: Play) -> None:
    plan = one_pile(faults=FaultMix({Fault.GARBAGE_ON_LINE: 1.0}))

    async def noisy(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(platform.of_type(0x3B)) >= 1)
        assert platform.noise

    play(plan, noisy)
    plan = one_pile(faults=FaultMix({Fault.RECORD_REPEATED: 1.0}))

    async def repeated(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(platform.of_type(0x3B)) >= 3)
        first = platform.of_type(0x3B)[0]["trade_no"]
        await platform.until(lambda: sum(f["trade_no"] == first for f in platform.of_type(0x3B)) == 3)
        assert fleet.report()["acked_bills"].count(first) == 1

    play(plan, repeated)


def test_dc_chargers_send_the_vehicles_wishes_beside_each_reading(play: Play) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(platform.of_type(0x23)) >= 3 and len(platform.of_type(0x25)) >= 3)

    play(one_pile(), scenario, with_bms=True)


@pytest.mark.parametrize("ending", ["time", "signal", "parent gone"])
def test_the_command_says_ready_and_writes_its_report(scripted_platform: Serve, tmp_path: Path, ending: str) -> None:
    report = tmp_path / "run" / "fleet.json"

    async def run() -> Any:
        async with scripted_platform() as platform:
            command = [sys.executable, "-m", "benchmarks.fleet.run", "--port", str(platform.port), "--piles", "5"]
            command += ["--report", str(report), *(["--seconds", "3"] if ending == "time" else [])]
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            assert process.stdin is not None
            assert process.stdout is not None
            ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
            assert ready == {"ready": True, "chargers": 5}
            # By the hour of the day one or the other of them may be in an outage.
            await platform.until(lambda: len({f["pile_code"] for f in platform.of_type(0x03)}) >= 3, 20)
            if ending == "signal":
                process.send_signal(signal.SIGTERM)
            if ending == "parent gone":
                process.stdin.close()
            out: Awaitable[tuple[bytes, bytes]] = process.communicate()
            _, errors = await asyncio.wait_for(out, 15)
            assert (process.returncode, errors) == (0, b"")
            return platform.of_type(0x3B)

    records = asyncio.run(run())
    told = json.loads(report.read_text())
    assert told["chargers"] == 5
    assert 3 <= told["online"] <= 5
    assert set(told["acked_bills"]) <= {record["trade_no"] for record in records}
    assert told["frames_sent"] > 10


def test_the_command_refuses_a_fleet_that_is_none(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "benchmarks.fleet.run",
        "--port",
        "1",
        "--master-file",
        str(tmp_path / "none.toml"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "none.toml" in done.stderr
