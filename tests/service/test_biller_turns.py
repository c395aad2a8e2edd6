"""The biller waits for a loader that is behind, for a bounded time; its bills come all the same."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from backoffice.database import open_database
from ingest.loader import BACKLOG_BYTES
from ingest.loader_status import STATUS_FILE, LoaderStatus
from service.biller_turns import (
    BUSY_BYTES,
    FRESH_MS,
    GONE_MS,
    LONGEST_PAUSE_S,
    BillerStatus,
    BillerTurns,
    bytes_before_loader,
)
from service.biller_turns import STATUS_FILE as BILLER_FILE
from service.biller_turns import read_biller_status as said
from service.child_process import ChildProcess
from service.loaded import loaded_until, told_by_loader
from service.master_data import Publisher, load_file
from service.role import RoleSettings, now_ms
from service.settings import Settings
from service.status import read_status
from tests.analytics.stored_facts import PILE_CODE, Facts
from tests.analytics.stored_steps import store_session

# The charger of `stored_facts` is the fourth.
MASTER = f"""
[[operators]]
key = "o"
name = "o"

[[tariffs]]
key = "t"
name = "t"

[[tariffs.versions]]
model_no = "0007"
from = 2023-01-01T00:00:00+08:00
slots = "{"f" * 48}"
electricity = {{ sharp = "1.0", peak = "1.0", flat = "0.7", valley = "1.0" }}
service = {{ sharp = "0.4", peak = "0.4", flat = "0.4", valley = "0.4" }}

[[models]]
key = "m"
vendor = "m"
current = "dc"
connectors = 2
rated_power_kw = 120
register = "session"
quantum_kwh = "0.0001"

[[stations]]
key = "s"
operator = "o"
name = "s"
latitude = 23.0
longitude = 113.3
tariffs = [{{ tariff = "t", from = 2023-01-01T00:00:00+08:00 }}]

[[piles]]
first_code = "{int(PILE_CODE) - 3:014d}"
count = 4
station = "s"
model = "m"
commissioned = 2023-01-01T00:00:00+08:00
"""


def loader(waiting: int, *, updated_ms: int = 0, error: str = "") -> LoaderStatus:
    at_ms = updated_ms or now_ms()
    return LoaderStatus(at_ms, at_ms, waiting, 0, {}, 0, error)


class Loader:
    waiting = 100 * BACKLOG_BYTES

    def __call__(self) -> int:
        return self.waiting


class Seconds:
    """A clock in seconds that goes where it is put."""

    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def turns_of(run: Path, patience_s: float, interval_s: float = 1.0) -> tuple[BillerTurns, Loader, Seconds]:
    before_loader, clock = Loader(), Seconds()
    turns = BillerTurns(run, before_loader, patience_s=patience_s, interval_s=interval_s, clock=clock)
    return turns, before_loader, clock


def last(run: Path) -> BillerStatus:
    found = said(run)
    assert found is not None
    return found


def asked_until_it_begins(turns: BillerTurns, clock: Seconds) -> float:
    """Ask as a biller does; gives after how many seconds the pass may begin."""
    since_s = clock.now_s
    while wait_s := turns.wait_s():
        clock.now_s += wait_s
        assert clock.now_s - since_s < 1_000
    return clock.now_s - since_s


@pytest.mark.parametrize("interval_s", [1.0, 60.0])
def test_a_pass_waits_for_the_loader_as_long_as_it_has_patience(tmp_path: Path, interval_s: float) -> None:
    turns, _loader, clock = turns_of(tmp_path, 30, interval_s)
    assert turns.wait_s()
    assert last(tmp_path).waits_since_ms
    assert asked_until_it_begins(turns, clock) == 30
    turns.ended()
    now = last(tmp_path)
    assert (now.passes, now.put_off, now.in_spite, now.waits_since_ms) == (1, 1, 1, 0)
    assert now.waited_ms == now.longest_wait_ms == 30_000
    assert asked_until_it_begins(turns, clock) == interval_s + 30  # the next one has its own wait


def test_the_wait_ends_when_the_loader_has_caught_up(tmp_path: Path) -> None:
    turns, loader, clock = turns_of(tmp_path, 30)
    assert turns.wait_s()
    clock.now_s += 4
    loader.waiting = BACKLOG_BYTES - 1
    assert not turns.wait_s()
    turns.ended()
    assert (last(tmp_path).put_off, last(tmp_path).in_spite, last(tmp_path).longest_wait_ms) == (1, 0, 4_000)
    assert asked_until_it_begins(turns, clock) == 1
    turns.ended()
    assert (last(tmp_path).passes, last(tmp_path).put_off) == (2, 1)


def test_without_patience_no_pass_waits(tmp_path: Path) -> None:
    turns, _loader, _clock = turns_of(tmp_path, 0)
    assert not turns.wait_s()
    turns.ended()
    assert (last(tmp_path).put_off, last(tmp_path).in_spite) == (0, 0)


def test_a_full_disk_keeps_no_pass_from_beginning(tmp_path: Path) -> None:
    (tmp_path / f".{BILLER_FILE}.new").symlink_to("/dev/full")
    turns, _loader, clock = turns_of(tmp_path, 30)
    assert asked_until_it_begins(turns, clock) == 30
    turns.ended()
    assert said(tmp_path) is None


@pytest.mark.parametrize(
    ("waiting", "pauses"), [(BUSY_BYTES, [1.0, 6.0, LONGEST_PAUSE_S]), (BUSY_BYTES - 1, [1.0, 1.0, 1.0])]
)
def test_the_pause_grows_with_the_pass_while_the_loader_is_busy(
    tmp_path: Path, waiting: int, pauses: list[float]
) -> None:
    turns, loader, clock = turns_of(tmp_path, 30)
    loader.waiting = waiting
    found = []
    assert not turns.wait_s()
    for took_s in (0, 2, 60):
        clock.now_s += took_s
        turns.ended()
        found.append(asked_until_it_begins(turns, clock))
    assert found == pauses


def test_a_long_pause_ends_when_the_loader_has_no_more_to_do(tmp_path: Path) -> None:
    turns, loader, clock = turns_of(tmp_path, 30)
    loader.waiting = BUSY_BYTES
    assert not turns.wait_s()
    clock.now_s += 60
    turns.ended()
    clock.now_s += 2
    assert turns.wait_s()
    loader.waiting = 0
    assert not turns.wait_s()


def test_the_last_pass_ends_the_wait(tmp_path: Path) -> None:
    turns, _loader, clock = turns_of(tmp_path, 30)
    assert turns.wait_s()
    clock.now_s += 2
    turns.begin()
    turns.ended()
    now = last(tmp_path)
    assert (now.passes, now.put_off, now.in_spite, now.waits_since_ms, now.waited_ms) == (1, 1, 0, 0, 2_000)


def test_a_pass_that_clickhouse_ended_is_none_that_was_done(tmp_path: Path) -> None:
    turns, loader, _clock = turns_of(tmp_path, 30)
    loader.waiting = 0
    assert not turns.wait_s()
    turns.ended(failed=True)
    assert (last(tmp_path).passes, last(tmp_path).failed, last(tmp_path).last_pass_ms) == (0, 1, 0)


def test_a_biller_that_was_killed_while_it_waited_waits_no_more(tmp_path: Path) -> None:
    turns, _loader, _clock = turns_of(tmp_path, 30)
    assert turns.wait_s()
    waits = last(tmp_path)
    assert waits.waits_since_ms
    of_old = msgspec.structs.replace(waits, updated_ms=waits.updated_ms - GONE_MS)
    (tmp_path / BILLER_FILE).write_bytes(msgspec.json.encode(of_old))
    assert last(tmp_path) == msgspec.structs.replace(of_old, waits_since_ms=0)


@pytest.mark.parametrize(
    ("status", "before"),
    [
        (None, 0),
        (loader(BACKLOG_BYTES, updated_ms=50_000), BACKLOG_BYTES),
        (loader(BACKLOG_BYTES, updated_ms=50_000 - FRESH_MS), 0),
        (loader(BACKLOG_BYTES, updated_ms=50_000, error="ClickHouse is away"), 0),
    ],
    ids=["none", "behind", "silent", "stuck"],
)
def test_only_a_loader_that_gets_on_is_waited_for(status: LoaderStatus | None, before: int) -> None:
    assert bytes_before_loader(status, 50_000) == before


def test_a_torn_word_of_the_loader_is_none(tmp_path: Path) -> None:
    (tmp_path / STATUS_FILE).write_bytes(b"")
    assert told_by_loader(tmp_path) is None
    assert loaded_until(tmp_path)() == 0


@pytest.fixture
def always_behind(tmp_path: Path) -> Iterator[None]:
    """A loader that says all the time that it is far behind."""
    path = tmp_path / "spool" / STATUS_FILE
    path.parent.mkdir()
    stop = threading.Event()

    def say() -> None:
        part = path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(loader(100 * BACKLOG_BYTES)))
        part.replace(path)

    def keep_saying() -> None:
        while not stop.wait(0.2):
            say()

    say()
    thread = threading.Thread(target=keep_saying)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.server
@pytest.mark.usefixtures("always_behind")
def test_bills_come_while_the_loader_never_catches_up(
    database: Client, database_address: ClickHouseAddress, tmp_path: Path
) -> None:
    facts = Facts(database)
    store_session(facts)
    settings = Settings(data=str(tmp_path), biller_interval_ms=50, biller_patience_s=1)
    sites = tmp_path / "sites.toml"
    sites.write_text(MASTER, "utf-8")
    assert load_file(settings, sites) == 0
    Publisher(open_database(settings.database_url)).publish(database)
    (tmp_path / "run").mkdir()
    role = tmp_path / "run" / "role.json"
    role.write_bytes(msgspec.json.encode(RoleSettings(settings, database_address)))
    biller = ChildProcess("biller", ["-m", "service.biller_role", str(role)], tmp_path / "logs")
    biller.start()
    try:
        deadline = time.monotonic() + 60
        while not database.execute("SELECT count() FROM bills WHERE status = 'final'")[0][0]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while not (told := read_status(settings)["biller"]).get("passes"):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        biller.ask_to_stop()
        biller.wait_stopped(30)
    assert told["in_spite"] >= 1
    assert told["longest_wait_ms"] >= 1_000
