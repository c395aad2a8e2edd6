"""Serves the pages in a process of its own: `python -m tests.dashboard.pages_process CLICKHOUSE_URL PORT NOW_MS`."""

import sys
from functools import partial

from analytics.client import ClickHouseAddress, connect
from analytics.questions import PLATFORM_SCOPE
from core.ykc.realtime import encode_realtime
from dashboard.app import create_app
from dashboard.server import serve


def main(url: str, port: str, now_ms: str) -> None:
    """Serve until told to stop, `now_ms` being now for ever."""
    app = create_app(
        partial(connect, ClickHouseAddress.from_url(url)),
        PLATFORM_SCOPE,
        clock=lambda: int(now_ms),
        encode_reading=encode_realtime,
        frame_fields=lambda frame_hex: {"ok": True, "length": len(frame_hex) // 2},
    )
    serve(app, "127.0.0.1", int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
