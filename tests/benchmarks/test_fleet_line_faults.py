"""What chargers with a fault on the line do, on the line: a scripted platform hears it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.fleet.errors import FleetError
from benchmarks.fleet.fault_options import read_faults, with_line_faults
from benchmarks.fleet.faults import Fault, FaultMix
from benchmarks.fleet.line_faults import CLOCK_ERROR_MS, LineFault
from benchmarks.fleet.live import LiveFleet
from benchmarks.fleet.piles import simple_aaf5_fleet, simple_fleet
from benchmarks.fleet.plan import MINUTE_MS, Plan, build_plan
from core.aaf5.bcd_time import bcd8_to_ms, ms_to_bcd8
from core.aaf5.codec import encode_raw as encode_aaf5
from core.ykc.codec import encode_raw
from core.ykc.cp56 import cp56_to_ms, ms_to_cp56

LIVE_MS = 1_795_363_200_000
ZONE = "Asia/Shanghai"

Platform = Any
Play = Callable[..., LiveFleet]
Scenario = Callable[[LiveFleet, Any], Any]

pytestmark = pytest.mark.server


@pytest.fixture(params=["ykc", "aaf5"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def play_fault(request: pytest.FixtureRequest, protocol: str) -> Callable[..., LiveFleet]:
    """`play_fault(fault, scenario)`: one charger of each protocol in turn, to which nobody comes, with that fault."""
    play: Play = request.getfixturevalue("play" if protocol == "ykc" else "play_aaf5")

    def run(fault: LineFault, scenario: Scenario, **options: Any) -> LiveFleet:
        return play(quiet_plan(protocol, fault), scenario, **options)

    return run


def quiet_plan(protocol: str, *faults: LineFault) -> Plan:
    fleet = simple_fleet(1) if protocol == "ykc" else simple_aaf5_fleet(2)[1:]
    plan = build_plan(fleet, 8, LIVE_MS, LIVE_MS + MINUTE_MS, live_ms=LIVE_MS, faults=FaultMix({}))
    [pile] = plan.piles
    empty = tuple(msgspec.structs.replace(connector, charges=()) for connector in pile.connectors)
    quiet = msgspec.structs.replace(pile, connectors=empty, line_faults=frozenset(faults))
    return msgspec.structs.replace(plan, piles=(quiet,))


def logins(platform: Platform, protocol: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = platform.of_type(0x01 if protocol == "ykc" else 106)
    return found


def heartbeats(platform: Platform, protocol: str) -> int:
    return len(platform.of_type(0x03 if protocol == "ykc" else 102))


def test_an_unknown_id(play_fault: Any, protocol: str) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: logins(platform, protocol))
        code = fleet.chargers[0].plan.pile.code
        told = logins(platform, protocol)[0]["pile_code"]
        assert told.startswith("99")
        assert told[2:] == code[2:]

    play_fault(LineFault.UNKNOWN_ID, scenario)


def test_a_stranger_logs_in_while_the_charger_lives(play_fault: Any, protocol: str) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: fleet.counters.strangers >= 2)
        assert fleet.chargers[0].online
        assert platform.connections >= 3
        assert len({fields["pile_code"] for fields in logins(platform, protocol)}) == 1

    play_fault(LineFault.SECOND_LOGIN_ALIVE, scenario)


def test_a_charger_logs_in_beside_its_own_dead_socket(play_fault: Any, protocol: str) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(logins(platform, protocol)) >= 3)
        dead = platform.by_connection[0][0]
        spoken = sum(writer is dead for writer, _ in platform.by_connection)
        assert not dead.is_closing()
        assert platform.connections == 3
        await platform.until(lambda: heartbeats(platform, protocol) >= 12)
        assert sum(writer is dead for writer, _ in platform.by_connection) == spoken

    fleet = play_fault(LineFault.SECOND_LOGIN_DEAD, scenario)
    assert fleet.counters.connections_lost == 0


def test_a_flood_of_logins(play_fault: Any, protocol: str) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: fleet.counters.strangers >= 40)
        assert len(logins(platform, protocol)) >= 40

    play_fault(LineFault.LOGIN_FLOOD, scenario)


def test_frames_before_the_login(play_fault: Any, protocol: str) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: logins(platform, protocol))
        login = 0x01 if protocol == "ykc" else 106
        assert [kind for kind, _, _ in platform.frames].index(login) == 3

    play_fault(LineFault.FRAMES_BEFORE_LOGIN, scenario)


def test_encrypted_frames_and_oversize_lengths_among_good_ones(play_fault: Any, protocol: str) -> None:
    async def encrypted(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: heartbeats(platform, protocol) >= 4)
        if protocol == "ykc":
            assert any(span[0] == 0x68 and span[4] == 1 for span in platform.noise)
        else:
            assert any(span[4] == 0x11 for span in platform.bytes_by_type[102])

    play_fault(LineFault.ENCRYPTED_FRAME, encrypted)

    async def oversize(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: heartbeats(platform, protocol) >= 30)
        begins = b"\x68\xff" if protocol == "ykc" else b"\xaa\xf5\xff\xff"
        assert begins in b"".join(platform.noise)
        assert fleet.chargers[0].online

    play_fault(LineFault.OVERSIZE_LENGTH, oversize)


def test_a_slow_sender_takes_a_second_for_each_byte(play_fault: Any, protocol: str) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: platform.connections)
        begun_ms = clock.now_ms()
        await platform.until(lambda: logins(platform, protocol))
        assert clock.now_ms() - begun_ms > 30_000

    play_fault(LineFault.SLOW_SENDER, scenario)


@pytest.mark.parametrize("fault", [LineFault.HALF_FRAME, LineFault.SILENT])
def test_silence_lasts_until_the_platform_hangs_up(play_fault: Any, protocol: str, fault: LineFault) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: clock.now_ms() > LIVE_MS + 5 * MINUTE_MS)
        assert heartbeats(platform, protocol) == 2
        assert platform.connections == 1
        whole = sum(len(span) for spans in platform.bytes_by_type.values() for span in spans)
        assert (fleet.counters.bytes_sent > whole) == (fault is LineFault.HALF_FRAME)
        platform.hang_up()
        await platform.until(lambda: platform.connections >= 2 and heartbeats(platform, protocol) >= 4)

    play_fault(fault, scenario)


def clock_of(platform: Platform, protocol: str) -> int:
    """What the charger says that it is, in its last answer about the time."""
    if protocol == "ykc":
        return int(cp56_to_ms(platform.of_type(0x55)[-1]["time"], ZONE))
    return bcd8_to_ms(bytes.fromhex(platform.of_type(4)[-1]["data"]), ZONE)


@pytest.mark.parametrize(("fault", "error_ms"), [(LineFault.CLOCK_WRONG, 0), (LineFault.CLOCK_STUCK, CLOCK_ERROR_MS)])
def test_a_wrong_clock_is_set_or_stuck(play_fault: Any, protocol: str, fault: LineFault, error_ms: int) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        clock = fleet.chargers[0].clock
        await platform.until(lambda: heartbeats(platform, protocol))
        if protocol == "aaf5":
            told = bcd8_to_ms(logins(platform, protocol)[0]["pile_time"], ZONE)
            assert told - clock.now_ms() == pytest.approx(CLOCK_ERROR_MS, abs=20_000)
        platform.send(time_order(protocol, fleet.chargers[0].plan.pile.code, clock.now_ms()))
        if protocol == "aaf5":
            query = {"reserved1": 0, "reserved2": 0, "op": 0, "addr": 2, "byte_len": 0}
            platform.send(encode_aaf5("str_params", query))
        answers = 2
        await platform.until(lambda: len(platform.of_type(0x55 if protocol == "ykc" else 4)) >= answers)
        assert clock_of(platform, protocol) - clock.now_ms() == pytest.approx(error_ms, abs=3_000)

    play_fault(fault, scenario)


def time_order(protocol: str, code: str, time_ms: int) -> bytes:
    if protocol == "ykc":
        return encode_raw("time_sync", {"pile_code": code, "time": ms_to_cp56(time_ms, ZONE)}, seq=b"\1\2")
    data = ms_to_bcd8(time_ms, ZONE).hex().upper()
    return encode_aaf5("str_params", {"reserved1": 0, "reserved2": 0, "op": 1, "addr": 2, "byte_len": 8, "data": data})


def test_a_tariff_that_is_never_taken(play: Play) -> None:
    async def scenario(fleet: LiveFleet, platform: Platform) -> None:
        await platform.until(lambda: len(platform.of_type(0x03)) >= 2)
        assert platform.of_type(0x05)[0]["model_no"] == "9901"
        assert not platform.of_type(0x09)
        assert fleet.chargers[0].tariff.model_no != "0777"

    play(quiet_plan("ykc", LineFault.TARIFF_KEPT), scenario)


def test_faults_are_named_with_their_shares() -> None:
    options = read_faults(["step_missing=0.25", "login_flood=0.5", "silent"])
    assert options.line == {LineFault.LOGIN_FLOOD: 0.5, LineFault.SILENT: 1.0}
    assert options.mix is not None
    assert read_faults([]).mix is None
    plan = build_plan(simple_fleet(8), 1, LIVE_MS, LIVE_MS + MINUTE_MS)
    faulty = [pile.line_faults for pile in with_line_faults(plan, options.line).piles]
    assert sum(LineFault.LOGIN_FLOOD in faults for faults in faulty) == 4
    assert all(LineFault.SILENT in faults for faults in faulty)
    some = with_line_faults(plan, {LineFault.SILENT: 0.01})
    assert sum(bool(pile.line_faults) for pile in some.piles) == 1


@pytest.mark.parametrize("word", ["step_mising", "silent=2", "silent=x", "step_missing=-1"])
def test_wrong_faults_are_named(word: str) -> None:
    with pytest.raises(FleetError, match=word):
        read_faults([word])


def test_every_fault_of_a_charge_can_be_asked_for() -> None:
    for fault in Fault:
        assert read_faults([f"{fault}=0.5"]).mix is not None


def test_the_page_names_every_fault() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text("utf-8")
    faults = [fault for fault in (*Fault, *LineFault) if fault is not Fault.NONE]
    assert [fault for fault in faults if f"`{fault}`" not in page] == []
