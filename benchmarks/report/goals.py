"""The goals, and whether what was measured meets them."""

import statistics
from typing import Any, Final, NamedTuple

KIB: Final = 1024


class Goal(NamedTuple):
    """A limit for one measure of a workload's report."""

    workload: str
    measure: str
    text: str
    limit: float
    at_least: bool = False
    """Else at most."""
    by_worst: bool = False
    """Every run must meet it, not only the median."""
    length: tuple[str, float] = ("", 0)
    """A number of the report and what it must be for the whole goal, for instance ("seconds", 600)."""


class Judged(NamedTuple):
    """A goal beside its measured values."""

    value: float
    unit: str
    runs: int
    spread: float
    """From the lowest to the highest, as a part of the median."""
    is_met: bool
    of_length: str
    """How much shorter than the goal it was measured, else empty."""


GOALS: Final = (
    Goal("frames", "vs_python", "75 × pure Python with a C CRC", 75, at_least=True),
    Goal("frames", "vs_unchecked", "50 % of the same code without any CRC", 0.5, at_least=True),
    Goal("bulk", "vs_floor", "60 % of a C program that reads the bytes and writes them", 0.6, at_least=True),
    Goal("bulk", "longest_accept_ms", "… no connection waits over 100 ms for its accept", 100, by_worst=True),
    Goal("bulk", "longest_ack_ms", "… or over 100 ms for an ack", 100, by_worst=True),
    Goal("fairness", "longest_accept_ms", "the same while one charger floods: accepts", 100, by_worst=True),
    Goal("fairness", "longest_ack_ms", "… and acks", 100, by_worst=True),
    Goal("segments-1000", "vs_floor", "1,000 connections: 80 % of a C epoll program", 0.8, at_least=True),
    Goal("segments-1000", "vs_asyncio", "1,000 connections: 4 × asyncio with pure Python", 4, at_least=True),
    Goal("segments-5000", "vs_floor", "5,000 connections: 80 % of a C epoll program", 0.8, at_least=True),
    Goal("segments-5000", "vs_asyncio", "5,000 connections: 4 × asyncio with pure Python", 4, at_least=True),
    Goal("backlog", "frames_per_s", "1.5 million frames/s from socket to queryable row", 1_500_000, at_least=True),
    Goal("live", "frames_per_s", "150,000 frames/s for 10 minutes", 150_000, at_least=True, length=("seconds", 600)),
    Goal(
        "live",
        "backlog_growth_frames_per_s",
        "… and the backlog does not grow",
        0,
        by_worst=True,
        length=("seconds", 600),
    ),
    Goal("memory", "bytes_per_connection", "4 KiB beyond the kernel's for an idle connection", 4 * KIB),
    Goal("live", "heartbeat_p99_ms", "99 % of heartbeats acknowledged within 5 ms", 5),
    Goal("live", "bill_p99_ms", "99 % of bills, synced, acknowledged within 30 ms", 30),
    Goal("storage", "bytes_per_reading", "8 bytes per reading with realistic noise", 8),
    Goal(
        "idle",
        "gateway_and_loader_share_of_core",
        "gateway and loader under 5 % of one core for an hour",
        0.05,
        length=("seconds", 3600),
    ),
    Goal("idle", "missed_acks", "… and no missed ack", 0, by_worst=True, length=("seconds", 3600)),
    Goal("storm", "seconds", "all served within 10 s", 10, by_worst=True),
    Goal("storm", "bills_not_once", "… and every bill acknowledged once", 0, by_worst=True),
    Goal("bills", "seconds_per_million", "a million sessions in 60 s", 60, length=("sessions", 1_000_000)),
)


def judged(goal: Goal, report: dict[str, Any]) -> Judged | None:
    """None when the report has no values of the goal's measure."""
    measure = report.get("measures", {}).get(goal.measure)
    if not measure or not measure["values"]:
        return None
    values = measure["values"]
    median = statistics.median(values)
    worst = min(values) if goal.at_least else max(values)
    value = worst if goal.by_worst else median
    name, needed = goal.length
    had = report.get(name, 0) if name else needed
    return Judged(
        value=value,
        unit=measure["unit"],
        runs=len(values),
        spread=(max(values) - min(values)) / abs(median) if median else 0.0,
        is_met=value >= goal.limit if goal.at_least else value <= goal.limit,
        of_length="" if had >= needed else f"{had:,.0f} of {needed:,.0f} {name}",
    )
