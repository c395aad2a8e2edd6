"""Every setting of the platform: one frozen object with a default for each.

A value comes from, in rising order of weight: the default, `pilestream.toml`, a `PILESTREAM_*` variable, a flag.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from analytics.threshold_book import ThresholdBook, ThresholdError
from ingest.aaf5_values import Aaf5Values
from ingest.start_decision import StartAccount
from service.errors import SettingsError

PREFIX = "PILESTREAM_"
FILE_NAME = "pilestream.toml"
MASK = "***"
CLOSED = -1
LISTS = ("charger_networks",)


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be set. A port of 0 means: take a free one; -1: do not listen.

    `detect_port` takes chargers of every protocol, `tls_port` the same over TLS (it needs `tls_certificate` and
    `tls_key`; with `tls_client_ca` only chargers that show a certificate of that authority). Who names `ykc_port` and
    no `aaf5_port` gets no port for AAF5: two platforms on one machine then never want the same one.
    `charger_networks` are the only ones that chargers may connect from, a list (in the environment with commas);
    `allow_plain` opens plain ports on a `bind` that other machines reach without it (`service.charger_access`).
    `workers` gateway processes share the ports; limits hold for all of them together.
    `logins_per_pile` and `logins_per_address` are limits per minute. `idle_timeout_s` 0: a charger is silent after
    three missed heartbeats of its protocol. A connection must log in within `login_timeout_s`; there may be
    `max_connections`, and `unidentified_per_address` of one address that have not logged in (0 = any number).
    While the loader is behind, a pass of the biller waits for it `biller_patience_s` at most (0: not at all).
    `start_accounts` may charge by card, VIN or password at the charger; `aaf5_values` is what AAF5 chargers are told
    that ask for a tariff or QR codes; `thresholds` are those of the anomaly rules, with what differs by model, station
    and operator (`analytics.threshold_book`). These three are tables of `pilestream.toml`.
    """

    data: str = "./data"
    clickhouse: str = ""
    clickhouse_port: int = 0
    clickhouse_database: str = "pilestream"
    database: str = ""
    bind: str = "127.0.0.1"
    ykc_port: int = 9770
    aaf5_port: int = 9771
    detect_port: int = CLOSED
    tls_port: int = CLOSED
    tls_certificate: str = ""
    tls_key: str = ""
    tls_client_ca: str = ""
    charger_networks: tuple[str, ...] = ()
    allow_plain: bool = False
    dashboard_bind: str = "127.0.0.1"
    dashboard_port: int = 8050
    language: str = "zh"
    default_zone: str = "Asia/Shanghai"
    accept_unknown_piles: bool = False
    node: str = "node-1"
    workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    idle_timeout_s: int = 0
    login_timeout_s: Annotated[int, msgspec.Meta(ge=1)] = 30
    max_connections: Annotated[int, msgspec.Meta(ge=1)] = 50_000
    unidentified_per_address: Annotated[int, msgspec.Meta(ge=0)] = 200
    logins_per_pile: int = 10
    logins_per_address: int = 1200
    group_commit_ms: int = 50
    bill_commit_ms: int = 5
    spool_max_bytes: int = 20 * 1024**3
    keep_loaded_segments: bool = False
    biller_interval_ms: int = 1000
    biller_patience_s: Annotated[int, msgspec.Meta(ge=0)] = 30
    start_accounts: tuple[StartAccount, ...] = ()
    aaf5_values: tuple[Aaf5Values, ...] = ()
    thresholds: dict[str, Any] = {}

    @property
    def folder(self) -> Path:
        """The one folder below which all data lives."""
        return Path(self.data).expanduser().resolve()

    @property
    def threshold_book(self) -> ThresholdBook:
        """The thresholds of each charge."""
        return ThresholdBook(self.thresholds)

    @property
    def database_url(self) -> str:
        """SQLAlchemy URL of the back office."""
        return self.database or f"sqlite:///{self.folder / 'backoffice.db'}"

    def masked(self) -> dict[str, Any]:
        """The values in force, with passwords replaced, fit to print."""
        values = msgspec.to_builtins(self)
        for key in ("clickhouse", "database"):
            values[key] = _mask_password(values[key])
        for account in values["start_accounts"]:
            account["password"] = MASK if account["password"] else ""
        return dict(values)


def load_settings(
    flags: Mapping[str, Any], environment: Mapping[str, str] = os.environ, defaults: Mapping[str, Any] | None = None
) -> Settings:
    """The settings in force.

    `flags`: values given on the command line, None where a flag was not given. `defaults`: what a command takes
    instead of the general default where nobody set anything.
    Raises `SettingsError` for an unknown name (with the nearest right one) or a value of the wrong kind.
    """
    values: dict[str, Any] = dict(defaults or {})
    values.update(_checked(_read_file(Path(FILE_NAME)), FILE_NAME))
    values.update(_checked(_read_environment(environment), "the environment"))
    values.update({name: value for name, value in flags.items() if value is not None})
    if "ykc_port" in values:
        values.setdefault("aaf5_port", CLOSED)
    try:
        ThresholdBook(values.get("thresholds"))
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"a setting has a wrong value: {error}") from error
    except ThresholdError as error:
        raise SettingsError(str(error)) from error


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error


def _read_environment(environment: Mapping[str, str]) -> dict[str, str | list[str]]:
    values = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and value != ""
    }
    return {name: value.split(",") if name in LISTS else value for name, value in values.items()}


def _checked(values: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """`values` when each is a setting of the right kind."""
    known = {field.name: field for field in msgspec.structs.fields(Settings)}
    for name, value in values.items():
        shown = f"{PREFIX}{name.upper()}" if origin == "the environment" else name
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; known are {', '.join(sorted(known))}"
            raise SettingsError(f"{shown} in {origin} is not a setting{hint}")
        try:
            msgspec.convert(value, known[name].type, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{shown} in {origin} cannot be {value!r}: {error}") from error
    return dict(values)


def _mask_password(url: str) -> str:
    parts = urlsplit(url)
    if not parts.password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:{MASK}@{host}"))
