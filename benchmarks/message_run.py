"""A real gateway and a live fleet on real sockets, and afterwards what the gateway's spool holds, by message."""

import asyncio
import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.fleet.accounts import start_accounts
from benchmarks.fleet.clock import Clock
from benchmarks.fleet.live import LiveFleet
from benchmarks.leaping_loop import LeapingLoop
from benchmarks.message_fleet import directory_of, small_fleet
from benchmarks.message_orders import AAF5_TARIFF, QR_CODES, Desk, GivenOrder, Operator
from benchmarks.message_variants import CODECS
from core.directory import PileDirectory
from ingest.aaf5_values import Aaf5Values, Aaf5ValueTable
from ingest.events import CommandOutcome, Event
from ingest.gateway import Gateway, GatewaySettings, Ports
from ingest.group_commit import GroupCommit
from ingest.protocols import BY_NUMBER
from ingest.reactions import Reason
from ingest.record_buffer import EVENT, FRAME_DOWN, FRAME_UP, QUARANTINE, scan_records
from ingest.segment import SEGMENT_HEADER_BYTES, list_segments
from ingest.spool import Spool
from ingest.start_decision import StartAccount, StartTable

HOST: Final = "127.0.0.1"
LIVE_MS: Final = 1_795_363_200_000
LIVE_S: Final = 45 * 60
# The disk is waited for once in so long; records of charges are synced at once as ever.
COMMIT_INTERVAL_MS: Final = 10_000

FrameKind = tuple[str, int, str, int]
"""Protocol, type, direction, bytes of the body."""


class MessageRun(msgspec.Struct):
    """What went over the sockets of a run.

    `kept`: frames in the spool. `heard`: frames from the platform that simulated chargers took. `outcomes`: of orders,
    by protocol, name and outcome, as the spool's facts tell. `quarantined`: spans that are no frames of a charger, by
    the reason. `changed`: kept frames that do not decode and encode to the same bytes, by protocol and type; `longer`:
    those that hold more than their table. `errors`: what broke in the fleet or the gateway, which must be nothing.
    """

    chargers: int = 0
    simulated_s: int = 0
    took_s: float = 0.0
    kept: Counter[FrameKind] = msgspec.field(default_factory=Counter)
    heard: Counter[FrameKind] = msgspec.field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = msgspec.field(default_factory=Counter)
    quarantined: Counter[str] = msgspec.field(default_factory=Counter)
    changed: Counter[tuple[str, int]] = msgspec.field(default_factory=Counter)
    longer: int = 0
    given: list[GivenOrder] = msgspec.field(default_factory=list)
    fleet: dict[str, Any] = msgspec.field(default_factory=dict)
    errors: list[str] = msgspec.field(default_factory=list)

    def seen(self, protocol: str, frame_type: int, direction: str) -> Counter[int]:
        """Frames of a type by the size of their body: of chargers as the spool has them, of the platform as heard.

        A direction that no document tells is taken as either.
        """
        counted = {"up": self.kept, "down": self.heard}.get(direction, self.kept | self.heard)
        return Counter(
            {
                size: count
                for (name, kind, way, size), count in counted.items()
                if (name, kind) == (protocol, frame_type) and direction in (way, "unknown")
            }
        )


def play(folder: Path, *, live_s: int = LIVE_S) -> MessageRun:
    """Let the fleet live for `live_s` seconds of its time, its spool in `folder`, and count."""
    run = MessageRun(simulated_s=live_s)
    begun = time.monotonic()
    logs = logging.getLogger("ingest")
    level = logs.level
    logs.setLevel(logging.CRITICAL)  # incidents are part of the play
    try:
        with asyncio.Runner(loop_factory=LeapingLoop) as runner:
            directory = runner.run(_live(folder, live_s, run))
    finally:
        logs.setLevel(level)
    _scan(folder, directory, run)
    run.changed = +run.changed
    run.took_s = time.monotonic() - begun
    return run


async def _live(folder: Path, live_s: int, run: MessageRun) -> PileDirectory:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(
        lambda _, context: run.errors.append(f"{context['message']}: {context.get('exception')}")
    )
    clock = Clock(start_ms=LIVE_MS, monotonic_ns=lambda: int(loop.time() * 1e9))
    plan, places = small_fleet(LIVE_MS)
    directory = directory_of(plan)
    spool = Spool(folder, clock=clock.now_ms)
    commit = GroupCommit(spool, interval_ms=COMMIT_INTERVAL_MS)
    gateway = Gateway(
        directory,
        spool,
        commit,
        clock.now_ms,
        GatewaySettings(),
        decide_start=StartTable(msgspec.convert(start_accounts(), list[StartAccount])),
        aaf5_values=Aaf5ValueTable([Aaf5Values(tariff=AAF5_TARIFF, qr_codes=QR_CODES)]),
    )
    commit.start()
    await gateway.start(HOST, Ports(ykc=0, aaf5=0))
    ports = gateway.ports
    desk = Desk(gateway.commands, {pile.code: pile.protocol for pile in directory})
    fleet = LiveFleet(plan, HOST, ports["ykc"], aaf5_port=ports["aaf5"], clock=clock, orders=desk)
    fleet.start()
    operator = asyncio.ensure_future(Operator(desk, fleet.chargers, clock).give_all(places))
    await asyncio.sleep(live_s)
    await operator
    await fleet.stop()
    await gateway.stop()
    await commit.close()
    spool.close()
    if gateway.status().housekeeping_errors:
        run.errors.append(f"{gateway.status().housekeeping_errors} errors in the gateway's housekeeping")
    run.chargers = len(fleet.chargers)
    run.given = desk.given
    run.fleet = fleet.report()
    run.heard = Counter(
        {(protocol, kind, "down", size): count for (protocol, kind, size), count in fleet.counters.heard.items()}
    )
    return directory


def _scan(folder: Path, directory: PileDirectory, run: MessageRun) -> None:
    """Count the records of every segment."""
    for segment in list_segments(folder):
        data = segment.path.read_bytes()
        records = scan_records(data, SEGMENT_HEADER_BYTES)
        if records.stop != "end":
            run.errors.append(f"{segment.path.name}: the reading stopped at {records.end}: {records.stop}")
        for i in range(records.count):
            kind, start = int(records.kind[i]), int(records.payload_offset[i])
            payload = data[start : start + int(records.payload_length[i])]
            if kind in (FRAME_UP, FRAME_DOWN):
                protocol = BY_NUMBER[int(records.protocol[i])].name
                codec = CODECS[protocol]
                frame_type = int(records.frame_type[i])
                size = len(payload) - codec.body_at - codec.checksum_bytes
                run.kept[protocol, frame_type, "up" if kind == FRAME_UP else "down", size] += 1
                decoded = codec.decode_frame(payload)
                run.longer += not decoded.layout_ok
                run.changed[protocol, frame_type] += codec.encode_decoded(decoded) != payload
            elif kind == QUARANTINE:
                run.quarantined[Reason(int(records.reason[i])).name.lower()] += 1
            elif kind == EVENT:
                event = msgspec.msgpack.decode(payload, type=Event)
                if isinstance(event, CommandOutcome) and (pile := directory.by_id(event.pile_id)) is not None:
                    run.outcomes[pile.protocol, event.command, event.outcome] += 1
