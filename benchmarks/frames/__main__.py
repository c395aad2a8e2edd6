"""`python -m benchmarks.frames [--json]`: split, check and decode a stream of realtime frames, side by side."""

import argparse
import json
import platform
import statistics
import sys
import time
from importlib.metadata import version
from typing import Any, Final

from benchmarks.frames.contestants import MEMCPY, PILESTREAM, PYTHON_C_CRC, UNCHECKED, contestants
from benchmarks.frames.stream import Stream, stream
from core import checksum
from core.ykc import realtime

BLIND: Final = (UNCHECKED, MEMCPY)
"""They find the right thing only where nothing is damaged."""
VERIFIED_CHARGERS: Final = 8


def main() -> int:
    """Run all contestants in turn and print what came out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    parser.add_argument("--chargers", type=int, default=128)
    parser.add_argument("--readings", type=int, default=960, help="of each charger")
    parser.add_argument("--damaged", action="store_true", help="one of 200 frames is not whole")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=120, help="no new round begins after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    verify(stream(VERIFIED_CHARGERS, args.readings, args.seed, damaged=args.damaged))
    report = measured(stream(args.chargers, args.readings, args.seed, damaged=args.damaged), args.rounds, args.seconds)
    report |= {"seed": args.seed, "damaged": args.damaged}
    if args.json:
        print(json.dumps(report))
        return 0
    for name, found in report["contestants"].items():
        print(f"{name:48} {found['median']:>13,} {found['unit']}   {1e9 / found['median']:>9.1f} ns")
    for name, ratio in report["ratios"].items():
        print(f"{name:72} {ratio:.2f}")
    return 0


def verify(sent: Stream) -> None:
    """Raise ValueError when a contestant finds other readings than were sent, or other values."""
    for name, (contestant, _) in contestants().items():
        found = contestant(sent, True)[1]
        if found != (sent.readings, sent.energy_e4kwh) and not (name in BLIND and sent.is_damaged):
            raise ValueError(f"{name}: found {found}, sent were {(sent.readings, sent.energy_e4kwh)}")


def measured(sent: Stream, rounds: int, seconds: float) -> dict[str, Any]:
    """Frames for each second of processor time, in turns so that a change of the machine meets all."""
    rates: dict[str, list[int]] = {name: [] for name in contestants()}
    until = time.monotonic() + seconds
    for _ in range(rounds):
        if time.monotonic() > until:
            break
        for name, (contestant, passes) in contestants().items():
            busy_s = sum(contestant(sent, False)[0] for _ in range(passes))
            rates[name].append(round(passes * sent.frames / busy_s))
    medians = {name: round(statistics.median(values)) for name, values in rates.items()}
    own = rates[PILESTREAM]
    return {
        "workload": "frames",
        "contestants": {
            name: {"unit": "frames/s", "values": values, "median": medians[name]} for name, values in rates.items()
        },
        "ratios": {
            f"{PILESTREAM} / {name}": round(medians[PILESTREAM] / medians[name], 3)
            for name in medians
            if name != PILESTREAM
        },
        "measures": {
            name: {
                "unit": "×",
                "values": [round(mine / others, 3) for mine, others in zip(own, rates[other], strict=True)],
            }
            for name, other in (("vs_python", PYTHON_C_CRC), ("vs_unchecked", UNCHECKED))
        },
        "checksum": checksum.implementation(),
        "rows": realtime.implementation(),
        "frames": sent.frames,
        "bytes_per_frame": round(sum(map(len, sent.reads)) / sent.frames, 1),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("cython", "fastcrc", "construct")},
        },
    }


if __name__ == "__main__":
    sys.exit(main())
