"""How a YKC charger answers the orders that are not for one connector's charge: each with its reply (ykc.md 3, 4)."""

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from benchmarks.fleet import messages
from benchmarks.fleet.link import DownFrame
from benchmarks.fleet.messages import Message
from core.ykc.codec import raw_fields

if TYPE_CHECKING:
    from benchmarks.fleet.charger import Charger

BALANCE_UPDATE: Final = 0x42
CARD_SYNC: Final = 0x44
CARD_CLEAR: Final = 0x46
CARD_QUERY: Final = 0x48
WORK_PARAMS: Final = 0x52
TIME_SYNC: Final = 0x56
LOCK_CONTROL: Final = 0x62
REBOOT: Final = 0x92
UPDATE: Final = 0x94

OK: Final = 0
WRONG_CARD: Final = 2
BAD_FORMAT: Final = 1
STORAGE_FULL: Final = 2
WRONG_MODEL: Final = 2
CARDS_KEPT: Final = 1_000
POWER_PERCENT: Final = range(30, 101)
WHEN_IDLE: Final = 2
DC_MODEL: Final = 1
AC_MODEL: Final = 2
FIRMWARE_CHARACTERS: Final = 8
NO_CARD: Final = "0" * 16


class ChargerOrders:
    """One charger's offline cards, parameters and balances, as the platform sets them."""

    def __init__(self, charger: "Charger") -> None:
        self.cards: dict[str, str] = {}
        self.balances_fen: dict[int, int] = {}
        self.max_power_percent = 100
        self._charger = charger
        self._answers = {
            BALANCE_UPDATE: self._balance,
            CARD_SYNC: self._sync_cards,
            CARD_CLEAR: self._clear_cards,
            CARD_QUERY: self._query_cards,
            WORK_PARAMS: self._work_params,
            TIME_SYNC: self._time,
            LOCK_CONTROL: self._lock,
            REBOOT: self._reboot,
            UPDATE: self._update,
        }

    def handle(self, frame: DownFrame) -> None:
        """Answer an order; other frames are left alone."""
        answer = self._answers.get(frame.frame_type)
        if answer is not None:
            answer(raw_fields(frame.frame_type, frame.body), frame.seq)

    def _balance(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x41: a card of zeros means whoever charges; another one must be the one that charges."""
        card = str(fields["physical_card"])
        number = int(str(fields["gun_no"]))
        connector = self._charger.connectors.get(number)
        charge = connector.charge if connector is not None else None
        fits = charge is not None and card in (NO_CARD, charge.physical_card)
        if fits:
            self.balances_fen[number] = int(fields["balance"])
        result = {"physical_card": card, "result": OK if fits else WRONG_CARD}
        self._reply("balance_reply", result, seq)

    def _sync_cards(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x43: all cards of the order are kept, or none."""
        cards = {str(group["physical_card"]): str(group["logical_card"]) for group in fields["cards"]}
        reason = 0
        if NO_CARD in cards or len(cards) != fields["count"]:
            reason = BAD_FORMAT
        elif len(self.cards.keys() | cards.keys()) > CARDS_KEPT:
            reason = STORAGE_FULL
        else:
            self.cards |= cards
        self._reply("card_sync_reply", {"result": int(reason == 0), "fail_reason": reason}, seq)

    def _clear_cards(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x45: for each card, whether it is gone now."""
        cleared = [str(group["physical_card"]) for group in fields["cards"]]
        groups = [
            {"physical_card": card, "cleared": int(card != NO_CARD), "fail_reason": BAD_FORMAT * (card == NO_CARD)}
            for card in cleared
        ]
        for card in cleared:
            self.cards.pop(card, None)
        self._reply("card_clear_reply", {"cards": groups}, seq)

    def _query_cards(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x47: for each card, whether it is kept."""
        asked = [str(group["physical_card"]) for group in fields["cards"]]
        groups = [{"physical_card": card, "exists": int(card in self.cards)} for card in asked]
        self._reply("card_query_reply", {"cards": groups}, seq)

    def _work_params(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x51: out of service or not, and how much power is allowed, of 30 to 100 %."""
        allowed = fields["max_power_pct"] in POWER_PERCENT
        if allowed:
            self._charger.disabled = bool(fields["disabled"])
            self.max_power_percent = int(fields["max_power_pct"])
        self._reply("work_params_reply", {"result": int(allowed)}, seq)

    def _time(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x55 with the time after setting it."""
        self._charger.clock_set()
        self._answer(messages.time_sync_reply(self._charger.pile, self._charger.told_ms()), seq)

    def _lock(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x63, and the new state when the lock has moved; no lock rises under a vehicle."""
        connector = self._charger.connectors.get(int(fields["gun_no"]))
        position = int(fields["action"])
        movable = connector is not None and self._charger.traits.has_lock
        if movable and connector is not None and position == messages.LOCK_RAISED:
            movable = not connector.plugged
        self._reply("lock_control_reply", {"gun_no": fields["gun_no"], "result": int(movable)}, seq)
        if movable and connector is not None:
            connector.move_lock(position)

    def _reboot(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x91, then the reboot."""
        self._reply("reboot_reply", {"result": 1}, seq)
        self._charger.spawn(self._charger.reboot(when_idle=fields["when"] == WHEN_IDLE))

    def _update(self, fields: dict[str, Any], seq: bytes) -> None:
        """0x93; the firmware goes by the name of its file from the next login on."""
        model = DC_MODEL if self._charger.pile.is_dc else AC_MODEL
        fits = fields["pile_model"] == model
        self._reply("update_reply", {"result": OK if fits else WRONG_MODEL}, seq)
        if fits:
            self._charger.updated(PurePosixPath(str(fields["path"])).stem[:FIRMWARE_CHARACTERS])
            self._charger.spawn(self._charger.reboot(when_idle=fields["when"] == WHEN_IDLE))

    def _reply(self, name: str, fields: dict[str, Any], seq: bytes) -> None:
        self._answer((name, {"pile_code": self._charger.pile.code, **fields}), seq)

    def _answer(self, message: Message, seq: bytes) -> None:
        self._charger.answer(message, seq)
