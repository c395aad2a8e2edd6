"""What processes cost: processor seconds and memory peaks, and how busy the machine was with others meanwhile."""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from benchmarks.endtoend.platform import ServedPlatform

TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
KIB_PER_MB: Final = 1024
OTHERS: Final = "others"
_NOT_BUSY: Final = (3, 4)  # idle and iowait, of the first line of /proc/stat


class Costs:
    """Counts from its making on. `found` may be asked again and again."""

    def __init__(self, platform: ServedPlatform) -> None:
        self._platform = platform
        self._began_s = time.monotonic()
        self._busy_s = machine_busy_s()
        self._before = {name: sum(map(cpu_s, pids)) for name, pids in platform.processes().items()}
        for pids in platform.processes().values():
            for pid in pids:
                _forget_peak(pid)

    def found(self, senders: dict[str, tuple[float, float]]) -> dict[str, Any]:
        """By process: `cpu_s`, `share_of_core` and `memory_mb` (its peak) since the making.

        `senders`: their processor seconds and memory peaks in MB, by name. `OTHERS` is what the rest of the machine
        used: with much of it the figures say little.
        """
        seconds = time.monotonic() - self._began_s
        shown = {}
        for name, pids in self._platform.processes().items():
            used = sum(map(cpu_s, pids)) - self._before.get(name, 0.0)
            shown[name] = _shown(used, seconds, sum(map(peak_mb, pids)))
        for name, (used, memory_mb) in senders.items():
            shown[name] = _shown(used, seconds, memory_mb)
        others = machine_busy_s() - self._busy_s - sum(process["cpu_s"] for process in shown.values())
        shown[OTHERS] = _shown(max(others, 0.0), seconds, 0.0)
        return shown


def cpu_s(pid: int) -> float:
    """Processor time of a process and its threads so far, in user mode and in the kernel; 0 when it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return 0.0


def peak_mb(pid: int) -> float:
    """The most that a process held in memory since its peak was forgotten; 0 when it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / KIB_PER_MB
    return 0.0


def machine_busy_s() -> float:
    """Processor seconds of all cores since the start of the machine."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return sum(int(value) for number, value in enumerate(fields) if number not in _NOT_BUSY) / TICKS_PER_S


def limiting(processes: dict[str, Any]) -> str:
    """One sentence for a reader: who used the cores."""
    cores = os.cpu_count() or 1
    shares = {name: each["share_of_core"] for name, each in processes.items()}
    order = sorted(shares, key=lambda name: -shares[name])
    parts = ", ".join(f"{name} {shares[name]:.2f}" for name in order if shares[name] >= 0.01)
    return f"of {cores} cores {sum(shares.values()):.2f} were busy: {parts}"


def _shown(used_s: float, seconds: float, memory_mb: float) -> dict[str, float]:
    return {"cpu_s": round(used_s, 2), "share_of_core": round(used_s / seconds, 4), "memory_mb": round(memory_mb, 1)}


def _forget_peak(pid: int) -> None:
    # A kernel or container that forbids it only makes peaks too high, by what the start took.
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")
