"""`pilestream replay`: a capture through the same way as live frames, and every session of its chargers decided."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from clickhouse_driver import Client

from analytics.biller import Biller
from analytics.biller_decision import DECIDED_AFTER_MS
from analytics.client import ClickHouseAddress, connect
from analytics.conformance import ConformanceChecker
from analytics.meter_learning import MeterLearner
from analytics.questions import PLATFORM_SCOPE, ask
from backoffice.database import open_database
from backoffice.directory import read_directory, register_pile
from backoffice.publish import publish
from core.directory import PileDirectory
from ingest.capture import Step
from ingest.loader import Loader
from ingest.replay import Replayer, ReplayReport
from ingest.spool import Spool
from service.errors import AlreadyRunsError, ServiceError
from service.platform_processes import Platform
from service.progress import Progress
from service.role import now_ms
from service.running import running_database
from service.settings import Settings

UNKNOWN_PILE_CONNECTORS = 2
DONE = 0
_MB: Final = 20
_STEPS: Final[dict[Step, str]] = {
    "check": "checking the lines",
    "sort": "sorting them by time",
    "take": "taking them in",
}


def replay_capture(settings: Settings, capture: Path, *, into_live: bool) -> int:
    """Take in `capture`; gives the exit code.

    Raises `ServiceError` where `serve` runs on the folder or live sessions are open, unless `into_live`.
    """
    if not capture.is_file():
        raise ServiceError(
            f"there is no capture {capture}; a capture is a file of JSON lines with ts, conn, protocol, hex"
        )
    with _database(settings, into_live) as address:
        client = connect(address)
        if not into_live:
            _refuse_open_sessions(client, settings)
        report = _take(settings, address, capture)
        client.disconnect()
    _say(report)
    return DONE


@contextmanager
def _database(settings: Settings, into_live: bool) -> Iterator[ClickHouseAddress]:
    """The database of the folder: started for this replay, or that of the platform that runs there."""
    platform = Platform(settings)
    try:
        address = platform.prepare()
    except AlreadyRunsError as error:
        if not into_live:
            raise ServiceError(f"{error}; or take the capture in beside it with --into-live") from error
        with running_database(settings) as running:
            yield running
        return
    try:
        yield address
    finally:
        platform.stop()


def _take(settings: Settings, address: ClickHouseAddress, capture: Path) -> ReplayReport:
    """Frames into a spool of the replays' own (a running gateway holds the other), from there into the database."""
    engine = open_database(settings.database_url)
    directory = PileDirectory(read_directory(engine))
    folder = settings.folder / "replay-spool"
    register = partial(register_pile, engine, connectors=UNKNOWN_PILE_CONNECTORS)
    spool = Spool(folder, clock=now_ms, node=settings.node, max_bytes=settings.spool_max_bytes)
    try:
        with _CaptureProgress() as progress:
            report = Replayer(directory, spool, register).replay_lines(capture, progress)
    finally:
        spool.close()
    client = connect(address)
    publish(engine, client)
    loader = Loader(folder, partial(connect, address), directory)
    with Progress("loading", loader.waiting_bytes(), "bytes") as loading:
        loader.load_available(loading.step)
    loader.close()
    last_ms = max(report.observed_until_ms.values(), default=0)
    MeterLearner(client, directory).learn_closed_days(max(last_ms, now_ms()), report.pile_ids)
    biller = Biller(client, directory, clock=now_ms, thresholds=settings.threshold_book)
    with Progress("billing", len(report.pile_ids), "chargers") as billing:
        as_of_ms = max(last_ms, now_ms()) + DECIDED_AFTER_MS
        decided = biller.settle(report.pile_ids, as_of_ms, report.observed_until_ms, billing.step)
    if decided.failed_sessions:
        print(f"{decided.failed_sessions} sessions cannot be decided; the log above says why", file=sys.stderr)
    with Progress("holding against the protocol", 0, "sessions") as checking:
        ConformanceChecker(client, directory).run_to_end(checking.step)
    return report


class _CaptureProgress:
    """A bar for each reading of a capture."""

    def __init__(self) -> None:
        self._bars = ExitStack()
        self._step: Step | None = None
        self._bar: Progress | None = None
        self._done = 0

    def __enter__(self) -> "_CaptureProgress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.close()

    def __call__(self, step: Step, done_bytes: int, size: int) -> None:
        if self._bar is None or step != self._step:
            self._bars.close()
            self._step, self._done = step, 0
            self._bar = self._bars.enter_context(Progress(_STEPS[step], size >> _MB, "MB"))
        self._bar.step((done_bytes >> _MB) - self._done)
        self._done = done_bytes >> _MB


def _refuse_open_sessions(client: Client, settings: Settings) -> None:
    open_sessions = ask(client, "open_sessions", PLATFORM_SCOPE, since_ms=now_ms() - DECIDED_AFTER_MS).first()
    if open_sessions and open_sessions["sessions"]:
        raise ServiceError(
            f"{settings.folder} has {open_sessions['sessions']} live sessions that are still open; "
            "use another folder (PILESTREAM_DATA), or --into-live"
        )


def _say(report: ReplayReport) -> None:
    words = (
        f"{report.frames} frames ({report.readings} readings, {report.bills} bills) "
        f"of {len(report.pile_ids)} chargers, {report.quarantined} quarantined, {report.repeated} taken before"
    )
    others = ", ".join(f"{count} lines of {name!r}" for name, count in report.other_protocols.items())
    print(f"{words}{f'; not read: {others}' if others else ''}", file=sys.stderr)
