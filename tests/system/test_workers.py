"""`serve --workers 2` as an operator runs it: real processes share the port, die, come back, and nothing is lost."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backoffice.database import open_database
from backoffice.directory import register_pile
from ingest.control import ControlClient
from service.running import running_client
from service.status import read_status
from tests.ingest.charger_frames import heartbeat, login, record, trade_no_of
from tests.ingest.running_gateway import Charger, run
from tests.system.conftest import ROOT, RunningPlatform

pytestmark = [
    pytest.mark.system,
    pytest.mark.server,
    pytest.mark.timeout(180),
    # Daily, tests/faults kills each of them on one platform; tests/ingest/test_workers.py has them in one process.
    pytest.mark.long(reason="another start of a platform of nine processes, and the pauses before each restart"),
]

PILES = [f"320106000300{number:02d}" for number in range(24)]
LATE_PILES = [f"320106000399{number:02d}" for number in range(12)]
LOOK_S = 0.05


class Shared(RunningPlatform):
    """A platform with two workers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, PILES, "--workers", "2")
        self.acked: list[str] = []

    def pid_of(self, role: str, worker: int | None = None) -> int:
        """The process of a role; 0 while there is none."""
        words = [f"service.{role}_role", str(self.settings.folder / "run" / "role.json")]
        words += [str(worker)] if worker is not None else []
        for entry in Path("/proc").iterdir():
            try:
                told = (entry / "cmdline").read_bytes().decode().split("\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if told[2:-1] == words:
                return int(entry.name)
        return 0

    def kill(self, role: str, worker: int | None = None) -> int:
        """`kill -9`; gives which process it was."""
        pid = self.pid_of(role, worker)
        assert pid
        os.kill(pid, signal.SIGKILL)
        return pid

    def status(self) -> dict[str, Any]:
        """The gateway's part of `pilestream status`."""
        return dict(read_status(self.settings)["gateway"])

    async def status_where(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status that the hub shows and that is so: it shows none in its first second."""
        found: dict[str, Any] = {}

        def look() -> bool:
            found.clear()
            found.update(self.status())
            return bool(found) and condition(found)

        await until(look)
        return found

    async def connect(self) -> Charger:
        return Charger(*await asyncio.open_connection("127.0.0.1", self.ykc_port))

    async def logged_in(self, code: str) -> Charger:
        charger = await self.connect()
        await charger.send(login(code))
        assert (await charger.receive())[0][-3] == 0
        return charger

    async def come_back(self, code: str) -> Charger:
        """As a charger does: again and again, until it is let in."""
        async with asyncio.timeout(20):
            while True:
                try:
                    return await self.logged_in(code)
                except (OSError, AssertionError):
                    await asyncio.sleep(LOOK_S)

    async def bill(self, charger: Charger, code: str, number: int) -> None:
        """Send a record until it is acknowledged."""
        trade_no = trade_no_of(code, number)
        await charger.send(record(trade_no, code))
        async with asyncio.timeout(10):
            while (await charger.receive())[0][5] != 0x40:
                pass
        self.acked.append(trade_no)

    def stored(self) -> list[str]:
        """Trade numbers of the stored records, each as often as it is stored."""
        with running_client(self.settings) as client:
            rows = client.execute("SELECT trade_no FROM pile_bills ORDER BY trade_no")
        return [number for (number,) in rows]


async def until(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(LOOK_S)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    platform = Shared(tmp_path_factory.mktemp("workers") / "data")
    yield platform
    platform.stop()


def test_the_kernel_spreads_chargers_over_all_workers_and_status_shows_each(shared: Shared) -> None:
    async def talk() -> None:
        chargers = [await shared.logged_in(code) for code in PILES]
        for number, (charger, code) in enumerate(zip(chargers, PILES, strict=True)):
            await shared.bill(charger, code, number)
        status = await shared.status_where(lambda status: status["bills_acked"] == len(PILES))
        assert status["logged_in"] == len(PILES)
        assert [each["worker"] for each in status["workers"]] == [0, 1]
        assert all(each["logged_in"] > 0 for each in status["workers"])
        assert sum(each["bills_acked"] for each in status["workers"]) == status["bills_acked"] == len(PILES)
        for charger in chargers:
            await charger.close()

    run(talk())


def test_an_order_given_at_the_one_socket_reaches_the_charger(shared: Shared) -> None:
    async def talk() -> None:
        chargers = [await shared.come_back(code) for code in PILES[:6]]
        async with ControlClient(shared.settings.folder / "run" / "gateway.sock") as control:
            for code, charger in zip(PILES, chargers, strict=False):
                order = asyncio.create_task(control.order("remote_stop", code, 1))
                async with asyncio.timeout(10):
                    while (await charger.receive())[0][5] != 0x36:
                        pass
                await charger.close()
                assert (await order)["error"] == "connection_lost"
            assert (await control.order("remote_stop", PILES[0], 1))["error"] == "offline"

    run(talk())


def test_chargers_of_a_killed_worker_come_back_to_any_and_it_is_started_again(shared: Shared) -> None:
    async def talk() -> None:
        chargers = {code: await shared.come_back(code) for code in PILES}
        for number, (code, charger) in enumerate(chargers.items(), 100):
            await shared.bill(charger, code, number)
        killed = shared.kill("gateway", 1)
        served = 0
        for number, (code, charger) in enumerate(chargers.items(), 200):
            try:
                await charger.send(heartbeat(code))
                await charger.receive()
                served += 1
            except (OSError, AssertionError):
                charger = await shared.come_back(code)
            await shared.bill(charger, code, number)
            await charger.close()
        assert 0 < served < len(PILES)
        await until(lambda: shared.pid_of("gateway", 1) not in (0, killed))
        await shared.status_where(lambda status: len(status["workers"]) == 2)

    run(talk())


def test_a_killed_hub_stops_nobody_and_the_next_one_knows_who_is_there(shared: Shared) -> None:
    async def talk() -> None:
        chargers = {code: await shared.come_back(code) for code in PILES[:8]}
        killed = shared.kill("hub")
        for number, (code, charger) in enumerate(chargers.items(), 300):
            await shared.bill(charger, code, number)
        newcomer = await shared.come_back(PILES[8])
        await shared.bill(newcomer, PILES[8], 308)
        await until(lambda: shared.pid_of("hub") not in (0, killed))
        await shared.status_where(lambda status: status["logged_in"] == len(chargers) + 1)
        # A rival on whichever worker: the new hub knows the holder, which answers.
        rival = await shared.connect()
        await rival.send(login(PILES[0]))
        holder = chargers[PILES[0]]
        async with asyncio.timeout(10):
            while (await holder.receive())[0][5] != 0x12:
                pass
        await holder.send(heartbeat(PILES[0]))
        answer = await rival.hung_up()
        assert (answer[5], answer[-3]) == (0x02, 1)
        for charger in (*chargers.values(), newcomer):
            await charger.close()

    run(talk())


def test_a_charger_that_is_new_in_the_master_data_is_served_by_every_worker(shared: Shared) -> None:
    engine = open_database(shared.settings.database_url)
    for code in LATE_PILES:
        register_pile(engine, code, "ykc", 2)
    engine.dispose()

    async def talk() -> None:
        await asyncio.sleep(6)  # a directory is read again every five seconds
        status = await shared.status_where(lambda status: len(status["workers"]) == 2)
        before = {each["worker"]: each["logins_accepted"] for each in status["workers"]}
        chargers = [await shared.logged_in(code) for code in LATE_PILES]
        status = await shared.status_where(lambda status: status["logged_in"] == len(chargers))
        after = {each["worker"]: each["logins_accepted"] for each in status["workers"]}
        assert all(after[worker] > before[worker] for worker in after)
        for charger in chargers:
            await charger.close()

    run(talk())


def test_a_second_platform_does_not_share_the_ports(shared: Shared, tmp_path: Path) -> None:
    words = ["serve", "--ykc-port", str(shared.ykc_port), "--dashboard-port", "0", "--workers", "2"]
    second = subprocess.run(
        [sys.executable, str(ROOT / "pilestream.py"), *words, "--data", str(tmp_path / "second")],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert second.returncode == 1
    assert f"the port {shared.ykc_port} on 127.0.0.1 cannot be had" in second.stderr


def test_a_stop_drains_every_worker_and_each_acknowledged_bill_is_stored_once(shared: Shared) -> None:
    async def talk() -> list[Charger]:
        chargers = [await shared.come_back(code) for code in PILES]
        for number, (charger, code) in enumerate(zip(chargers, PILES, strict=True), 400):
            await shared.bill(charger, code, number)
        shared.process.send_signal(signal.SIGTERM)
        for charger in chargers:
            await charger.hung_up()
        return chargers

    run(talk())
    assert shared.process.wait(60) == 0
    assert shared.stored() == sorted(shared.acked)
    folders = {folder.name for folder in (shared.settings.folder / "spool").iterdir()}
    assert {"0", "1"} <= folders
