"""The gateway with its spool, and nothing else of the platform: `python -m benchmarks.sockets.gateway_alone FOLDER N`.

Prints its port; serves the chargers of so many connections until SIGTERM. Limits that guard against strangers are off,
since all connections come from one address.
"""

import asyncio
import signal
import sys
import time
from pathlib import Path

import uvloop

from benchmarks.sockets.traffic import directory
from ingest.gateway import Gateway, GatewaySettings
from ingest.group_commit import GroupCommit
from ingest.login_rules import LoginLimits
from ingest.spool import Spool

SPOOL_BYTES = 8 << 30


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _serve(folder: Path, connections: int) -> None:
    spool = Spool(folder, clock=_now_ms, max_bytes=SPOOL_BYTES)
    commit = GroupCommit(spool)
    commit.start()
    settings = GatewaySettings(login_limits=LoginLimits(per_pile=0, per_address=0), unidentified_per_address=0)
    gateway = Gateway(directory(connections), spool, commit, _now_ms, settings)
    await gateway.start("127.0.0.1", 0)
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(gateway.port, flush=True)
    await stopped.wait()
    await gateway.stop()
    await commit.close()
    spool.close()


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
