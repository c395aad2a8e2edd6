"""Invariant 1 from frames: whatever way they take into the database, the bills are the same to the last unit.

The frames of a small fleet with many faults are cut into parts, as reconnects cut them. A course spreads the parts over
gateways and over processes that know nothing of each other, sends some frames twice, delivers late what was received
early, loads in pieces of any size, and lets several billers look in between. Each frame keeps its time of receipt.
"""

import heapq
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics.biller import Biller
from analytics.client import ClickHouseAddress, connect
from analytics.migrate import migrate
from backoffice.database import open_database
from backoffice.directory import read_directory
from backoffice.master_file import load_master_file
from benchmarks.fleet.faults import DEFAULT_SHARES, Fault, FaultMix
from benchmarks.fleet.history import history_frames, protocol_of
from benchmarks.fleet.master_data import fleet_of
from benchmarks.fleet.piles import SimPile
from benchmarks.fleet.plan import HOUR_MS, MINUTE_MS, build_plan
from core.directory import PileDirectory
from ingest.loader import Loader
from ingest.protocols import BY_NAME
from ingest.replay import Replayer, ReplayReport
from ingest.spool import Spool
from service.demo import MASTER_FILE
from service.master_data import Publisher

pytestmark = pytest.mark.server

Frame = tuple[int, str, bytes]
SEED = 11
FROM_MS = 1_700_000_000_000
TO_MS = FROM_MS + 7 * HOUR_MS
DECIDED_MS = TO_MS + 10 * 24 * HOUR_MS
EXCHANGE_MS = 3 * MINUTE_MS
"""An order and its answer belong together: where a connection breaks in between, other things have happened."""
RUN_COLUMNS = ("revision", "batch_id", "computed_ms", "inserted_ms", "stays_since_ms")
"""Who computed it and when; and when the capture ended, which may be another one of the charger's."""
TOLD_BY_REPEATS = ("inputs_digest", "readings", "charging_readings", "stored_readings", "flags")
"""What a frame that came twice may show in; no figure and no code is among them."""
BILLED = ("sessions", "bills")


class Course(msgspec.Struct, frozen=True):
    """A way of the frames. `captures`: as files through `replay_lines`, else as a gateway hands them to its spool."""

    seed: int
    cuts: int
    deliveries: int
    gateways: int
    repeated_percent: int
    captures: bool
    in_order: bool
    between: int


COURSES = st.builds(
    Course,
    seed=st.integers(0, 2**32),
    cuts=st.integers(0, 6),
    deliveries=st.integers(1, 6),
    gateways=st.integers(1, 3),
    repeated_percent=st.sampled_from([0, 0, 3]),
    captures=st.booleans(),
    in_order=st.booleans(),
    between=st.integers(0, 3),
)


def small_fleet() -> tuple[SimPile, ...]:
    """Two chargers of each model."""
    kept: dict[str, list[SimPile]] = {}
    for pile in fleet_of(MASTER_FILE):
        kept.setdefault(pile.model, []).append(pile)
    return tuple(pile for piles in kept.values() for pile in piles[-2:])


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    """Hours in which every second charge has a fault."""
    shares: dict[Fault, float] = {
        fault: share * 3 for fault, share in DEFAULT_SHARES.items() if fault is not Fault.OFFLINE_FOREVER
    }
    plan = build_plan(small_fleet(), SEED, FROM_MS, TO_MS, faults=FaultMix(shares))
    return list(history_frames(plan, FROM_MS, TO_MS, heartbeat_s=100))


class Platform:
    """Spools, loaders and billers over a database of their own."""

    def __init__(self, folder: Path, server: ClickHouseAddress) -> None:
        self.folder = folder
        folder.mkdir()
        self.address = msgspec.structs.replace(server, database=f"test_{uuid4().hex[:12]}")
        migrate(self.address)
        self.client = connect(self.address)
        engine = open_database(f"sqlite:///{folder / 'backoffice.db'}")
        load_master_file(engine, MASTER_FILE)
        Publisher(engine).publish(self.client)
        self.directory = PileDirectory(read_directory(engine))
        engine.dispose()

    def receive(self, frames: Sequence[Frame], gateway: int) -> None:
        """Into the spool of a gateway that was just started."""
        spool = Spool(self.folder / f"spool-{gateway}", clock=lambda: TO_MS)
        Replayer(self.directory, spool).replay_frames(frames)
        spool.close()

    def replay(self, frames: Sequence[Frame], name: str) -> ReplayReport:
        """As a capture."""
        path = self.folder / f"{name}.jsonl"
        lines = (
            {"ts": ts, "conn": conn, "protocol": protocol_of(conn), "hex": frame.hex()} for ts, conn, frame in frames
        )
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        spool = Spool(self.folder / "spool-0", clock=lambda: TO_MS)
        report = Replayer(self.directory, spool).replay_lines(path)
        spool.close()
        return report

    def load(self, gateway: int, batch_records: int) -> None:
        """Everything that lies in the spool of a gateway, in pieces of that size, by a loader just started."""
        folder = self.folder / f"spool-{gateway}"
        if folder.exists():
            loader = Loader(folder, partial(connect, self.address), self.directory, batch_records=batch_records)
            loader.load_available()
            loader.close()

    def biller(self, at_ms: int) -> Biller:
        """A biller just started, at that time."""
        return Biller(self.client, self.directory, clock=lambda: at_ms)

    def billed(self, without: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Every session and every bill as it stands."""
        found: list[dict[str, Any]] = []
        for view in BILLED:
            rows, columns = self.client.execute(
                f"SELECT * FROM {view} ORDER BY pile, connector, trade_no", with_column_types=True
            )
            names = [name for name, _kind in columns]
            left_out = {*RUN_COLUMNS, *without}
            found += [{n: v for n, v in zip(names, row, strict=True) if n not in left_out} for row in rows]
        return found

    def end(self) -> None:
        self.client.execute(f"DROP DATABASE {self.address.database} SYNC")
        self.client.disconnect()
        shutil.rmtree(self.folder)


def parts(frames: Sequence[Frame], course: Course, rng: random.Random) -> list[list[Frame]]:
    """Each connection cut where nothing was asked or answered, each part under a name of its own.

    The charger speaks first, so that it is known whom an order on that connection is for.
    """
    by_connection: dict[str, list[Frame]] = {}
    for frame in frames:
        by_connection.setdefault(frame[1], []).append(frame)
    found: list[list[Frame]] = []
    for conn, own in by_connection.items():
        protocol = BY_NAME[protocol_of(conn)]
        quiet_ms, places = 0, []
        for place, (ts, _conn, data) in enumerate(own):
            if protocol.is_down(protocol.type_of(data)):
                quiet_ms = ts + EXCHANGE_MS
            elif place and ts > quiet_ms:
                places.append(place)
        cuts = [0, *sorted(rng.sample(places, min(course.cuts, len(places)))), len(own)]
        for number, (begin, end) in enumerate(pairwise(cuts)):
            part = [(ts, f"{conn}.{number}", frame) for ts, _conn, frame in own[begin:end]]
            found.append(part)
    return found


def with_repeats(part: list[Frame], course: Course, rng: random.Random) -> Iterator[Frame]:
    """Some frames come twice, as chargers and captures repeat them."""
    for frame in part:
        yield frame
        if rng.randrange(100) < course.repeated_percent:
            yield frame


def deliveries(frames: Sequence[Frame], course: Course, rng: random.Random) -> list[list[Frame]]:
    """What each process takes, in the order in which they run: late ones may hold what was received first."""
    shares: list[list[list[Frame]]] = [[] for _ in range(course.deliveries)]
    for part in parts(frames, course, rng):
        rng.choice(shares).append(list(with_repeats(part, course, rng)))
    found = [list(heapq.merge(*share, key=lambda frame: frame[0])) for share in shares]
    if not course.in_order and course.captures:
        found = [shuffled(share, rng) for share in found]
    return [share for share in found if share]


def shuffled(frames: list[Frame], rng: random.Random) -> list[Frame]:
    """In any order of time; lines of one moment tell by their order which came first."""
    moments = [list(group) for _ts, group in groupby(frames, key=lambda frame: frame[0])]
    rng.shuffle(moments)
    return [frame for moment in moments for frame in moment]


def run_course(platform: Platform, frames: Sequence[Frame], course: Course) -> None:
    rng = random.Random(course.seed)
    shares = deliveries(frames, course, rng)
    billers: list[Biller] = []
    for number, share in enumerate(shares):
        gateway = rng.randrange(course.gateways)
        if course.captures:
            report = platform.replay(share, f"capture-{number}")
            platform.load(0, rng.choice([3_000, 20_000, 200_000]))
            decide = platform.biller(DECIDED_MS).settle
            assert decide(report.pile_ids, DECIDED_MS, report.observed_until_ms).failed_sessions == 0
            continue
        platform.receive(share, gateway)
        platform.load(rng.randrange(course.gateways), rng.choice([3_000, 20_000, 200_000]))
        # nobody is called late before everything that was received until then is loaded (`loaded_until`)
        at_ms = rng.randrange(FROM_MS - HOUR_MS, min(frame[0] for rest in shares for frame in rest))
        for _ in range(course.between):
            if not billers or rng.random() < 0.3:
                billers.append(platform.biller(at_ms))
            assert rng.choice(billers).run_once().failed_sessions == 0
    if not course.captures:
        for gateway in range(course.gateways):
            platform.load(gateway, 200_000)
        platform.biller(DECIDED_MS).run_once()


ONE_WAY = Course(0, cuts=0, deliveries=1, gateways=1, repeated_percent=0, captures=False, in_order=True, between=0)


class Expected(msgspec.Struct, frozen=True):
    """Every session and bill of the plainest course, live and of a capture."""

    live: list[dict[str, Any]]
    captured: list[dict[str, Any]]


@pytest.fixture(scope="module")
def expected(frames: list[Frame], clickhouse: ClickHouseAddress, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    found = []
    for captures in (False, True):
        platform = Platform(tmp_path_factory.mktemp("one-way") / "platform", clickhouse)
        run_course(platform, frames, msgspec.structs.replace(ONE_WAY, captures=captures))
        found.append(platform.billed())
        platform.end()
    return Expected(*found)


def test_what_is_expected_is_not_trivial(expected: Expected) -> None:
    bills = [row for row in expected.live if "amount_fen" in row]
    assert len(bills) > 30
    codes = {code for row in bills for code in row["codes_raw"]}
    assert {2, 8, 9} <= codes
    assert len({row["quality"] for row in bills}) >= 3
    assert {row["protocol"] for row in expected.live if "protocol" in row} == {"ykc", "aaf5"}


def check(course: Course, frames: list[Frame], expected: Expected, server: ClickHouseAddress, folder: Path) -> None:
    platform = Platform(folder / uuid4().hex, server)
    try:
        run_course(platform, frames, course)
        left_out = TOLD_BY_REPEATS if course.repeated_percent else ()
        wanted = expected.captured if course.captures else expected.live
        wanted = [{name: value for name, value in row.items() if name not in left_out} for row in wanted]
        found = platform.billed(left_out)
        assert len(found) == len(wanted)
        for own, other in zip(found, wanted, strict=True):
            assert own == other
    finally:
        platform.end()


@given(course=COURSES)
@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
def test_any_way_of_the_frames_gives_the_same_bills(
    course: Course, frames: list[Frame], expected: Expected, clickhouse: ClickHouseAddress, tmp_path: Path
) -> None:
    check(course, frames, expected, clickhouse, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(3_600)
@given(course=COURSES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_many_ways_of_the_frames_give_the_same_bills(
    course: Course, frames: list[Frame], expected: Expected, clickhouse: ClickHouseAddress, tmp_path: Path
) -> None:
    check(course, frames, expected, clickhouse, tmp_path)
