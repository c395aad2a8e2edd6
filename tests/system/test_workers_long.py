"""Two workers on every kind of port, real processes: which of them a charger landed on makes no difference to it."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backoffice.database import open_database
from backoffice.directory import register_pile
from ingest.control import ControlClient
from ingest.errors import IngestError
from service.settings import Settings
from tests.faults.serve_process import ServeProcess, until
from tests.ingest.aaf5_frames import aaf5_login, aaf5_record
from tests.ingest.certificates import Authority
from tests.ingest.charger_frames import heartbeat, login, make_pile, record, trade_no_of
from tests.ingest.order_talk import said_yes
from tests.ingest.running_gateway import Charger, now_ms, run
from tests.system.conftest import ROOT

pytestmark = [
    pytest.mark.system,
    pytest.mark.server,
    pytest.mark.timeout(240),
    pytest.mark.long(reason="several starts of a platform; tests/ingest/test_workers.py holds the same in one process"),
]

PILES = [f"320106000400{number:02d}" for number in range(16)]
AAF5_PILES = [f"440113000400002{number:05d}" for number in range(8)]
LANDING_TRIES = 200
STARTS_OF_A_PILE = 12
START_ORDER, START_ANSWER_TYPE, PROBE, LOGIN_ANSWER, RECORD_ANSWER = 0x34, 0x33, 0x12, 0x02, 0x40
AAF5_LOGIN_ANSWER, AAF5_RECORD_ANSWER = 105, 201


class Shared:
    """A platform with two workers, all of its ports open, and who of them serves a line."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder / "ca.pem")
        certificate, key = authority.issue(folder, "server")
        self.tls = ssl.create_default_context(cafile=str(authority.certificate))
        self.serve = ServeProcess(
            folder / "data", PILES, workers=2,
            aaf5_port=0, detect_port=0, tls_port=0, tls_certificate=certificate, tls_key=key,
        )  # fmt: skip
        engine = open_database(Settings(data=str(folder / "data")).database_url)
        for code in AAF5_PILES:
            register_pile(engine, code, "aaf5", 2)
        engine.dispose()
        self.serve.start()
        until(lambda: len(self.serve.counters().get("ports", ())) == 4, 15.0, "the ports are told")
        self.ports: dict[str, int] = self.serve.counters()["ports"]

    def control(self) -> ControlClient:
        """The one socket for orders."""
        return ControlClient(self.serve.folder / "run" / "gateway.sock")

    async def until_the_hub_knows_both(self) -> None:
        """Return when orders find their way again."""
        async with asyncio.timeout(20):
            while True:
                with suppress(IngestError):
                    async with self.control() as control:
                        if len((await control.request(command="status")).get("workers", ())) == 2:
                            return
                await asyncio.sleep(0.1)

    def worker_of(self, charger: Charger, kind: str = "ykc") -> int:
        """The process that serves this line: the one that has the other end of it open."""
        until(lambda: bool(self._serving(charger, kind)), 10.0, f"{charger.peer} is accepted")
        return self._serving(charger, kind)[0]

    def _serving(self, charger: Charger, kind: str) -> list[int]:
        mine = f":{int(charger.peer.rsplit(':', 1)[1]):04X}"
        theirs = f":{self.ports[kind]:04X}"
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, *_, inode = line.split()[:10]
            if local.endswith(theirs) and remote.endswith(mine):
                return [pid for pid in self.serve.roles()["gateway"] if f"socket:[{inode}]" in _open_files(pid)]
        return []

    async def connect(self, kind: str = "ykc", protocol: str = "ykc") -> Charger:
        tls = self.tls if kind == "tls" else None
        return Charger(*await asyncio.open_connection("127.0.0.1", self.ports[kind], ssl=tls), protocol)

    async def connect_to(self, worker: int) -> Charger:
        """A line that the kernel gave to this worker."""
        for _ in range(LANDING_TRIES):
            charger = await self.connect()
            if self.worker_of(charger) == worker:
                return charger
            await charger.close()
        raise AssertionError(f"the kernel gives nobody to worker {worker}")

    async def logged_in(self, charger: Charger, code: str) -> Charger:
        await charger.send(login(code))
        assert (await answer_of(charger, LOGIN_ANSWER))[13] == 0
        return charger


async def answer_of(charger: Charger, kind: int) -> bytes:
    """The next frame of that kind; others go by."""
    async with asyncio.timeout(15):
        while True:
            (frame,) = await charger.receive()
            if (frame[5] if frame[0] == 0x68 else int.from_bytes(frame[6:8], "little")) == kind:
                return frame


def _open_files(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add(str(entry.readlink()))
    return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    platform = Shared(tmp_path_factory.mktemp("shared"))
    yield platform
    platform.serve.close()


def test_workers_share_every_kind_of_port(shared: Shared) -> None:
    async def talk() -> None:
        served: dict[str, Counter[int]] = {kind: Counter() for kind in shared.ports}
        chargers = []
        for number, code in enumerate(PILES):
            kind = ("ykc", "detect", "tls")[number % 3]
            charger = await shared.logged_in(await shared.connect(kind), code)
            trade_no = trade_no_of(code, number)
            await charger.send(record(trade_no, code))
            await answer_of(charger, RECORD_ANSWER)
            served[kind][shared.worker_of(charger, kind)] += 1
            chargers.append(charger)
        for number, code in enumerate(AAF5_PILES):
            kind = ("aaf5", "detect", "tls")[number % 3]
            charger = await shared.connect(kind, "aaf5")
            await charger.send(aaf5_login(code, clock_ms=now_ms()))
            await answer_of(charger, AAF5_LOGIN_ANSWER)
            await charger.send(aaf5_record(code, serial=f"{number:032d}"))
            await answer_of(charger, AAF5_RECORD_ANSWER)
            served[kind][shared.worker_of(charger, kind)] += 1
            chargers.append(charger)
        for kind in served:  # a kind of which one worker had none so far has it by trying
            tries = 0
            while len(served[kind]) < 2 and (tries := tries + 1) < LANDING_TRIES:
                charger = await shared.connect(kind)
                served[kind][shared.worker_of(charger, kind)] += 1
                await charger.close()
        assert {kind: len(workers) for kind, workers in served.items()} == dict.fromkeys(shared.ports, 2)
        for charger in chargers:
            await charger.close()

    run(talk())
    shared.serve.until_loaded()
    client = shared.serve.client()
    assert client.execute("SELECT count(), uniqExact(pile_id) FROM pile_bills") == [(24, 24)]
    client.disconnect()


def test_numbers_of_charges_are_unique_over_workers_and_their_restarts(shared: Shared) -> None:
    numbers: list[str] = []
    workers: set[int] = set()

    async def start(code: str) -> None:
        """Start again and again at one charger, which says each time that somebody charges there already."""
        charger = await shared.logged_in(await shared.connect(), code)
        workers.add(shared.worker_of(charger))
        async with shared.control() as control:
            for _ in range(STARTS_OF_A_PILE):
                order = asyncio.create_task(control.order("remote_start", code, 1, balance_fen=5_000))
                frame = await answer_of(charger, START_ORDER)
                await charger.send(said_yes(frame, make_pile(code), result=0, fail_reason=2))
                result = await order
                assert result["error"] == "refused", result
                numbers.append(result["trade_no"])
        await charger.close()

    async def talk() -> None:
        await asyncio.gather(*(start(code) for code in PILES))

    run(talk())
    for role, which in (("gateway", 0), ("gateway", 1), ("hub", 0)):
        alive = shared.serve.roles()
        shared.serve.kill(role, which)
        until(lambda alive=alive, role=role: _replaced(shared.serve, role, alive[role]), 20.0, "it is back")  # type: ignore[misc]
        run(shared.until_the_hub_knows_both())
        run(talk())
    assert len(workers) == 4
    assert len(numbers) == 4 * len(PILES) * STARTS_OF_A_PILE
    assert len(set(numbers)) == len(numbers)


def _replaced(serve: ServeProcess, role: str, before: list[int]) -> bool:
    now = serve.roles().get(role, [])
    return len(now) == len(before) and now != before


def test_a_silent_holder_is_taken_over_from_the_other_worker_and_orders_follow(shared: Shared) -> None:
    async def talk() -> None:
        code = PILES[0]
        holder = await shared.logged_in(await shared.connect(), code)
        other = next(pid for pid in shared.serve.roles()["gateway"] if pid != shared.worker_of(holder))
        newcomer = await shared.connect_to(other)
        await newcomer.send(login(code))
        assert (await answer_of(holder, PROBE))[5] == PROBE  # and it stays silent
        assert (await answer_of(newcomer, LOGIN_ANSWER))[13] == 0
        await holder.hung_up()
        await newcomer.send(heartbeat(code))
        async with shared.control() as control:
            order = asyncio.create_task(control.order("remote_start", code, 1, balance_fen=5_000))
            await newcomer.send(said_yes(await answer_of(newcomer, START_ORDER), make_pile(code)))
            assert (await order)["ok"]
        await newcomer.close()

    run(talk())
    until(lambda: shared.serve.counters()["takeovers"] == 1, 10.0, "the takeover is counted")
    assert shared.serve.counters()["closed"]["replaced"] == 1


@pytest.mark.timeout(900)
def test_the_demo_runs_on_two_workers(tmp_path: Path) -> None:
    words = ["demo", "--workers", "2", "--seconds", "25", "--json"]
    demo = subprocess.run(
        [sys.executable, str(ROOT / "pilestream.py"), *words],
        capture_output=True, text=True, timeout=800, cwd=ROOT, check=False,
        env=os.environ | {"PILESTREAM_DATA": str(tmp_path)},
    )  # fmt: skip
    assert demo.returncode == 0, demo.stderr
    result: dict[str, Any] = json.loads(demo.stdout)
    assert result["acked_bills_stored"] is True
    assert result["acked_bills"] == result["bills"] > 0
    assert result["readings"] > 100
    told = {path.name for path in next(tmp_path.rglob("run")).iterdir()}
    assert {"gateway-0.json", "gateway-1.json"} <= told


def test_a_stop_leaves_nothing_behind(shared: Shared) -> None:
    pids = [pid for pids in shared.serve.roles().values() for pid in pids]
    assert shared.serve.terminate() == 0
    assert [pid for pid in pids if _is_alive(pid)] == []


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    return True
