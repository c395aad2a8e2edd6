"""A process that settles the charges of some chargers: what `contest` starts, once or several times."""

import json
import resource
import sys
import time

from analytics.biller import Biller
from analytics.biller_decision import DECIDED_AFTER_MS
from analytics.client import ClickHouseAddress, connect
from benchmarks.bills.charges import BEGIN_MS, directory

DAY_MS = 24 * 3_600_000
AS_OF_MS = BEGIN_MS + 31 * DAY_MS + DECIDED_AFTER_MS


def main() -> int:
    """Arguments: the database's address, the number of charges, the first and last charger; waits for a line first."""
    url, sessions, first, last = sys.argv[1], *map(int, sys.argv[2:5])
    piles = directory(sessions)
    biller = Biller(connect(ClickHouseAddress.from_url(url)), piles, clock=lambda: AS_OF_MS)
    ours = [pile.pile_id for pile in piles if first <= pile.pile_id <= last]
    print("ready", flush=True)
    sys.stdin.readline()
    began, cpu_s = time.perf_counter(), time.process_time()
    report = biller.settle(ours, AS_OF_MS, dict.fromkeys(ours, BEGIN_MS + 31 * DAY_MS))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found = {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu_s,
        "peak_mb": usage.ru_maxrss // 1024,
        "sessions": report.sessions_evaluated,
        "bills": report.bill_revisions,
        "failed": report.failed_sessions,
    }
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
