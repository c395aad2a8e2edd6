"""Which messages the simulated chargers send, and which of the platform's they understand: for the coverage table."""

from typing import Final

from benchmarks.fleet import aaf5_charger, charger, charger_orders
from core.aaf5 import messages as aaf5
from core.ykc import messages as ykc

NOT_SENT_AAF5: Final = frozenset({"status_lvneng", "password_query", "bms_info"})
"""Up messages of AAF5 whose layout is not published: nothing could be made up faithfully. The extensions of one maker
(601 and above) are known by name only, too.
"""

UNDERSTOOD_YKC: Final = frozenset(
    {
        charger.LOGIN_ACK,
        charger.HEARTBEAT_ACK,
        charger.TARIFF_CHECK_ACK,
        charger.TARIFF_REPLY,
        charger.TARIFF_SET,
        charger.RECORD_ACK,
        *charger.TO_CONNECTORS,
        charger_orders.BALANCE_UPDATE,
        charger_orders.CARD_SYNC,
        charger_orders.CARD_CLEAR,
        charger_orders.CARD_QUERY,
        charger_orders.WORK_PARAMS,
        charger_orders.TIME_SYNC,
        charger_orders.LOCK_CONTROL,
        charger_orders.REBOOT,
        charger_orders.UPDATE,
    }
)
"""Every message of the platform in YKC."""

UNDERSTOOD_AAF5: Final = frozenset(
    {
        aaf5_charger.INT_PARAMS,
        aaf5_charger.STR_PARAMS,
        aaf5_charger.CONTROL,
        aaf5_charger.START,
        aaf5_charger.QR_CODES,
        aaf5_charger.HEARTBEAT_ACK,
        aaf5_charger.LOGIN_ACK,
        aaf5_charger.RECORD_ACK,
        aaf5_charger.ACCOUNT_REPLY,
    }
)
"""Those of AAF5 that a charger acts on; 103 is not awaited by any, 12 has no published meaning (aaf5.md 3, 5)."""


def simulated(protocol: str) -> frozenset[int]:
    """The types of all messages of a protocol that are sent or understood."""
    if protocol == "ykc":
        sent = {message.type for message in ykc.MESSAGES.values() if message.direction == "up"}
        return frozenset(sent) | UNDERSTOOD_YKC
    known = (message for message in aaf5.MESSAGES.values() if message.direction == "up")
    return frozenset(message.type for message in known if message.name not in NOT_SENT_AAF5) | UNDERSTOOD_AAF5
