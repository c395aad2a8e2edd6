"""kill -9 at any moment: every acknowledged bill is found again (DESIGN invariant 2)."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.liveness import Liveness
from ingest.spool import Spool
from tests.ingest.charger_frames import SpoolContent, charging, login, record, trade_no_of
from tests.ingest.running_gateway import Charger, now_ms, run

pytestmark = [pytest.mark.server, pytest.mark.fault]


async def acknowledged_before_death(port: int, process: "subprocess.Popen[str]", enough: int) -> set[str]:
    """Send records without pause, kill the gateway after `enough` acknowledgements; gives all that arrived."""
    charger = Charger(*await asyncio.open_connection("127.0.0.1", port))
    await charger.send(login())
    await charger.receive(2)
    acked: set[str] = set()

    async def send() -> None:
        for number in range(1, 10_000):
            await charger.send(record(trade_no_of(number=number)) + charging(trade_no_of(number=number), 1, 0))
            await asyncio.sleep(0)

    sending = asyncio.create_task(send())
    try:
        while True:
            for frame in await charger.receive():
                acked.add(frame[6:22].hex().upper())
            if len(acked) == enough:
                process.kill()
    except (AssertionError, ConnectionError):  # the line died with the gateway
        pass
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    return acked


@pytest.mark.parametrize("enough", [1, 7, 60])
def test_every_acknowledged_bill_survives_a_kill(tmp_path: Path, enough: int) -> None:
    command = [sys.executable, "-m", "tests.ingest.gateway_process", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            acked = run(acknowledged_before_death(port, process, enough))
        finally:
            process.kill()
    assert len(acked) >= enough
    Spool(tmp_path / "spool", clock=now_ms).close()  # the recovery that the next start makes
    kept = [frame[6:22].hex().upper() for frame in SpoolContent(tmp_path / "spool").up if frame[5] == 0x3B]
    assert acked <= set(kept)
    assert len(kept) == len(set(kept))
    outage = Liveness(tmp_path / "beat.json", "n").outage_before(now_ms())
    assert outage is not None and outage.cause == "crashed"
