"""Who may start a charge at the charger: the function that decides, and a table of accounts that is one.

The back office will supply the function; until then the table comes from the settings.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import msgspec

from ingest.errors import IngestError
from ingest.reactions import StartDecision, StartRequest
from ingest.start_evidence import plain_card

DecideStart = Callable[[StartRequest], StartDecision | Awaitable[StartDecision]]
"""Decides a start; it may be a coroutine function. The gateway refuses as `no_decision` what takes too long."""

NO_DECISION: Final = "no_decision"
_CARD_START_UNSUPPORTED: Final = 0x0B

# ykc.md 0x32 fail_reason. What YKC has no number for is the nearest that a driver can act on.
YKC_FAIL_REASONS: Final[dict[str, int]] = {
    "unknown_account": 1,
    "frozen": 2,
    "balance_too_low": 3,
    "unsettled_record": 4,
    "pile_disabled": 5,
    "not_on_this_pile": 6,
    "wrong_password": 7,
    "no_capacity": 8,
    "unknown_vin": 9,
    "pile_unsettled": 0x0A,
    "start_unsupported": _CARD_START_UNSUPPORTED,
    "bad_card": 1,
    "reported_lost": 2,
    "cancelled": 2,
    "charging_elsewhere": 4,
    "no_decision": _CARD_START_UNSUPPORTED,
    "": _CARD_START_UNSUPPORTED,
}
# aaf5.md 203 result. There is no "try again" and no "not here"; 1 (illegal) says no without blaming the card.
AAF5_RESULTS: Final[dict[str, int]] = {
    "unknown_account": 1,
    "frozen": 4,
    "balance_too_low": 2,
    "unsettled_record": 1,
    "pile_disabled": 1,
    "not_on_this_pile": 1,
    "wrong_password": 8,
    "no_capacity": 1,
    "unknown_vin": 1,
    "pile_unsettled": 1,
    "start_unsupported": 1,
    "bad_card": 5,
    "reported_lost": 6,
    "cancelled": 7,
    "charging_elsewhere": 9,
    "no_decision": 1,
    "": 1,
}
REFUSALS: Final = tuple(name for name in YKC_FAIL_REASONS if name)
"""Every reason that a `StartDecision` may name."""

_MD5_PREFIX: Final = "md5:"


def refuse(reason: str, *, method: str = "", account: str = "") -> StartDecision:
    """A refusal; `reason` is one of `REFUSALS`, anything else raises `ValueError`."""
    if reason not in REFUSALS:
        raise ValueError(f"{reason!r} is no reason to refuse a start; known are {', '.join(REFUSALS)}")
    return StartDecision(granted=False, reason=reason, method=method, account=account)


class StartAccount(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the settings' table: who may start, by what, and where.

    A `card` (digits as the charger sends them; zeros on the left do not count), a `vin`, an `account` with its
    `password`, or a `password` alone: that of a station, whose name is `name`. A card with a `password` needs both.
    `password` is the text that is typed, or `md5:` and the 32 hex digits of its MD5. `pile` and `station_id` limit it
    to one charger or station, empty and 0 = anywhere. `balance_fen` is what the charger may spend.
    """

    card: str = ""
    vin: str = ""
    account: str = ""
    password: str = ""
    pile: str = ""
    station_id: int = 0
    balance_fen: int = 0
    name: str = ""
    frozen: bool = False

    @property
    def shown_name(self) -> str:
        """What the evidence calls the account."""
        return self.name or self.vin or plain_card(self.card) or self.account


class StartTable:
    """Decides by a table. Raises `IngestError` for entries that could never be right: nothing is let in by accident."""

    def __init__(self, accounts: Iterable[StartAccount] = ()) -> None:
        self._cards: dict[str, list[StartAccount]] = {}
        self._vins: dict[str, list[StartAccount]] = {}
        self._accounts: dict[str, list[StartAccount]] = {}
        self._passwords: list[StartAccount] = []
        for entry in accounts:
            self._add(entry)

    def __call__(self, request: StartRequest) -> StartDecision:
        """Whether this start is granted."""
        match request.mode:
            case "card":
                return _decide(request, self._cards.get(plain_card(request.account), []), "card", "unknown_account")
            case "vin":
                return _decide(request, self._vins.get(request.vin, []), "vin", "unknown_vin")
            case "account":
                entries = self._accounts.get(plain_card(request.account), [])
                return _decide(request, entries, "password", "unknown_account")
            case _:
                entries = [entry for entry in self._passwords if _password_fits(entry.password, request.password)]
                return _decide(request, entries, "password", "wrong_password")

    def _add(self, entry: StartAccount) -> None:
        named = [name for name in ("card", "vin", "account") if getattr(entry, name)]
        if len(named) > 1:
            raise IngestError(f"a start account names {' and '.join(named)}; it must name one of them")
        if not named and not entry.password:
            raise IngestError("a start account names no card, vin, account or password")
        if named == ["account"] and not entry.password:
            raise IngestError(f"the start account {entry.account!r} has no password")
        digest = entry.password.removeprefix(_MD5_PREFIX)
        if digest != entry.password and (len(digest) != 32 or not _is_hex(digest)):
            raise IngestError(f"the password of a start account begins with {_MD5_PREFIX} and has no 32 hex digits")
        match named:
            case ["card"]:
                self._cards.setdefault(plain_card(entry.card), []).append(entry)
            case ["vin"]:
                self._vins.setdefault(entry.vin.upper(), []).append(entry)
            case ["account"]:
                self._accounts.setdefault(plain_card(entry.account), []).append(entry)
            case _:
                self._passwords.append(entry)


def _decide(request: StartRequest, entries: list[StartAccount], method: str, unknown: str) -> StartDecision:
    if not entries:
        return refuse(unknown, method=method)
    here = [entry for entry in entries if _applies(entry, request)]
    if not here:
        return refuse("not_on_this_pile", method=method, account=entries[0].shown_name)
    entry = here[0]
    account = entry.shown_name
    if entry.password and not _password_fits(entry.password, request.password):
        return refuse("wrong_password", method=method, account=account)
    if entry.frozen:
        return refuse("frozen", method=method, account=account)
    if entry.balance_fen <= 0:
        return refuse("balance_too_low", method=method, account=account)
    digits = plain_card(entry.card) or plain_card(entry.account)
    shown_card = digits[-16:].rjust(16, "0") if digits.isascii() and digits.isdigit() else "0" * 16
    return StartDecision(
        granted=True, method=method, account=account, balance_fen=entry.balance_fen, shown_card=shown_card
    )


def _applies(entry: StartAccount, request: StartRequest) -> bool:
    pile = request.pile
    return entry.pile in ("", pile.code) and entry.station_id in (0, pile.station_id)


def _password_fits(known: str, sent_hex: str) -> bool:
    """Compare with what a charger sends: the MD5 as 16 bytes, or in 32 bytes its digits or the text itself.

    YKC says MD5 (ykc.md 0x31), AAF5 says nothing (aaf5.md 204).
    """
    if known.startswith(_MD5_PREFIX):
        digest = known.removeprefix(_MD5_PREFIX).upper()
        text = b""
    else:
        text = known.encode()
        digest = hashlib.md5(text, usedforsecurity=False).hexdigest().upper()
    forms = [digest, digest.encode().hex().upper(), digest.lower().encode().hex().upper()]
    if text:
        forms.append(text.hex().upper())
    sent = sent_hex.upper()
    # Padded fields may end with NUL bytes, and so may a digest: both readings are tried.
    unpadded = bytes.fromhex(sent).rstrip(b"\0").hex().upper() if _is_hex(sent) and len(sent) % 2 == 0 else ""
    return any(hmac.compare_digest(form, candidate) for form in forms for candidate in (sent, unpadded) if candidate)


def _is_hex(text: str) -> bool:
    return bool(text) and all(character in "0123456789abcdefABCDEF" for character in text)
