"""Chargers that live at a pace on a platform: what they waited for, what it cost, how far rows were behind."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.endtoend.costs import Costs
from benchmarks.endtoend.errors import EndToEndError
from benchmarks.endtoend.platform import ServedPlatform
from benchmarks.endtoend.senders import Pace, paced
from benchmarks.endtoend.stored import await_readings, await_records
from benchmarks.endtoend.traffic import Sent
from benchmarks.endtoend.watching import Sample, Watch

KINDS: Final = ("readings", "heartbeats", "records", "logins")


class Life(NamedTuple):
    """`account` is the pacer's own; `caught_up_s`: from the last frame sent to the last row that could be asked for."""

    account: dict[str, Any]
    samples: list[Sample]
    processes: dict[str, Any]
    caught_up_s: float

    @property
    def sent(self) -> Sent:
        """What must be stored of it."""
        account = self.account
        return Sent(account["readings"]["sent"], int(account["digest"]), account["records"]["sent"])

    @property
    def missed(self) -> int:
        """Answers that did not come before the next one was due, and lines that were lost."""
        account = self.account
        return int(account["lost"] + sum(account[kind]["missed"] for kind in KINDS))

    def waits(self) -> dict[str, Any]:
        """By kind of answer: percentiles in ms, and how many came within each bound."""
        return {kind: self.account[kind]["wait_ms"] for kind in KINDS if self.account[kind]["wait_ms"]["count"]}


def live_through(
    platform: ServedPlatform,
    path: Path,
    pace: Pace,
    before: Sent,
    *,
    every_s: float = 1.0,
    ready: Callable[[], None] | None = None,
) -> Life:
    """Let chargers live, and wait for their last row; `before`: what the database holds already.

    It is looked how far the database is every `every_s`. `ready` is called when all have logged in.
    Raises `EndToEndError` when one is refused.
    """
    sender = paced(platform.port, path, pace)
    client = platform.client()
    try:
        sender.await_ready()
        if ready is not None:
            ready()
        watch, costs = Watch(platform, every_s), Costs(platform)
        sender.go()
        watch.start()
        account = sender.result()
        ended = time.monotonic()
        processes = costs.found({"sender": (sender.cpu_s, sender.memory_mb)})
        await_readings(client, before.readings + account["readings"]["sent"])
        await_records(client, before.records + account["records"]["sent"])
        caught_up_s = time.monotonic() - ended
        samples = watch.stop()
    finally:
        sender.close()
        client.disconnect()
    if account["refusals"]:
        raise EndToEndError(f"{account['refusals']} logins or records were refused")
    return Life(account, samples, processes, caught_up_s)


def both(first: Sent, second: Sent) -> Sent:
    """What must be stored of two lives on one platform."""
    return Sent(
        first.readings + second.readings, (first.digest + second.digest) % 2**64, first.records + second.records
    )
