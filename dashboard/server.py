"""Serves the pages by gunicorn's threads inside this process, on the loopback only."""

from typing import Any

from dash import Dash
from gunicorn.app.base import BaseApplication

from dashboard.loopback import BindRefusedError, require_loopback

THREADS = 8
STOP_WITHIN_S = 1


def checked_bind(host: str, port: int) -> str:
    """`host:port` when the host is this machine's loopback; BindRefusedError for every other address."""
    name = require_loopback(host)
    if not 0 < port < 65_536:
        raise BindRefusedError(f"the dashboard needs a port between 1 and 65535, not {port}")
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


class _InProcess(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn with its settings given here instead of by a command line."""

    def __init__(self, application: Any, options: dict[str, Any]) -> None:
        self._application = application
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._application


def serve(app: Dash, host: str, port: int) -> None:
    """Answer until the process is told to stop (SIGTERM or SIGINT); must run in the main thread.

    One worker with threads: the pages share their short-lived answers, and every thread has its own database client.
    Raises BindRefusedError for an address other than the loopback.
    """
    options = {
        "bind": checked_bind(host, port),
        "workers": 1,
        "worker_class": "gthread",
        "threads": THREADS,
        "graceful_timeout": STOP_WITHIN_S,
        "timeout": 60,
        "loglevel": "warning",
        "control_socket_disable": True,
        "proc_name": "pilestream-dashboard",
    }
    _InProcess(app.server, options).run()
