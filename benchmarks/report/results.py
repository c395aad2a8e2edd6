"""One run of one workload's benchmark as it is kept in `benchmarks/results/<workload>.json`."""

from pathlib import Path
from typing import Any, Final

import msgspec

from benchmarks.report.errors import ResultError

RESULTS_FOLDER: Final = Path(__file__).parents[1] / "results"


class Machine(msgspec.Struct, frozen=True):
    """What the figures were measured on."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    disk: str
    """Filesystem of the temporary folder, where databases and spools lie unless said otherwise."""
    disk_mb_per_s: int
    """What one writer gets there, synced at the end."""
    memory_disk: str
    memory_disk_mb_per_s: int


class Result(msgspec.Struct, frozen=True):
    """`report` is what the benchmark printed, None when it failed; `error` then says why."""

    workload: str
    command: str
    began: str
    """UTC, to the minute."""
    seconds: float
    commit: str
    has_local_changes: bool
    cpu_s: float
    """Of the benchmark and all processes that it started and waited for."""
    load_before: float
    """The machine's load of the last minute: above 0.5, something else took part."""
    machine: Machine
    report: dict[str, Any] | None = None
    error: str = ""


def keep(result: Result, folder: Path = RESULTS_FOLDER) -> Path:
    """Write a result over the one before; gives its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.workload}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return path


def kept(folder: Path = RESULTS_FOLDER) -> dict[str, Result]:
    """All results of a folder by workload. Raises `ResultError` when a file is none."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.stem] = msgspec.json.decode(path.read_bytes(), type=Result)
        except msgspec.MsgspecError as error:
            raise ResultError(f"{path.name}: {error}") from error
    return found
