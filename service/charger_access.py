"""Who could reach the chargers' ports with these settings: what is less safe than it looks is refused at the start.

YKC and AAF5 authenticate no charger: whoever reaches a plain port may say that it is any of them. So a plain port on an
address that other machines reach opens only when the operator names the chargers' networks, or says that something else
guards it (promises: profiles C0 to C2).
"""

from ipaddress import ip_address
from pathlib import Path
from typing import Final

from ingest.charger_networks import ChargerNetworks, NetworkError
from ingest.tls import TlsFileError, TlsFiles, server_context
from service.errors import SettingsError
from service.settings import CLOSED, Settings

_PLAIN_PORTS: Final = ("ykc_port", "aaf5_port", "detect_port")
_TLS_FILES: Final = ("tls_certificate", "tls_key", "tls_client_ca")


def require_safe_access(settings: Settings) -> None:
    """Raises `SettingsError`, which names the setting, when the ports must not be opened like that."""
    try:
        ChargerNetworks(settings.charger_networks)
    except NetworkError as error:
        raise SettingsError(f"charger_networks: {error}") from error
    _require_whole_tls(settings)
    _require_guarded_ports(settings)


def tls_files(settings: Settings) -> TlsFiles | None:
    """The files of the TLS port, None where there is no such port."""
    if settings.tls_port == CLOSED:
        return None
    client_ca = Path(settings.tls_client_ca) if settings.tls_client_ca else None
    return TlsFiles(Path(settings.tls_certificate), Path(settings.tls_key), client_ca)


def _require_whole_tls(settings: Settings) -> None:
    given = [name for name in _TLS_FILES if getattr(settings, name)]
    if settings.tls_port == CLOSED:
        if given:
            raise SettingsError(
                f"{', '.join(given)} would do nothing: no port speaks TLS; set tls_port (0 = a free one) too"
            )
        return
    missing = [name for name in _TLS_FILES[:2] if name not in given]
    if missing:
        raise SettingsError(f"tls_port needs a certificate and its key; set {' and '.join(missing)}")
    files = tls_files(settings)
    try:
        if files is not None:
            server_context(files)
    except TlsFileError as error:
        raise SettingsError(f"tls_port cannot be opened with {', '.join(given)}: {error}") from error


def _require_guarded_ports(settings: Settings) -> None:
    plain = [name for name in _PLAIN_PORTS if getattr(settings, name) != CLOSED]
    if not plain or settings.allow_plain or settings.charger_networks or _is_loopback(settings.bind):
        return
    only_tls = " (tls_client_ca guards tls_port alone)" if settings.tls_client_ca else ""
    raise SettingsError(
        f"bind: other machines reach {settings.bind!r}, and {', '.join(plain)} would take anybody there for any charger"
        f'{only_tls}; set charger_networks to the networks of your chargers (["10.20.0.0/16"]), '
        "or close those ports (-1) and use tls_port, or set allow_plain = true if a VPN or firewall guards them"
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address("127.0.0.1" if host == "localhost" else host).is_loopback
    except ValueError:
        return False
