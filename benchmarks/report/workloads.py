"""The benchmarks that the report is made of, in the order of the way of the data."""

from typing import Final, NamedTuple

MINUTE_S: Final = 60


class Workload(NamedTuple):
    """One benchmark. Its module prints one JSON object as its last line when it is called with `--json`."""

    name: str
    title: str
    measures: str
    """What it does and what it compares, in one or two sentences."""
    module: str
    arguments: tuple[str, ...] = ()
    full_arguments: tuple[str, ...] = ()
    """Instead of `arguments` when the goals are to be measured at their full length."""
    patience_s: int = 6 * MINUTE_S
    """So much longer than its measuring may take it is waited for."""


WORKLOADS: Final = (
    Workload(
        "frames",
        "Split, check and decode on one core",
        "A stream of stored realtime frames and heartbeats of 128 chargers, cut into reads of 64 KiB, goes to columns. "
        "Each contestant must first find every reading that was sent, and the sum of the energies.",
        "benchmarks.frames",
    ),
    Workload(
        "steps",
        "Single steps",
        "The parts of the row above one by one, by pytest-benchmark: checksums, splitting, decoding.",
        "benchmarks.report.steps",
    ),
    Workload(
        "bulk",
        "Gateway: a backlog over 1,000 connections",
        "A thousand chargers that were offline send all they kept, until the record at the end of each is "
        "acknowledged. Frames for each second that the server's core was busy; the sender is compiled and runs on "
        "the other core. Probes meanwhile log in and send heartbeats: what they wait for their accept "
        "and their acknowledgement.",
        "benchmarks.sockets",
        ("bulk",),
    ),
    Workload(
        "segments-1000",
        "Gateway: one frame a segment, 1,000 connections",
        "Each charger sends one heartbeat, waits for its answer and sends the next. Answers for each second that the "
        "server's core was busy.",
        "benchmarks.sockets",
        ("segments", "--connections", "1000"),
    ),
    Workload(
        "segments-5000",
        "Gateway: one frame a segment, 5,000 connections",
        "The same with 5,000 chargers.",
        "benchmarks.sockets",
        ("segments", "--connections", "5000"),
    ),
    Workload(
        "memory",
        "Memory of an idle connection",
        "Chargers that have logged in and then only keep their connection: private memory of the gateway beyond what "
        "it has without them. What the kernel keeps for a socket is not in it.",
        "benchmarks.memory",
    ),
    Workload(
        "load",
        "Segments on disk to queryable rows",
        "A million realtime frames with the noise of real meters lie in the spool's segments; the loader brings them "
        "to ClickHouse exactly once, the other contestants only send what they decoded.",
        "benchmarks.load",
        ("--rounds", "3"),
    ),
    Workload(
        "storage",
        "Bytes per reading in ClickHouse",
        "The same readings stored in four tables, merged to one part each; every column, mark and index counts.",
        "benchmarks.storage",
    ),
    Workload(
        "backlog",
        "End to end: a backlog",
        "From the socket to the row that can be asked for, through the spool, with sender, gateway, loader and "
        "ClickHouse on the same cores.",
        "benchmarks.backlog",
    ),
    Workload(
        "live",
        "End to end: live traffic, and how soon it is acknowledged",
        "The same with frames that come one by one at the rate of the goal; then at half of it, where each charger "
        "notes how long it waits for the answer to a heartbeat, and to a record of a charge whose bytes must be "
        "synced first.",
        "benchmarks.live",
        ("--seconds", "120"),
        ("--seconds", "600"),
        25 * MINUTE_S,
    ),
    Workload(
        "fairness",
        "One charger floods",
        "A thousand steady chargers while another sends as fast as it can: the longest that one of them waits for "
        "its accept, or for an acknowledgement.",
        "benchmarks.fairness",
    ),
    Workload(
        "idle",
        "A quiet day",
        "10,000 idle and 1,000 charging connections with the protocol's timings: 1,000 heartbeats and 250 realtime "
        "frames a second.",
        "benchmarks.idle",
        (),
        ("--seconds", "3600"),
        70 * MINUTE_S,
    ),
    Workload(
        "storm",
        "20,000 reconnect at once",
        "Each brings ten stored frames and a record of a charge, over several workers and sender processes.",
        "benchmarks.storm",
    ),
    Workload(
        "bills",
        "Final bills and codes",
        "Stored charges with their readings are settled: sessions, anomaly codes and bills.",
        "benchmarks.bills",
        (),
        ("--sessions", "1000000", "--rounds", "1"),
        60 * MINUTE_S,
    ),
)
