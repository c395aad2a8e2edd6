"""Every order of a YKC platform, and every start at the charger, against a scripted platform."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from benchmarks.fleet.accounts import CARDS, STATION_ACCOUNT, STATION_PASSWORD, VINS, password_md5, start_accounts
from benchmarks.fleet.charge import ASK_BY_ACCOUNT, ASK_BY_CARD, ASK_BY_VIN, NOT_ASKED
from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.live import LiveFleet
from benchmarks.fleet.piles import simple_fleet
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, Plan, demo_plan
from core.ykc.codec import encode_raw
from core.ykc.cp56 import ms_to_cp56
from ingest.start_decision import StartAccount, StartTable

LIVE_MS = 1_795_363_200_000
SEQ = b"\x21\x43"
DC, AC = 0, 3

Platform = Any
Play = Callable[..., LiveFleet]

pytestmark = pytest.mark.server


def one_pile(*, kind: int = DC, fault: Fault | None = None, seed: int = 8, **traits: Any) -> Plan:
    mix = FaultMix({} if fault is None else {fault: 1.0})
    plan = demo_plan(simple_fleet(4)[kind : kind + 1], seed, LIVE_MS, history_ms=3 * HOUR_MS, faults=mix)
    [pile] = plan.piles
    changed = msgspec.structs.replace(pile, traits=msgspec.structs.replace(pile.traits, **traits))
    return msgspec.structs.replace(plan, piles=(changed,))


def idle_pile(**traits: Any) -> Plan:
    """A charger to which nobody comes."""
    plan = one_pile(**traits)
    [pile] = plan.piles
    empty = tuple(msgspec.structs.replace(connector, charges=()) for connector in pile.connectors)
    return msgspec.structs.replace(plan, piles=(msgspec.structs.replace(pile, connectors=empty),))


def busy_pile(**traits: Any) -> tuple[Plan, Any]:
    """A charger that charges now, and that charge."""
    for seed in range(1, 40):
        plan = one_pile(seed=seed, **traits)
        for charge in plan.charges():
            if charge.charging_ms < LIVE_MS < charge.stop_ms - 3 * MINUTE_MS:
                return plan, charge
    raise AssertionError("no seed gives a charger that charges")


def answer_of(platform: Platform, message: int) -> tuple[dict[str, Any], bytes]:
    """The fields and the sequence bytes of the last frame of a type."""
    fields = platform.of_type(message)[-1]
    return fields, next(seq for kind, seq, _ in reversed(platform.frames) if kind == message)


async def ask(platform: Platform, code: str, name: str, reply: int, **fields: Any) -> dict[str, Any]:
    """Send an order and give the fields of its answer, which carries the order's sequence bytes."""
    before = len(platform.of_type(reply))
    platform.send(encode_raw(name, {"pile_code": code, **fields}, seq=SEQ))
    await platform.until(lambda: len(platform.of_type(reply)) > before)
    answer, seq = answer_of(platform, reply)
    assert seq == SEQ
    return answer


async def online(platform: Platform, fleet: LiveFleet) -> str:
    await platform.until(lambda: fleet.chargers[0].online and platform.of_type(0x13))
    return str(fleet.chargers[0].plan.pile.code)


def test_cards_are_kept_asked_for_and_cleared(play: Play) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        pairs = [{"logical_card": f"{n:016d}", "physical_card": f"{n + 50:016d}"} for n in (1, 2)]
        answer = await ask(platform, code, "card_sync", 0x43, count=2, cards=pairs)
        assert (answer["result"], answer["fail_reason"]) == (1, 0)
        physical = [{"physical_card": f"{n:016d}"} for n in (51, 52, 99)]
        answer = await ask(platform, code, "card_query", 0x47, count=3, cards=physical)
        assert [card["exists"] for card in answer["cards"]] == [1, 1, 0]
        answer = await ask(platform, code, "card_clear", 0x45, count=1, cards=physical[:1])
        assert answer["cards"] == [{**physical[0], "cleared": 1, "fail_reason": 0}]
        answer = await ask(platform, code, "card_query", 0x47, count=2, cards=physical[:2])
        assert [card["exists"] for card in answer["cards"]] == [0, 1]
        bad = [{"logical_card": "0" * 16, "physical_card": "0" * 16}]
        answer = await ask(platform, code, "card_sync", 0x43, count=1, cards=bad)
        assert (answer["result"], answer["fail_reason"]) == (0, 1)
        for block in range(0, 1_000, 10):
            pairs = [{"logical_card": "0" * 16, "physical_card": f"{7_000 + block + n:016d}"} for n in range(10)]
            answer = await ask(platform, code, "card_sync", 0x43, count=10, cards=pairs)
        assert (answer["result"], answer["fail_reason"]) == (0, 2)

    play(idle_pile(), scenario)


def test_balance_clock_and_readings_are_answered(play: Play) -> None:
    plan, charge = busy_pile()

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        gun = f"{charge.connector:02d}"
        update = {"gun_no": gun, "physical_card": "0" * 16, "balance": 5_000}
        assert (await ask(platform, code, "balance_update", 0x41, **update))["result"] == 0
        update |= {"physical_card": "0000000000000009"}
        assert (await ask(platform, code, "balance_update", 0x41, **update))["result"] == 2
        await ask(platform, code, "time_sync", 0x55, time=ms_to_cp56(LIVE_MS, charge.pile.zone))
        reading = await ask(platform, code, "read_realtime", 0x13, gun_no=gun)
        assert (reading["gun_no"], reading["trade_no"]) == (gun, charge.trade_no)

    play(plan, scenario)


def test_out_of_service_means_no_start(play: Play) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        assert (await ask(platform, code, "work_params", 0x51, disabled=1, max_power_pct=20))["result"] == 0
        assert (await ask(platform, code, "work_params", 0x51, disabled=1, max_power_pct=60))["result"] == 1
        start = {"gun_no": "01", "trade_no": "5" * 32, "logical_card": "0" * 16, "physical_card": "0" * 16}
        answer = await ask(platform, code, "remote_start", 0x33, **start, balance=1_000)
        assert (answer["result"], answer["fail_reason"]) == (0, 3)
        answer = await ask(
            platform, code, "parallel_remote_start", 0xA3, **start, balance=1, parallel_no="261123080000"
        )
        assert (answer["result"], answer["gun_role"], answer["parallel_no"]) == (0, 0, "261123080000")

    play(idle_pile(version=16), scenario)


def test_parallel_orders_start_waiting_vehicles_and_an_older_charger_does_not_know_them(play: Play) -> None:
    plan = one_pile(version=16)
    coming = min((c for c in plan.charges() if c.plug_ms > LIVE_MS + MINUTE_MS), key=lambda charge: charge.plug_ms)
    order = {
        "pile_code": coming.pile.code,
        "gun_no": f"{coming.connector:02d}",
        "trade_no": "6" * 32,
        "logical_card": "0" * 16,
        "physical_card": "0" * 16,
        "balance": 9_000,
        "parallel_no": "261123080000",
    }

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: clock.now_ms() > coming.plug_ms + 3_000)
        platform.send(encode_raw("parallel_remote_start", order, seq=SEQ))
        await platform.until(lambda: any(f["trade_no"] == "6" * 32 for f in platform.of_type(0x13)))
        assert platform.of_type(0xA3)[0]["result"] == 1

    play(plan, scenario)

    async def older(fleet: LiveFleet, platform: Platform) -> None:
        await online(platform, fleet)
        assert platform.of_type(0x01)[0]["protocol_version"] == 15
        platform.send(encode_raw("parallel_remote_start", order, seq=SEQ))
        beats = len(platform.of_type(0x03))
        await platform.until(lambda: len(platform.of_type(0x03)) > beats + 1)
        assert not platform.of_type(0xA3)

    play(idle_pile(version=15), older)


def test_locks_report_move_and_stay_down_under_a_vehicle(play: Play) -> None:
    plan, charge = busy_pile(has_lock=True)

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        free = next(number for number in fleet.chargers[0].players if number != charge.connector)
        move = {"action": 0x55, "reserved": "00000000"}
        answer = await ask(platform, code, "lock_control", 0x63, gun_no=charge.connector, **move)
        assert answer["result"] == 0
        await platform.until(lambda: not fleet.chargers[0].players[free].plugged)
        answer = await ask(platform, code, "lock_control", 0x63, gun_no=free, action=0xFF, reserved="00000000")
        assert answer["result"] == 1
        await platform.until(
            lambda: any(f["lock_state"] == 0xFF and f["gun_no"] == free for f in platform.of_type(0x61))
        )
        await platform.until(
            lambda: {(f["lock_state"], f["space_state"]) for f in platform.of_type(0x61)} >= {(0xFF, 0xFF), (0x55, 0)}
        )

    play(plan, scenario)


@pytest.mark.parametrize("when", [1, 2])
def test_a_reboot_ends_the_charge_or_waits_for_its_end(play: Play, when: int) -> None:
    plan, charge = busy_pile()

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        assert (await ask(platform, code, "reboot", 0x91, when=when))["result"] == 1
        await platform.until(lambda: platform.connections >= 2)
        record = next(f for f in platform.of_type(0x3B) if f["trade_no"] == charge.trade_no) if when == 2 else None
        await platform.until(lambda: any(f["trade_no"] == charge.trade_no for f in platform.of_type(0x3B)))
        record = next(f for f in platform.of_type(0x3B) if f["trade_no"] == charge.trade_no)
        assert (record["energy"] == charge.energy_e4kwh) == (when == 2)

    fleet = play(plan, scenario)
    assert fleet.counters.reboots == 1


def test_an_update_is_refused_for_another_model_and_told_at_the_next_login(play: Play) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        update = {"pile_power": 60, "host": "10.0.0.1", "port": 21, "user": "u", "password": "p"}
        update |= {"path": "/firmware/V9.9.9.bin", "when": 1, "timeout_minutes": 5}
        assert (await ask(platform, code, "update", 0x93, pile_model=2, **update))["result"] == 2
        assert (await ask(platform, code, "update", 0x93, pile_model=1, **update))["result"] == 0
        await platform.until(lambda: len(platform.of_type(0x01)) >= 2)
        assert platform.of_type(0x01)[-1]["firmware"] == "V9.9.9"

    play(idle_pile(), scenario)


def test_a_tariff_is_taken_only_while_idle(play: Play) -> None:
    tariff = {"model_no": "0888", "loss_ratio": 0, "slot_rates": bytes([1] * 48)}
    for rate in ("sharp", "peak", "flat", "valley"):
        tariff |= {f"{rate}_energy_price": 90_000, f"{rate}_service_price": 40_000}
    plan, _ = busy_pile()

    async def busy(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        assert (await ask(platform, code, "tariff_set", 0x57, **tariff))["result"] == 0

    async def idle(fleet: LiveFleet, platform: Platform) -> None:
        code = await online(platform, fleet)
        assert (await ask(platform, code, "tariff_set", 0x57, **tariff))["result"] == 1
        assert fleet.chargers[0].tariff.model_no == "0888"

    play(plan, busy)
    play(idle_pile(), idle)


@pytest.mark.parametrize("asks_by", [ASK_BY_CARD, ASK_BY_ACCOUNT, ASK_BY_VIN])
@pytest.mark.parametrize("granted", [True, False])
def test_a_start_at_the_charger_asks_the_platform(play: Play, asks_by: int, granted: bool) -> None:
    plan = one_pile()
    [pile] = plan.piles
    coming = min((c for c in plan.charges() if c.plug_ms > LIVE_MS + MINUTE_MS), key=lambda charge: charge.plug_ms)
    account = {ASK_BY_CARD: CARDS[0], ASK_BY_ACCOUNT: STATION_ACCOUNT, ASK_BY_VIN: "0" * 16}[asks_by]
    asking = msgspec.structs.replace(coming, asks_by=asks_by, account=account, vin=VINS[3], start_mode=2)
    connectors = tuple(
        msgspec.structs.replace(connector, charges=(asking,) * (connector.connector == coming.connector))
        for connector in pile.connectors
    )
    plan = msgspec.structs.replace(plan, piles=(msgspec.structs.replace(pile, connectors=connectors),))

    def script(kind: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        if kind != 0x31:
            return None
        reply = {name: fields[name] for name in ("pile_code", "gun_no")}
        reply |= {"trade_no": "8" * 32, "logical_card": "0" * 16, "balance": 9_000, "auth": int(granted)}
        return [encode_raw("start_reply", {**reply, "fail_reason": 0 if granted else 3}, seq=seq)]

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: platform.of_type(0x31))
        request = platform.of_type(0x31)[0]
        assert (request["start_mode"], request["card_or_account"]) == (asks_by, account)
        assert request["vin"] == (VINS[3] if asks_by == ASK_BY_VIN else "")
        assert (request["password"] == password_md5(STATION_PASSWORD)) == (asks_by == ASK_BY_ACCOUNT)
        if granted:
            await platform.until(lambda: any(f["trade_no"] == "8" * 32 for f in platform.of_type(0x3B)))
            assert any(f["trade_no"] == "8" * 32 and f["state"] == 3 for f in platform.of_type(0x13))
        else:
            await platform.until(lambda: fleet.counters.starts_abandoned)
            assert [f["plugged"] for f in platform.of_type(0x13) if f["gun_no"] == request["gun_no"]][-1] == 0
            assert not platform.of_type(0x3B)

    fleet = play(plan, scenario, script=script)
    assert fleet.counters.starts_refused == (not granted)


def test_the_table_of_the_settings_lets_all_of_them_in() -> None:
    entries = start_accounts()
    assert len(entries) == len(CARDS) + len(VINS) + 1
    StartTable(msgspec.convert(entries, list[StartAccount]))
    plan = demo_plan(simple_fleet(80), 5, LIVE_MS)
    asked = {(c.asks_by, c.account, c.vin if c.asks_by == ASK_BY_VIN else "") for c in plan.charges() if c.asks_by}
    assert {kind for kind, _, _ in asked} == {ASK_BY_CARD, ASK_BY_ACCOUNT, ASK_BY_VIN}
    known = {*CARDS, STATION_ACCOUNT}
    assert all(account in known for kind, account, _ in asked if kind != ASK_BY_VIN)
    assert {vin for kind, _, vin in asked if kind == ASK_BY_VIN} <= set(VINS)
    assert NOT_ASKED in {charge.asks_by for charge in plan.charges()}


@pytest.mark.parametrize(
    ("fault", "answers"), [(Fault.NEVER_ANSWERED, 0), (Fault.STEP_REPEATED, 2), (Fault.STEP_LATE, 1)]
)
def test_answers_are_missing_doubled_or_late(play: Play, fault: Fault, answers: int) -> None:
    plan = one_pile(fault=fault)
    coming = min((c for c in plan.charges() if c.plug_ms > LIVE_MS + MINUTE_MS), key=lambda charge: charge.plug_ms)
    order = {"pile_code": coming.pile.code, "gun_no": f"{coming.connector:02d}", "trade_no": "4" * 32, "balance": 1}
    order |= {"logical_card": "0" * 16, "physical_card": "0" * 16}

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: clock.now_ms() > coming.plug_ms + 2_000)
        platform.send(encode_raw("remote_start", order, seq=SEQ))
        ordered_ms = clock.now_ms()
        if fault is Fault.STEP_LATE:
            await platform.until(lambda: platform.of_type(0x33))
            assert 34_000 < clock.now_ms() - ordered_ms < 40_000
        await platform.until(lambda: any(f["trade_no"] == "4" * 32 for f in platform.of_type(0x3B)))
        assert sum(f["trade_no"] == "4" * 32 for f in platform.of_type(0x33)) == answers

    play(plan, scenario)


def test_both_guns_ask_for_one_vehicle_and_each_has_its_number(play: Play) -> None:
    fleet = demo_plan(simple_fleet(80), 5, LIVE_MS, history_ms=2 * HOUR_MS, faults=FaultMix({}))
    coming, pile = next(
        (charge, pile)
        for pile in fleet.piles
        for charge in pile.connectors[0].charges
        if charge.parallel_no and charge.plug_ms > LIVE_MS + MINUTE_MS
    )

    def script(kind: int, seq: bytes, fields: dict[str, Any]) -> list[bytes] | None:
        if kind not in (0x31, 0xA1):
            return None
        reply = {name: fields[name] for name in ("pile_code", "gun_no")}
        reply |= {"trade_no": fields["gun_no"] * 16, "logical_card": "0" * 16, "balance": 9_000, "auth": 1}
        reply |= {"fail_reason": 0, "parallel_no": fields.get("parallel_no", "0" * 12)}
        return [encode_raw("parallel_start_reply", reply, seq=seq)] if kind == 0xA1 else []

    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        numbers = {"01" * 16, "02" * 16}
        await platform.until(lambda: numbers <= {f["trade_no"] for f in platform.of_type(0x13)})
        first, second = platform.of_type(0xA1)[:2]
        assert first["parallel_no"] == second["parallel_no"]
        assert {(f["gun_no"], f["gun_role"]) for f in (first, second)} == {("01", 0), ("02", 1)}

    soon_ms = LIVE_MS + 2 * MINUTE_MS - coming.plug_ms
    pairs = (
        tuple(x.shifted(soon_ms) for x in c.charges if x.parallel_no == coming.parallel_no) for c in pile.connectors
    )
    only = tuple(msgspec.structs.replace(c, charges=mine) for c, mine in zip(pile.connectors, pairs, strict=True))
    alone = msgspec.structs.replace(pile, connectors=only)
    play(msgspec.structs.replace(fleet, piles=(alone,)), scenario, script=script)
