"""The dashboard as a process: pages on the loopback."""

import os
import signal
import socket
import threading
import time
from functools import partial

from analytics.client import connect
from analytics.questions import PLATFORM_SCOPE
from core.ykc.hex_lines import decode_line
from core.ykc.realtime import encode_realtime
from dashboard.app import create_app
from dashboard.server import serve
from service.lifeline import on_parent_end, say_ready
from service.role import RoleSettings, now_ms, run_role


def run_dashboard(role: RoleSettings) -> None:
    """Answer the pages until told to stop."""
    settings = role.settings
    port = settings.dashboard_port or _free_port(settings.dashboard_bind)
    app = create_app(
        partial(connect, role.clickhouse),
        PLATFORM_SCOPE,
        clock=now_ms,
        zone=settings.default_zone,
        encode_reading=encode_realtime,
        frame_fields=decode_line,
    )
    on_parent_end(lambda: os.kill(os.getpid(), signal.SIGTERM))
    threading.Thread(
        target=_say_ready_when_open, args=(settings.dashboard_bind, port), name="ready", daemon=True
    ).start()
    serve(app, settings.dashboard_bind, port)


def _say_ready_when_open(host: str, port: int) -> None:
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            say_ready(port=port)
            return


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    run_role(run_dashboard)
