"""`python -m benchmarks.report.steps --json`: the small benchmarks, which pytest-benchmark runs, as one report."""

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

FILES: Final = ("benchmarks/frames/test_speed.py",)
ROOT: Final = Path(__file__).parents[2]
NS: Final = 1e9


def main() -> int:
    """Run them and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report.steps", description=__doc__)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        command = [sys.executable, "-m", "pytest", "--quiet", *FILES, f"--benchmark-json={found}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout.strip(), file=sys.stderr)
            return done.returncode
        report = as_report(json.loads(found.read_bytes()))
    if args.json:
        print(json.dumps(report))
        return 0
    for name, step in report["contestants"].items():
        print(f"{name:48} {step['median']:>12,.1f} {step['unit']}")
    return 0


def as_report(found: dict[str, Any]) -> dict[str, Any]:
    """The quartiles stand for the runs: of the lowest and highest of thousands says nothing."""
    contestants = {}
    for benchmark in found["benchmarks"]:
        stats = benchmark["stats"]
        name = benchmark["name"].removeprefix("test_").replace("_", " ").replace("[", ": ").removesuffix("]")
        contestants[name] = {
            "unit": "ns",
            "values": [round(stats[quartile] * NS, 1) for quartile in ("q1", "median", "q3")],
            "median": round(stats["median"] * NS, 1),
            "rounds": stats["rounds"],
        }
    return {
        "workload": "steps",
        "contestants": contestants,
        "values_are": "quartiles",
        "versions": {name: version(name) for name in ("pytest-benchmark", "cython")},
    }


if __name__ == "__main__":
    sys.exit(main())
