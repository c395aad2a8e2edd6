"""`pilestream status`: what runs on a data folder, and how it goes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from analytics.embedded import EmbeddedServer
from core import checksum
from core.ykc import realtime
from ingest.gateway_status import GatewayStatus, sum_of
from ingest.loader_status import read_loader_status
from ingest.spool_status import read_spool_status
from service.biller_turns import read_biller_status
from service.role import now_ms
from service.settings import Settings

DONE, NOT_RUNNING = 0, 1
FRESH_MS = 5_000
_T = TypeVar("_T")


def print_status(settings: Settings, as_json: bool) -> int:
    """Print it; exit code 1 when no gateway runs."""
    status = read_status(settings)
    if as_json:
        print(json.dumps(status, ensure_ascii=False))
    else:
        for name, value in status.items():
            shown = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
            print(f"{name}: {'stopped' if value == {} else shown}")
    return DONE if status["gateway"] else NOT_RUNNING


def read_status(settings: Settings) -> dict[str, Any]:
    """The gateway's counters (empty when it does not run) and the state of the database and the spool.

    `compiled` names which of its ways the compiled code takes on this machine: all give the same, not all as fast.
    What stands in a file that is torn is empty here, and said on standard error.
    """
    folder = settings.folder
    spool = folder / "spool"
    loader = _unless_torn("loader.json", lambda: read_loader_status(spool))
    biller = _unless_torn("biller.json", lambda: read_biller_status(folder / "run"))
    return {
        "data": str(folder),
        "compiled": {"checksums": checksum.implementation(), "rows": realtime.implementation()},
        "clickhouse": _clickhouse_state(settings),
        "gateway": _gateway_counters(settings),
        "spool": _unless_torn("a file of the spool", lambda: read_spool_status(spool)) or {},
        "loader": msgspec.to_builtins(loader) if loader is not None else {},
        "biller": msgspec.to_builtins(biller) if biller is not None else {},
    }


def _clickhouse_state(settings: Settings) -> str:
    if settings.clickhouse:
        return "external"
    found = EmbeddedServer.find(settings.folder / "clickhouse")
    return f"embedded, port {found.port}" if found else "stopped"


def _gateway_counters(settings: Settings) -> dict[str, Any]:
    run = settings.folder / "run"
    counters = _fresh(run / "gateway.json")
    if counters:
        return counters
    # Of several workers the hub writes the sum. Without it they serve on, and each has its own file.
    workers = [found for path in sorted(run.glob("gateway-*.json")) if (found := _fresh(path))]
    if not workers:
        return {}
    each = msgspec.convert(workers, list[GatewayStatus])
    total: dict[str, Any] = msgspec.to_builtins(sum_of(each[0].node, now_ms(), each))
    return total


def _fresh(path: Path) -> dict[str, Any]:
    """Counters are written every second; old ones are those of a gateway that ended, in order or not."""
    if not path.exists():
        return {}
    counters = _unless_torn(path.name, lambda: msgspec.json.decode(path.read_bytes(), type=dict[str, Any])) or {}
    return counters if abs(now_ms() - counters.get("now_ms", 0)) < FRESH_MS and counters.get("port") else {}


def _unless_torn(what: str, read: Callable[[], _T]) -> _T | None:
    """None of a file that a power failure left empty or cut; whoever writes it replaces it while it runs."""
    try:
        return read()
    except msgspec.DecodeError as error:
        print(f"pilestream: {what} cannot be read: {error}", file=sys.stderr)
        return None
