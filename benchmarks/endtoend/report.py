"""The report of one workload in the shape that all benchmarks share, and how it is printed."""

import json
import os
import platform
import statistics
from importlib.metadata import version
from typing import Any, Final

from benchmarks.endtoend.costs import limiting

PRODUCT: Final = "pilestream"
PACKAGES: Final = ("uvloop", "numpy", "clickhouse-driver", "chdb-core", "msgspec", "cython")


def report(
    workload: str, rates: list[float], unit: str, measures: dict[str, list[Any]], processes: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """`rates`: the figure of each run; `measures`: what goals are judged by, its unit first, then a value a run."""
    return {
        "workload": workload,
        "contestants": {PRODUCT: {"values": rates, "median": statistics.median(rates), "unit": unit}},
        "ratios": {},
        "measures": {name: {"unit": values[0], "values": values[1:]} for name, values in measures.items()},
        "processes": processes,
        "limit": limiting(processes),
        "machine": {"processor": platform.processor() or platform.machine(), "cpus": os.cpu_count()},
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        **more,
    }


def show(found: dict[str, Any], as_json: bool) -> None:
    """Print it, for a program or for a person."""
    if as_json:
        print(json.dumps(found))
        return
    for name, each in found["contestants"].items():
        print(f"{name:34} {each['median']:>14,.1f} {each['unit']}")
    for name, measure in found["measures"].items():
        print(f"{name:34} {', '.join(f'{value:,.3f}' for value in measure['values']):>14} {measure['unit']}")
    for name, process in found["processes"].items():
        cost = f"{process['cpu_s']:9.2f} CPU s   {process['share_of_core']:.3f} of a core"
        print(f"    {name:20} {cost}   {process['memory_mb']:8.1f} MB at most")
    print(found["limit"])
