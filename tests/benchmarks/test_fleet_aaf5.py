"""Live AAF5 chargers against a scripted platform on real sockets, by a clock that leaps over every pause."""

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.history import history_frames
from benchmarks.fleet.live import LiveFleet
from benchmarks.fleet.piles import simple_aaf5_fleet
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, Plan, demo_plan
from core.aaf5.bcd_time import bcd8_to_ms, ms_to_bcd8
from core.aaf5.codec import encode_raw, raw_fields
from core.aaf5.session_no import session_number

LIVE_MS = 1_795_363_200_000
CLEAN = FaultMix({})
HEAD = {"reserved1": 0, "reserved2": 0}
WITH_LETTERS, WITH_SERIAL, ONE_LETTER, ONE_GUN = range(4)

Platform = Any
Play = Callable[..., LiveFleet]

pytestmark = pytest.mark.server


def named(fields: dict[str, Any], code: str) -> str:
    """The session that a status or a record names."""
    return session_number(code, fields["gun_no"], fields.get("serial", ""), fields["start_time"])


def one_pile(kind: int, *, faults: FaultMix = CLEAN, seed: int = 8, **traits: Any) -> Plan:
    """A plan for one charger of a kind, with other traits than drawn."""
    plan = demo_plan(simple_aaf5_fleet(4)[kind : kind + 1], seed, LIVE_MS, history_ms=3 * HOUR_MS, faults=faults)
    [pile] = plan.piles
    assert pile.aaf5 is not None
    changed = msgspec.structs.replace(pile, aaf5=msgspec.structs.replace(pile.aaf5, **traits))
    return msgspec.structs.replace(plan, piles=(changed,))


def coming(plan: Plan) -> Any:
    """The first charge whose vehicle comes in a minute or later."""
    return min((c for c in plan.charges() if c.plug_ms > LIVE_MS + MINUTE_MS), key=lambda charge: charge.plug_ms)


def under_way(plan: Plan) -> Any:
    """The charge that has energy flowing now and for some minutes more, None when there is none."""
    return next((c for c in plan.charges() if c.charging_ms < LIVE_MS < c.stop_ms - 2 * MINUTE_MS), None)


def busy_pile(kind: int) -> Plan:
    """A plan for one charger that charges now."""
    return next(plan for plan in (one_pile(kind, seed=seed) for seed in range(1, 40)) if under_way(plan))


def with_charges(plan: Plan, *charges: Any) -> Plan:
    """The same charger with one gun that has these charges only."""
    [pile] = plan.piles
    connector = msgspec.structs.replace(pile.connectors[0], charges=charges)
    return msgspec.structs.replace(plan, piles=(msgspec.structs.replace(pile, connectors=(connector,)),))


def start(charge: Any, *, user_id: int = 4711, serial: str = "") -> bytes:
    order = {
        **HEAD,
        "reserved1": user_id,
        "gun_no": charge.pile.plain_gun_no(charge.connector),
        "effective": 0,
        "reserved3": 0,
        "strategy": 0,
        "strategy_param": 0,
        "start_time": bytes(8),
        "appt_timeout": 0,
        "card": "4711",
        "value1": 0,
        "value2": 0,
        "serial": serial,
    }
    return encode_raw("start", order)


def control(charge: Any, addr: int, param: int = 0) -> bytes:
    order = {**HEAD, "gun_no": charge.pile.plain_gun_no(charge.connector), "addr": addr, "count": 1}
    return encode_raw("control", {**order, "byte_len": 4, "param": param})


def codes(platform: Platform, command: int) -> set[str]:
    return {fields["pile_code"] for fields in platform.of_type(command)}


@pytest.mark.parametrize(
    ("kind", "connections", "letters", "gun_nos"),
    [
        (WITH_LETTERS, 2, {"A", "B"}, {1, 2}),
        (WITH_SERIAL, 1, {""}, {1, 2}),
        (ONE_LETTER, 1, {"A"}, {0}),
        (ONE_GUN, 1, {""}, {0}),
    ],
)
def test_guns_with_letters_have_connections_of_their_own(
    play_aaf5: Play, kind: int, connections: int, letters: set[str], gun_nos: set[int]
) -> None:
    plan = one_pile(kind)
    code = plan.piles[0].pile.code

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(platform.of_type(102)) >= 6 * connections)
        assert platform.connections == connections
        assert {wire[len(code) :] for wire in codes(platform, 106)} == letters
        assert {wire[:-1] if letters != {""} else wire for wire in codes(platform, 104)} == {code}
        assert {fields["gun_no"] for fields in platform.of_type(104)} == gun_nos
        first = dict(reversed(platform.by_connection))
        assert set(first.values()) == {106}
        beats = [f["counter"] for f in platform.of_type(102) if f["pile_code"] == code + min(letters)]
        assert beats == list(range(beats[0], beats[0] + len(beats)))
        assert fleet.chargers[0].online

    play_aaf5(plan, scenario)


def test_a_login_is_tried_three_times_and_then_on_a_new_connection(play_aaf5: Play) -> None:
    def deaf(command: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        return [] if command == 106 else None

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.connections >= 2)
        assert 3 <= len(platform.of_type(106)) <= 4
        assert not platform.of_type(104)
        assert not fleet.chargers[0].online

    play_aaf5(one_pile(WITH_SERIAL), scenario, script=deaf)


def test_unanswered_heartbeats_bring_a_new_connection(play_aaf5: Play) -> None:
    def deaf(command: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        return [] if command == 102 else None

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.connections >= 2)
        assert len(platform.of_type(102)) >= 4

    play_aaf5(one_pile(ONE_GUN), scenario, script=deaf)


def test_an_idle_gun_repeats_its_last_session(play_aaf5: Play) -> None:
    plan = busy_pile(ONE_LETTER)
    charge = under_way(plan)

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.of_type(202))
        record = platform.of_type(202)[0]
        seen = len(platform.of_type(104))
        await platform.until(lambda: len(platform.of_type(104)) >= seen + 2)
        charging = [f for f in platform.of_type(104) if f["work_state"] == 2]
        idle = platform.of_type(104)[-1]
        assert idle["work_state"] in (0, 3)
        for name in ("energy", "meter_before", "start_time", "card"):
            assert idle[name] == record[name]
        assert idle["meter_now"] == record["meter_after"]
        assert idle["dc_current"] == idle["power"] == 0
        assert record["energy"] == record["meter_after"] - record["meter_before"]
        assert abs(record["energy"] - charge.energy_e4kwh // 100) <= 1
        assert sum(record["half_hour_energy"]) == record["energy"]
        assert [f["energy"] for f in charging] == sorted(f["energy"] for f in charging)
        assert all(f["energy"] == f["meter_now"] - f["meter_before"] for f in charging)
        assert named(record, charge.pile.code) in fleet.report()["acked_bills"]

    play_aaf5(plan, scenario)


def test_the_live_run_shows_the_sessions_of_the_history(play_aaf5: Play) -> None:
    plan = demo_plan(simple_aaf5_fleet(12), 8, LIVE_MS, history_ms=2 * HOUR_MS, faults=CLEAN)
    begin_ms, end_ms = LIVE_MS + 20_000, LIVE_MS + 30 * MINUTE_MS

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: fleet.chargers[0].clock.now_ms() > end_ms)
        written = [(int.from_bytes(f[6:8], "little"), f[8:-1]) for _, _, f in history_frames(plan, LIVE_MS, end_ms)]
        live_rows = [raw_fields(kind, body) for kind, _, body in platform.frames if kind == 202]
        rows = {(r["pile_code"], r["start_time"]): r for r in (raw_fields(k, b) for k, b in written if k == 202)}
        charging_live = {_reading_key(raw_fields(k, b)) for k, _, b in platform.frames if k == 104}
        charging_written = [_reading_key(raw_fields(k, b)) for k, b in written if k == 104]
        compared = 0
        for charge in plan.charges():
            begun = charge.charging_ms < LIVE_MS or charge.plug_ms > begin_ms
            if charge.asks_by or not begun or not begin_ms < charge.record_ms < end_ms - MINUTE_MS:
                continue
            key = charge.pile.wire_code(charge.connector), ms_to_bcd8(charge.start_ms, charge.pile.zone)
            [record] = [row for row in live_rows if (row["pile_code"], row["start_time"]) == key]
            assert record == rows[key]
            energy = int(charge.energy_at(np.array([begin_ms], dtype=np.int64))[0]) // 100 + 1
            mine = [r for r in charging_written if r is not None and r[:2] == key and r[3] > energy]
            assert set(mine) <= charging_live
            compared += len(mine) > 3
        assert compared >= 5

    play_aaf5(plan, scenario)


def _reading_key(fields: dict[str, Any]) -> tuple[Any, ...] | None:
    if fields["work_state"] != 2:
        return None
    names = ("pile_code", "start_time", "meter_now", "energy", "soc", "duration", "serial")
    return tuple(fields.get(name) for name in names)


def test_an_order_is_answered_when_energy_flows(play_aaf5: Play) -> None:
    plan = one_pile(WITH_SERIAL)
    charge = coming(plan)
    serial = "S" + charge.trade_no[1:]

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: clock.now_ms() > charge.plug_ms + 3_000)
        ordered_ms = clock.now_ms()
        platform.send(start(charge, serial=serial))
        await platform.until(lambda: platform.of_type(8))
        assert clock.now_ms() - ordered_ms > 5_000
        reply = platform.of_type(8)[0]
        assert (reply["result"], reply["serial"], reply["reserved1"]) == (0, serial, 4711)
        states = [f["work_state"] for f in platform.of_type(104) if f["gun_no"] == charge.connector]
        last_preparing = len(states) - 1 - states[::-1].index(1)
        assert 2 not in states[last_preparing - 1 : last_preparing]
        assert states[last_preparing + 1] == 2
        charging = next(f for f in platform.of_type(104) if f.get("serial") == serial)
        assert (charging["start_mode"], charging["card"], charging["reserved1"]) == (1, "4711", 4711)
        platform.send(control(charge, 2, 0x55))
        await platform.until(lambda: serial in fleet.chargers[0].acknowledged)
        assert platform.of_type(6)[0]["result"] == 0
        record = next(f for f in platform.of_type(202) if f["serial"] == serial)
        assert record["energy"] < charge.energy_e4kwh // 100
        platform.send(control(charge, 2, 0x55))
        platform.send(control(charge, 10))
        await platform.until(lambda: len(platform.of_type(6)) >= 3)
        assert [f["result"] for f in platform.of_type(6)] == [0, 1, 0]

    play_aaf5(plan, scenario)


def test_an_order_waits_for_the_plug(play_aaf5: Play) -> None:
    charge = coming(one_pile(ONE_GUN))
    plan = with_charges(one_pile(ONE_GUN), charge)

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: clock.now_ms() > charge.plug_ms - 30_000)
        platform.send(start(charge))
        await platform.until(lambda: platform.of_type(8))
        assert platform.of_type(8)[0]["result"] == 0
        assert clock.now_ms() > charge.plug_ms

    play_aaf5(plan, scenario)


def test_an_order_for_an_empty_gun_fails_after_two_minutes(play_aaf5: Play) -> None:
    plan = one_pile(ONE_GUN)
    charge = coming(plan)

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: platform.of_type(102))
        ordered_ms = clock.now_ms()
        platform.send(start(charge))
        await platform.until(lambda: platform.of_type(8))
        assert platform.of_type(8)[0]["result"] == 100_002
        assert 119_000 < clock.now_ms() - ordered_ms < 125_000

    play_aaf5(with_charges(plan), scenario)


def test_a_busy_gun_refuses_an_order(play_aaf5: Play) -> None:
    plan = busy_pile(ONE_LETTER)
    charge = under_way(plan)

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.of_type(102))
        platform.send(start(charge))
        await platform.until(lambda: platform.of_type(8))
        assert platform.of_type(8)[0]["result"] == 100_001

    play_aaf5(plan, scenario)


@pytest.mark.parametrize(("floods", "gap_ms"), [(False, 10_000), (True, 50)])
def test_an_unanswered_record_is_repeated_as_the_firmware_does(play_aaf5: Play, floods: bool, gap_ms: int) -> None:
    plan = one_pile(ONE_LETTER, floods=floods)
    times: list[int] = []
    answers: list[bool] = []
    chargers: list[Any] = []

    def script(command: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        if command != 202:
            return None
        times.append(chargers[0].clock.now_ms())
        return None if answers else []

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        chargers.append(fleet.chargers[0])
        await platform.until(lambda: len(times) >= 4)
        assert np.diff(times[:4]).tolist() == [pytest.approx(gap_ms, abs=20)] * 3
        answers.append(True)
        await platform.until(lambda: fleet.chargers[0].acknowledged)
        sent = len(times)
        begin = fleet.chargers[0].clock.now_ms()
        await platform.until(lambda: fleet.chargers[0].clock.now_ms() > begin + 30_000)
        assert len(times) == sent

    play_aaf5(plan, scenario, script=script)


def test_the_firmware_takes_any_answer_for_its_newest_record(play_aaf5: Play) -> None:
    plan = one_pile(ONE_LETTER, floods=False)

    sent: dict[int, dict[str, Any]] = {}

    def mute(command: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        if command == 202:
            sent.setdefault(fields["record_index"], fields)
        return [] if command == 202 else None

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(sent) >= 2)
        first, second = sent.values()
        code = plan.piles[0].pile.code
        echo = {name: first[name] for name in ("gun_no", "card", "record_index")}
        platform.send(encode_raw("record_ack", {**HEAD, **echo, "value1": 0, "serial": ""}))
        await platform.until(lambda: fleet.counters.wrong_acks)
        assert fleet.report()["acked_bills"] == []
        assert fleet.report()["unacked"] == [named(first, code)]
        assert named(second, code) not in fleet.report()["unacked"]

    play_aaf5(plan, scenario, script=mute)


def test_parameters_and_clock_are_asked_and_set(play_aaf5: Play) -> None:
    plan = one_pile(ONE_GUN)
    zone = plan.piles[0].pile.zone

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.of_type(102))
        for addr, count in ((21, 3), (99, 1)):
            platform.send(encode_raw("int_params", {**HEAD, "op": 0, "addr": addr, "count": count, "byte_len": 0}))
        change = {"op": 1, "addr": 21, "count": 1, "byte_len": 4, "values": [30]}
        platform.send(encode_raw("int_params", {**HEAD, **change}))
        platform.send(encode_raw("int_params", {**HEAD, "op": 0, "addr": 21, "count": 1, "byte_len": 0}))
        await platform.until(lambda: len(platform.of_type(2)) >= 4)
        told = [(f["result"], f.get("values", [])) for f in platform.of_type(2)]
        assert told == [(0, [15, 3, 15]), (1, []), (0, []), (0, [30])]
        clock = fleet.chargers[0].clock
        data = ms_to_bcd8(clock.now_ms(), zone).hex().upper()
        platform.send(encode_raw("str_params", {**HEAD, "op": 1, "addr": 2, "byte_len": 8, "data": data}))
        platform.send(encode_raw("str_params", {**HEAD, "op": 0, "addr": 2, "byte_len": 0}))
        platform.send(encode_raw("str_params", {**HEAD, "op": 0, "addr": 77, "byte_len": 0}))
        await platform.until(lambda: len(platform.of_type(4)) >= 3)
        assert [f["result"] for f in platform.of_type(4)] == [0, 0, 1]
        asked = bytes.fromhex(platform.of_type(4)[1]["data"])
        assert abs(bcd8_to_ms(asked, zone) - clock.now_ms()) < 5_000

    play_aaf5(plan, scenario)


def test_a_card_is_asked_for_every_three_seconds_and_refused_or_let_in(play_aaf5: Play) -> None:
    plan = demo_plan(simple_aaf5_fleet(60), 3, LIVE_MS, history_ms=2 * HOUR_MS, faults=CLEAN)
    asking = [pile for pile in plan.piles if any(c.asks_by and c.plug_ms > LIVE_MS for c in pile.connectors[0].charges)]
    plan = msgspec.structs.replace(plan, piles=tuple(asking[:4]))
    granted = {pile.pile.code for pile in asking[:2]}
    asked: dict[str, int] = {}

    def script(command: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        if command != 204:
            return None
        tries = asked[fields["pile_code"]] = asked.get(fields["pile_code"], 0) + 1
        if tries == 1:
            return []
        result = 0 if fields["pile_code"][:-1] in granted else 2
        reply = {"result": result, "reserved3": "000000", "balance": 10_000}
        return [encode_raw("account_reply", {**HEAD, **reply}, seq=seq)]

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        def by_card() -> set[str]:
            return {f["pile_code"][:-1] for f in platform.of_type(104) if f["work_state"] == 2 and f["start_mode"] == 0}

        await platform.until(lambda: fleet.counters.starts_refused and by_card() & granted, 6 * 3_600)
        assert all(len(f["card"]) == 10 and f["card"].isdecimal() for f in platform.of_type(204))
        assert all(tries >= 2 for tries in asked.values())

    play_aaf5(plan, scenario, script=script)


def test_reboot_and_what_is_asked_at_login(play_aaf5: Play) -> None:
    plan = busy_pile(WITH_SERIAL)
    charge = under_way(plan)

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.of_type(102))
        assert len(platform.of_type(11)) == len(platform.of_type(14)) == len(platform.of_type(108)) == 1
        platform.send(control(charge, 11))
        await platform.until(lambda: len(platform.of_type(106)) >= 2)
        assert platform.of_type(6)[0]["result"] == 0
        assert platform.of_type(106)[1]["boot_count"] == platform.of_type(106)[0]["boot_count"] + 1
        await platform.until(lambda: any(f["serial"] == charge.trade_no for f in platform.of_type(202)))

    play_aaf5(plan, scenario)


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (Fault.METER_ZERO_BEFORE_START, lambda r: r["meter_before"] == 0 and r["energy"] == r["meter_after"] > 100_000),
        (Fault.REGISTER_JUMP, lambda r: r["energy"] >= 2_000_000),
        (Fault.COUNTER_RESET, lambda r: r["energy"] == 0 and r["meter_after"] < r["meter_before"]),
        (Fault.RECORD_ENERGY_LOW, lambda r: 0 < r["energy"] < (r["meter_after"] - r["meter_before"]) * 0.95),
        (Fault.RECORD_DURATION_LONG, lambda r: r["duration"] >= 75 * 60),
    ],
)
def test_registers_and_records_lie_as_told(play_aaf5: Play, fault: Fault, check: Callable[[Any], bool]) -> None:
    plan = one_pile(WITH_SERIAL, faults=FaultMix({fault: 1.0}))

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.of_type(202))
        assert check(platform.of_type(202)[0])

    play_aaf5(plan, scenario)
