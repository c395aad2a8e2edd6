"""The dashboard as a process: pages on the loopback."""

import os
import signal
import socket
import threading
import time
from functools import partial
from typing import Any

import core.aaf5.hex_lines
import core.ykc.hex_lines
from analytics.client import connect
from analytics.questions import PLATFORM_SCOPE
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
        frame_fields=frame_fields,
    )
    on_parent_end(lambda: os.kill(os.getpid(), signal.SIGTERM))
    threading.Thread(
        target=_say_ready_when_open, args=(settings.dashboard_bind, port), name="ready", daemon=True
    ).start()
    serve(app, settings.dashboard_bind, port)


def frame_fields(frame_hex: str) -> dict[str, Any]:
    """What `pilestream decode` says of a frame, by the protocol that its first bytes name."""
    if frame_hex.upper().startswith("AAF5"):
        return core.aaf5.hex_lines.decode_line(frame_hex)
    return core.ykc.hex_lines.decode_line(frame_hex)


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
