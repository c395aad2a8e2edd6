"""Which ports may be opened with which settings."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from analytics.client import ClickHouseAddress
from service.charger_access import require_safe_access, tls_files
from service.errors import SettingsError
from service.role import RoleSettings
from service.settings import CLOSED, Settings
from tests.ingest.certificates import Authority

PUBLIC = Settings(bind="10.1.2.3")
NETWORKS = ("10.20.0.0/16",)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(bind="localhost"),
        Settings(bind="::1"),
        Settings(bind="127.0.0.2", charger_networks=NETWORKS),
        msgspec.structs.replace(PUBLIC, charger_networks=NETWORKS),
        msgspec.structs.replace(PUBLIC, allow_plain=True),
        msgspec.structs.replace(PUBLIC, ykc_port=CLOSED, aaf5_port=CLOSED),
    ],
)
def test_guarded_ports_are_opened(settings: Settings) -> None:
    require_safe_access(settings)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "", "10.1.2.3", "gateway.example.org"])
@pytest.mark.parametrize("port", ["ykc_port", "aaf5_port", "detect_port"])
def test_a_plain_port_that_anybody_reaches_is_refused(bind: str, port: str) -> None:
    settings = Settings(bind=bind, ykc_port=CLOSED, aaf5_port=CLOSED)
    with pytest.raises(SettingsError, match=f"{port} would take anybody"):
        require_safe_access(msgspec.structs.replace(settings, **{port: 0}))


def test_certificates_of_chargers_guard_no_plain_port(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca.pem")
    certificate, key = map(str, authority.issue(tmp_path, "gateway"))
    settings = msgspec.structs.replace(
        PUBLIC, tls_port=0, tls_certificate=certificate, tls_key=key, tls_client_ca=str(authority.certificate)
    )
    with pytest.raises(SettingsError, match="tls_client_ca guards tls_port alone"):
        require_safe_access(settings)
    alone = msgspec.structs.replace(settings, ykc_port=CLOSED, aaf5_port=CLOSED)
    require_safe_access(alone)
    assert tls_files(alone) is not None
    Path(key).write_text("no key")
    with pytest.raises(SettingsError, match=r"tls_certificate, tls_key, tls_client_ca: .*no certificate and key"):
        require_safe_access(alone)


def test_a_gateway_whose_certificate_went_bad_says_so_in_one_line(tmp_path: Path) -> None:
    """When it is started again: the platform's own start has looked before."""
    settings = Settings(data=str(tmp_path), ykc_port=0, tls_port=0, tls_certificate="gone.pem", tls_key="gone.key")
    address = ClickHouseAddress.from_url("clickhouse://nobody@127.0.0.1:9/nothing")
    role_file = tmp_path / "role.json"
    role_file.write_bytes(msgspec.json.encode(RoleSettings(settings, address)))
    answer = subprocess.run(
        [sys.executable, "-m", "service.gateway_role", str(role_file)],
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert answer.returncode != 0
    (line,) = answer.stderr.splitlines()
    assert "tls_certificate" in line
    assert "gone.pem cannot be read" in line
