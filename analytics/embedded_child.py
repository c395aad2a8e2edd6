"""The process that is the embedded ClickHouse; started by `analytics.embedded`, never imported.

It runs in the folder of the server's `config.xml` and reads what else it must know from `child.json` there.
ClickHouse lives inside a statement that never ends; the statement is cancelled, and ClickHouse closes in order, when
the parent closes this process's standard input, writes to it, or is no longer there.
"""

import importlib.util
import json
import os
import select
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

OPTIONS_FILE = "child.json"
PARENT_CHECK_S = 1.0
CLOSE_LIMIT_S = 5.0
EXIT_NO_ENGINE = 3

# `file()` on a fifo would do as a statement that ends on demand, but it needs the right to read files, which ClickHouse
# cannot narrow to one path: any local account could then read this account's files through the passwordless user.
STAY = "SELECT sleepEachRow(0.5) FROM system.numbers SETTINGS max_block_size = 1, max_threads = 1 FORMAT Null"


def main() -> int:
    """Serve until told to stop; gives the exit code."""
    options = json.loads(Path(OPTIONS_FILE).read_text("utf-8"))
    found = importlib.util.find_spec("chdb")
    folders = list(found.submodule_search_locations or ()) if found else []
    # The package itself must not be imported: its __init__ opens an engine, and there can be only one in a process.
    sys.path[:0] = folders
    try:
        import _chdb
    except ImportError as error:
        print(f"no ClickHouse engine: {error}", file=sys.stderr)
        return EXIT_NO_ENGINE
    if not hasattr(_chdb, "query"):
        print("no ClickHouse engine: chdb-core has no entry point 'query'", file=sys.stderr)
        return EXIT_NO_ENGINE
    threading.Thread(target=stop_with_parent, args=(options, os.getppid()), daemon=True).start()
    listen = "SYSTEM START LISTEN TCP;"
    if options["http"]:
        listen += "SYSTEM START LISTEN HTTP;"
    _chdb.query(listen + STAY, "TabSeparated", path=options["path"])
    return 0


def stop_with_parent(options: dict[str, Any], parent: int) -> None:
    """Wait for anything on standard input (its end, too) or for the end of the parent, then close ClickHouse."""
    while os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin], [], [], PARENT_CHECK_S)
        if readable:
            break
    threading.Thread(target=close_engine, args=(options,), daemon=True).start()
    time.sleep(CLOSE_LIMIT_S)
    os.kill(os.getpid(), signal.SIGKILL)


def close_engine(options: dict[str, Any]) -> None:
    """Cancel the statement that keeps ClickHouse open, again and again until it is gone."""
    from clickhouse_driver import Client
    from clickhouse_driver.errors import Error

    while True:
        try:
            client = Client("127.0.0.1", options["port"], user=options["user"], password=options["password"])
            client.execute("KILL QUERY WHERE user = '' AND query LIKE 'SELECT sleepEachRow%' ASYNC")
            client.disconnect()
        except (Error, OSError, EOFError) as error:
            print(f"closing: {error}", file=sys.stderr)
        time.sleep(0.3)


if __name__ == "__main__":
    sys.exit(main())
