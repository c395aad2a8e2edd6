"""How far the database is behind while chargers send: sampled each second, by a thread of its own."""

import statistics
import threading
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from clickhouse_driver import Client

from benchmarks.endtoend.platform import ServedPlatform

QUERY: Final = (Path(__file__).parent / "newest.sql").read_text()
MS_PER_S: Final = 1_000
# A platform that has just begun to be loaded is not settled; what is compared afterwards are the fifths at both ends.
WARM_UP_PART: Final = 10
PARTS: Final = 5
LOADER_STEP_S: Final = 2.0
"""The loader rests at most so long; what came meanwhile is its step, and no backlog."""


class Sample(NamedTuple):
    """At `at_s` since the begin: rows that can be asked for, the age of the newest, bytes that the loader has to do."""

    at_s: float
    rows: int
    newest_age_s: float
    waiting_bytes: int


class Watch:
    """Samples until `stop`; `rows` counts from the begin."""

    def __init__(self, platform: ServedPlatform, every_s: float = 1.0) -> None:
        self.samples: list[Sample] = []
        self.began_s = time.monotonic()
        self._platform = platform
        self._every_s = every_s
        self._client = platform.client()
        self._rows_before = _newest(self._client)[0]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """What is watched begins now."""
        self.began_s = time.monotonic()
        self._thread.start()

    def stop(self) -> list[Sample]:
        """End; gives all samples."""
        self._stopped.set()
        self._thread.join()
        self._client.disconnect()
        return self.samples

    def _watch(self) -> None:
        while not self._stopped.wait(self._every_s):
            rows, newest_ms = _newest(self._client)
            at_s, now_ms = time.monotonic() - self.began_s, time.time_ns() // 1_000_000
            waiting = int(self._platform.loader().get("waiting_bytes", 0))
            age_s = (now_ms - newest_ms) / MS_PER_S if rows > self._rows_before else at_s
            self.samples.append(Sample(at_s, rows - self._rows_before, age_s, waiting))


def growth(samples: list[Sample], rate_per_s: float) -> float:
    """By how many rows a second the database falls behind chargers that send `rate_per_s`: 0 when it keeps up.

    Compared are the medians at the begin and at the end; less than one step of the loader is no growth.
    """
    settled = samples[len(samples) // WARM_UP_PART :]
    part = max(1, len(settled) // PARTS)
    first, last = settled[:part], settled[-part:]
    seconds = statistics.fmean(sample.at_s for sample in last) - statistics.fmean(sample.at_s for sample in first)
    behind = [statistics.median(rate_per_s * each.at_s - each.rows for each in some) for some in (first, last)]
    grown = behind[1] - behind[0]
    return grown / seconds if seconds > 0 and grown > rate_per_s * LOADER_STEP_S else 0.0


def in_columns(samples: list[Sample]) -> dict[str, list[Any]]:
    """All samples, a list for each kind of figure."""
    return {
        "at_s": [round(sample.at_s, 1) for sample in samples],
        "rows": [sample.rows for sample in samples],
        "newest_age_s": [round(sample.newest_age_s, 2) for sample in samples],
        "waiting_bytes": [sample.waiting_bytes for sample in samples],
    }


def _newest(client: Client) -> tuple[int, int]:
    ((rows, newest_ms),) = client.execute(QUERY)
    return int(rows), int(newest_ms)
