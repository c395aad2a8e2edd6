"""`pilestream demo`: the whole platform with a simulated fleet, a day of history already in it."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

import backoffice
from backoffice.database import open_database
from backoffice.master_file import load_master_file
from benchmarks.fleet.accounts import start_accounts
from ingest.start_decision import StartAccount
from service import own_folder
from service.charger_access import require_safe_access
from service.child_process import ChildProcess
from service.demo_counts import acked_bills_missing, count_period
from service.demo_history import load_rest, replay_history
from service.errors import ServiceError
from service.lifeline import interrupt_on_signal, stop_on_signal
from service.own_folder import own_settings
from service.platform_processes import Platform, watch
from service.role import now_ms
from service.settings import Settings

MASTER_FILE = Path(backoffice.__file__).with_name("demo_fleet.toml")
SEED = 20261122
OWN = "demo"
FLEET_HANGS_S = 30.0
DONE, BILL_MISSING = 0, 1


def demo(settings: Settings, *, seconds: float | None, as_json: bool) -> int:
    """Run it until Ctrl-C or for `seconds`; gives 1 when a bill that a charger saw acknowledged is not stored."""
    interrupt_on_signal()
    require_safe_access(settings)
    settings = apart(settings)
    empty(settings)
    load_master_file(open_database(settings.database_url), MASTER_FILE)
    platform = Platform(settings)
    fleet: ChildProcess | None = None
    try:
        platform.prepare()
        plan_start_ms = now_ms()
        _say("replaying a day of history …")
        replay_history(platform, MASTER_FILE, SEED, plan_start_ms)
        live_from_ms = now_ms()
        history = count_period(platform.client(), 0, live_from_ms)
        platform.start()
        fleet = _start_fleet(platform, plan_start_ms)
        begun_ms = now_ms()
        stopped = stop_on_signal()
        _say("\n".join(platform.addresses()))
        _say(f"questions:            pilestream anomalies --data {settings.folder}")
        _say("Ctrl-C stops everything")
        watch(platform, None if seconds is None else time.monotonic() + seconds, stopped)
        ended_ms = now_ms()
        _stop_fleet(fleet)
        fleet = None
        report = fleet_report(settings.folder)
        platform.stop_serving()
        load_rest(platform)
        result = count_period(platform.client(), live_from_ms, now_ms())
        missing = acked_bills_missing(platform.client(), report["acked_bills"])
    finally:
        if fleet is not None:
            _stop_fleet(fleet)
        platform.stop()
    result |= {
        "frames_per_second": round(1000 * result["frames"] / (ended_ms - begun_ms), 1),
        "dashboard": platform.dashboard_url,
        "acked_bills": len(report["acked_bills"]),
        "acked_bills_stored": not missing,
        "history": history,
    }
    _print_result(result, as_json)
    for trade_no in missing:
        _say(f"acknowledged, but not stored: {trade_no}")
    return BILL_MISSING if missing else DONE


def apart(settings: Settings) -> Settings:
    """The same settings on a folder and databases of the demo's own: what an operator has is never touched.

    The simulated drivers may charge besides whoever else may.
    """
    drivers = (*settings.start_accounts, *msgspec.convert(start_accounts(), tuple[StartAccount, ...]))
    return msgspec.structs.replace(own_settings(settings, OWN), start_accounts=drivers)


def empty(settings: Settings) -> None:
    """Remove what an earlier demo left in its folder and its database."""
    own_folder.empty(settings, OWN)


def _start_fleet(platform: Platform, plan_start_ms: int) -> ChildProcess:
    arguments = {
        "--host": platform.settings.bind,
        "--port": platform.ports["ykc"],
        "--aaf5-port": platform.ports["aaf5"],
        "--master-file": MASTER_FILE,
        "--seed": SEED,
        "--start-ms": plan_start_ms,
        "--control": platform.folder / "run" / "gateway.sock",
        "--report": platform.folder / "run" / "fleet.json",
    }
    words = [str(word) for pair in arguments.items() for word in pair]
    fleet = ChildProcess("fleet", ["-m", "benchmarks.fleet.run", *words], platform.folder / "logs")
    fleet.start()
    return fleet


def _stop_fleet(fleet: ChildProcess) -> None:
    fleet.ask_to_stop()
    fleet.wait_stopped(FLEET_HANGS_S)


def fleet_report(folder: Path) -> dict[str, Any]:
    """What the chargers saw; raises `ServiceError` without it: nobody knows then which bills were acknowledged."""
    path = folder / "run" / "fleet.json"
    if not path.exists():
        raise ServiceError(f"the fleet left no report in {path}; see {folder / 'logs' / 'fleet.log'}")
    report: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return report


def _print_result(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, ensure_ascii=False), flush=True)
        return
    _say(
        f"live: {result['frames']} frames, {result['readings']} readings, {result['sessions']} sessions, "
        f"{result['bills']} bills; acknowledged bills stored: {result['acked_bills_stored']}"
    )


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
