"""The orders of YKC: what they carry, how they are answered, how often they are tried (ykc.md sections 4 and 5).

The document prescribes no timeouts and no repeats for orders. An answer is due within 10 s here, and an order is sent
once more when taking it twice is the same as taking it once. A start is not: a charger that did take the first one and
whose answer was lost would be told to start again.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from core.tariff_version import TariffVersion
from core.ykc.cp56 import ms_to_cp56
from ingest.offline_cards import (
    CardList,
    CardSync,
    card_clear_parcels,
    card_query_parcels,
    card_sync_parcels,
    hex_card,
    shown_card,
)
from ingest.order import NO_CARD, Idle, NoArguments, Order, OrderError, OrderSite, Parcel
from ingest.trade_numbers import parallel_number
from ingest.ykc_tariff import tariff_fields

_MS_PER_MINUTE: Final = 60_000
_TWICE: Final = 2

_START_REASONS: Final = {
    1: "wrong_pile",
    2: "already_charging",
    3: "device_fault",
    4: "device_offline",
    5: "not_plugged",
}
NOT_PLUGGED: Final = 5
_LOCK_ACTIONS: Final = {"raise": 0x55, "lower": 0xFF}
_PILE_MODELS: Final = {"dc": 1, "ac": 2}
_WHEN: Final = {"now": 1, "idle": 2}

Fen = Annotated[int, msgspec.Meta(ge=0, le=0xFFFF_FFFF)]
When = Literal["now", "idle"]


class RemoteStart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`card`: the 16 digits shown on the charger; `physical_card`: its own in hex; `balance_fen`: what it may cost.

    There is no start without a balance: nobody could say when a charge ends that may cost anything.
    """

    card: str = NO_CARD
    physical_card: str = NO_CARD
    balance_fen: Fen = 0


class ParallelStart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One vehicle at several guns; the others as in `RemoteStart`."""

    connectors: tuple[int, ...]
    card: str = NO_CARD
    physical_card: str = NO_CARD
    balance_fen: Fen = 0


class TariffSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model_no`: four digits of a version of this charger's tariff, empty = the one valid now."""

    model_no: str = ""


class BalanceUpdate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`physical_card` in hex, all zero = whoever charges."""

    balance_fen: Fen
    physical_card: str = NO_CARD


class WorkParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether the charger is locked out of service, and its power limit in percent."""

    disabled: bool = False
    max_power_pct: Annotated[int, msgspec.Meta(ge=30, le=100)] = 100


class Reboot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`now` is refused while something charges, unless `force`."""

    when: When = "idle"
    force: bool = False


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """New firmware by FTP. Kind and power are those of the master data unless given."""

    host: str
    path: str
    user: str = ""
    password: str = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 21
    pile_model: Literal["", "dc", "ac"] = ""
    pile_power_kw: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    when: When = "idle"
    force: bool = False
    timeout_minutes: Annotated[int, msgspec.Meta(ge=1, le=255)] = 30


class LockControl(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The parking lock of a bay."""

    action: Literal["raise", "lower"]


def _gun(connector: int) -> str:
    return f"{connector:02d}"


def _start_fields(site: OrderSite, connector: int, trade_no: str, arguments: RemoteStart | ParallelStart) -> Any:
    if not arguments.balance_fen:
        raise OrderError("balance_fen: a start needs what the charge may cost, more than 0")
    return {
        "trade_no": trade_no,
        "pile_code": site.pile.code,
        "gun_no": _gun(connector),
        "logical_card": shown_card(arguments.card),
        "physical_card": hex_card(arguments.physical_card),
        "balance": arguments.balance_fen,
    }


def _remote_start(site: OrderSite, arguments: RemoteStart) -> list[Parcel]:
    trade_no = site.new_trade_no(site.connector)
    return [Parcel(_start_fields(site, site.connector, trade_no, arguments), site.connector, trade_no)]


def _parallel_start(site: OrderSite, arguments: ParallelStart) -> list[Parcel]:
    guns = arguments.connectors
    known = range(1, site.pile.connectors + 1)
    if len(guns) < _TWICE or len(set(guns)) != len(guns) or not all(gun in known for gun in guns):
        raise OrderError(f"connectors: {list(guns)} must be two or more different ones of 1 to {site.pile.connectors}")
    parallel_no = parallel_number(site.now_ms, site.pile.zone)
    parcels = []
    for gun in guns:
        trade_no = site.new_trade_no(gun)
        fields = _start_fields(site, gun, trade_no, arguments) | {"parallel_no": parallel_no}
        parcels.append(Parcel(fields, gun, trade_no))
    return parcels


def _of_connector(site: OrderSite, arguments: NoArguments) -> list[Parcel]:
    fields = {"pile_code": site.pile.code, "gun_no": _gun(site.connector)}
    return [Parcel(fields, site.connector, site.session)]


def _tariff_set(site: OrderSite, arguments: TariffSet) -> list[Parcel]:
    version = _tariff_version(site, arguments.model_no)
    return [Parcel(tariff_fields(site.pile.code, version), 0)]


def _tariff_version(site: OrderSite, model_no: str) -> TariffVersion:
    if not model_no:
        version = site.pile.tariff_at(site.now_ms)
        if version is None:
            raise OrderError(f"no tariff is valid for charger {site.pile.code} now")
        return version
    found = [version for version in site.pile.tariffs if version.model_no == model_no]
    if not found:
        known = ", ".join(sorted({version.model_no for version in site.pile.tariffs})) or "none"
        raise OrderError(f"model_no: charger {site.pile.code} has no tariff {model_no!r}; it has {known}")
    return found[-1]


def _time_sync(site: OrderSite, arguments: NoArguments) -> list[Parcel]:
    return [Parcel({"pile_code": site.pile.code, "time": ms_to_cp56(site.now_ms, site.pile.zone)}, 0)]


def _balance_update(site: OrderSite, arguments: BalanceUpdate) -> list[Parcel]:
    fields = {
        "pile_code": site.pile.code,
        "gun_no": _gun(site.connector),
        "physical_card": hex_card(arguments.physical_card),
        "balance": arguments.balance_fen,
    }
    # 0x41 names no gun.
    return [Parcel(fields, site.connector, site.session, place=0)]


def _work_params(site: OrderSite, arguments: WorkParams) -> list[Parcel]:
    disabled, limit = int(arguments.disabled), arguments.max_power_pct
    return [Parcel({"pile_code": site.pile.code, "disabled": disabled, "max_power_pct": limit}, 0)]


def _reboot(site: OrderSite, arguments: Reboot) -> list[Parcel]:
    return [Parcel({"pile_code": site.pile.code, "when": _WHEN[arguments.when]}, 0)]


def _update(site: OrderSite, arguments: Update) -> list[Parcel]:
    fields = {
        "pile_code": site.pile.code,
        "pile_model": _PILE_MODELS[arguments.pile_model or site.pile.current_kind],
        "pile_power": arguments.pile_power_kw or min(site.pile.rated_power_w // 1000, 0xFFFF),
        "host": arguments.host,
        "port": arguments.port,
        "user": arguments.user,
        "password": arguments.password,
        "path": arguments.path,
        "when": _WHEN[arguments.when],
        "timeout_minutes": arguments.timeout_minutes,
    }
    # 0x93 may say that the download timed out, so it comes after the download.
    return [Parcel(fields, 0, timeout_ms=(arguments.timeout_minutes + 1) * _MS_PER_MINUTE)]


def _lock_control(site: OrderSite, arguments: LockControl) -> list[Parcel]:
    fields = {"pile_code": site.pile.code, "gun_no": site.connector, "action": _LOCK_ACTIONS[arguments.action]}
    return [Parcel(fields, site.connector)]


def _connector_idle(arguments: Any) -> Idle:
    return "connector"


def _pile_idle(arguments: Any) -> Idle:
    return "pile"


def _idle_unless_later(arguments: Reboot | Update) -> Idle:
    return "" if arguments.when == "idle" or arguments.force else "pile"


YKC_ORDERS: Final[tuple[Order, ...]] = (
    Order(
        "remote_start",
        "remote_start",
        "remote_start_reply",
        RemoteStart,
        _remote_start,
        scope="connector",
        needs_idle=_connector_idle,
        reasons=_START_REASONS,
        more_answers=frozenset({NOT_PLUGGED}),
    ),
    Order(
        "remote_stop",
        "remote_stop",
        "remote_stop_reply",
        NoArguments,
        _of_connector,
        scope="connector",
        attempts=_TWICE,
        while_session_lasts=True,
        reasons={1: "wrong_pile", 2: "not_charging", 3: "other"},
    ),
    Order(
        "parallel_start",
        "parallel_remote_start",
        "parallel_remote_start_reply",
        ParallelStart,
        _parallel_start,
        needs_idle=_connector_idle,
        together=True,
        reasons=_START_REASONS,
        more_answers=frozenset({NOT_PLUGGED}),
    ),
    Order(
        "tariff_set",
        "tariff_set",
        "tariff_set_reply",
        TariffSet,
        _tariff_set,
        needs_idle=_pile_idle,
        attempts=_TWICE,
        reasons={0: "failed"},
    ),
    Order("time_sync", "time_sync", "time_sync_reply", NoArguments, _time_sync, attempts=_TWICE, made_anew=True),
    Order(
        "read_realtime",
        "read_realtime",
        "realtime",
        NoArguments,
        _of_connector,
        scope="connector",
        attempts=_TWICE,
    ),
    Order(
        "balance_update",
        "balance_update",
        "balance_reply",
        BalanceUpdate,
        _balance_update,
        scope="connector",
        attempts=_TWICE,
        while_session_lasts=True,
        reasons={1: "wrong_pile", 2: "wrong_card"},
    ),
    Order(
        "card_sync",
        "card_sync",
        "card_sync_reply",
        CardSync,
        card_sync_parcels,
        attempts=_TWICE,
        reasons={1: "bad_card_format", 2: "storage_full"},
    ),
    Order(
        "card_clear",
        "card_clear",
        "card_clear_reply",
        CardList,
        card_clear_parcels,
        attempts=_TWICE,
        reasons={0: "not_cleared", 1: "bad_card_format"},
    ),
    Order("card_query", "card_query", "card_query_reply", CardList, card_query_parcels, attempts=_TWICE),
    Order(
        "work_params",
        "work_params",
        "work_params_reply",
        WorkParams,
        _work_params,
        attempts=_TWICE,
        reasons={0: "failed"},
    ),
    Order(
        "reboot",
        "reboot",
        "reboot_reply",
        Reboot,
        _reboot,
        needs_idle=_idle_unless_later,
        reasons={0: "failed"},
    ),
    Order(
        "update",
        "update",
        "update_reply",
        Update,
        _update,
        needs_idle=_idle_unless_later,
        reasons={1: "wrong_pile", 2: "wrong_model", 3: "download_timed_out"},
        secrets=("password",),
    ),
    Order(
        "lock_control",
        "lock_control",
        "lock_control_reply",
        LockControl,
        _lock_control,
        scope="connector",
        attempts=_TWICE,
        reasons={0: ""},
    ),
)
"""Every order of YKC V1.5/V1.6; 0xA4 is of V1.6 only."""
