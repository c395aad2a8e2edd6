"""A platform under the load of chargers while somebody does harm; afterwards it is compared and balanced."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.faults.balance import require_balance
from tests.faults.kills import PILES
from tests.faults.load import Load
from tests.faults.sender_log import SenderLog
from tests.faults.serve_process import ServeProcess
from tests.faults.tally import Row
from tests.faults.verdict import compare


@contextmanager
def under_load(
    row: Row,
    serve: ServeProcess,
    folder: Path,
    seed: int,
    *,
    port: int = 0,
    rate: float = 10.0,
    drain_s: float = 30.0,
    balanced: bool = True,
) -> Iterator[ServeProcess]:
    """Chargers send while the body of the `with` does harm; then everything is compared, and the platform ended.

    Starts `serve` unless it runs; the chargers connect to `port` (0: its own). Telemetry may be missing only where the
    spool gave it up and says so. `balanced`: no byte may be given up at all.
    """
    load = Load(folder / "sent", PILES, seed)
    began = time.monotonic()
    try:
        if not serve.port:
            serve.start()
        load.start(port or serve.port, rate)
        time.sleep(0.5)
        yield serve
        log = load.finish(drain_s)
        serve.until_loaded()
        judge_unkilled(row, serve, log, balanced=balanced)
        row.require(serve.terminate() == 0, "serve did not end in order at SIGTERM")
    finally:
        load.close()
        serve.close()
        row.seconds = time.monotonic() - began


def judge_unkilled(row: Row, serve: ServeProcess, log: SenderLog, *, balanced: bool) -> None:
    """Compare what a platform whose gateway was never killed holds with what was sent."""
    client = serve.client()
    verdict = compare(client, log)
    client.disconnect()
    try:
        folders = serve.spool_status()["folders"].values()
    except msgspec.DecodeError as error:
        row.wrong.append(f"the state of the spool cannot be read: {error}")
        folders = []
    shed = sum(folder.get("shed", {}).get("records", 0) for folder in folders)
    lost, verdict.telemetry_missing = len(verdict.telemetry_missing), []
    row.judge(verdict, [], 0.0)
    row.lost_allowed += lost
    row.notes["shed"] = shed
    row.require(lost <= shed, f"{lost} readings and heartbeats are missing, and the spool says that it gave up {shed}")
    row.require(
        serve.loader()["differences"] == 0, f"the loader sees a difference: {serve.loader()['last_difference']}"
    )
    if balanced:
        row.require(lost == 0, f"{lost} readings and heartbeats are missing")
        require_balance(row, serve, log)
