"""Where the pages may answer: on this machine alone, as long as there is no sign-in."""

from ipaddress import ip_address

from dashboard.errors import DashboardError


class BindRefusedError(DashboardError):
    """The pages have no sign-in yet, so they answer on this machine only."""


def require_loopback(host: str) -> str:
    """The address to bind to when `host` is this machine's loopback; raises `BindRefusedError` for every other one."""
    name = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ip_address(name).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise BindRefusedError(
            f"the dashboard has no sign-in yet and answers on 127.0.0.1 only, not on {host!r}; "
            "reach it through an SSH tunnel (ssh -L) until it has"
        )
    return name
