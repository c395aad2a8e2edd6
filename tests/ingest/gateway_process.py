"""A gateway in a process of its own, to be killed: `python -m tests.ingest.gateway_process FOLDER` prints its port."""

import asyncio
import sys
from pathlib import Path

import uvloop

from tests.ingest.running_gateway import running


async def serve(folder: Path) -> None:
    async with running(folder, beat_path=folder / "beat.json") as here:
        print(here.gateway.port, flush=True)
        await asyncio.sleep(60)


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
