"""The flows of the AAF5 family (aaf5.md section 5, as one maker's firmware follows them)."""

from typing import Final

from core.conformance.rules import ANSWER_MS, ENDED, GAP_MS, MINUTE_MS, OURS, SECOND_MS, Flow, Rule
from core.conformance.steps import CHARGING, STOPPED

_LOGIN: Final = "aaf5.md section 5, point 1"
_STATUS: Final = "aaf5.md section 5, point 3"
_START: Final = "aaf5.md section 5, point 4"
_RECORD: Final = "aaf5.md section 5, point 5"
_CARD: Final = "aaf5.md section 5, point 6"

START_WITHIN_MS: Final = 120 * SECOND_MS
AT_ONCE_MS: Final = 10 * SECOND_MS
RECORD_ACK_WITHIN_MS: Final = 10 * SECOND_MS
LOGIN_ACK_WITHIN_MS: Final = 5 * SECOND_MS
LOGIN_TRIES: Final = 3
CARD_TRIES: Final = 4
CARD_ANSWER_WITHIN_MS: Final = 10 * SECOND_MS
WRONG_RECORD_ACKED: Final = 1
"""Any 201 acknowledges the newest record of the charger, so that one more of an older one is no fault of its own."""

_ORDER: Final = Rule("start", "platform", _START, due=False, most=0)
_ORDER_ANSWERED: Final = Rule(
    "start_reply", "charger", _START, answers="start", after=("start", CHARGING), within_ms=START_WITHIN_MS,
    since=("start",),
)  # fmt: skip

_ASKED: Final = (
    Rule("account_query", "charger", _CARD, most=CARD_TRIES, answered_by="account_reply"),
    Rule(
        "account_reply", "platform", _CARD, answers="account_query", due_with=("account_query",),
        after=("account_query",), within_ms=CARD_ANSWER_WITHIN_MS, since=("account_query",), most=0,
    ),
)  # fmt: skip

_RECORDED: Final = (
    Rule(
        "record", "charger", f"{_RECORD}; {OURS}", after=(STOPPED, CHARGING), within_ms=MINUTE_MS,
        since=(ENDED,), most=0, answered_by="record_ack", excused=WRONG_RECORD_ACKED,
    ),
    Rule(
        "record_ack", "platform", _RECORD, due_with=("record",), answers="record", within_ms=RECORD_ACK_WITHIN_MS,
        since=("record",), after=("record",), most=0,
    ),
)  # fmt: skip


def _charge(started_by: str, within_ms: int, *answers: Rule) -> tuple[Rule, ...]:
    """From the start to the end; `answers` are those that come once the charge runs."""
    return (
        Rule(
            CHARGING, "charger", _START, after=(started_by,) if started_by else (), within_ms=within_ms,
            since=(started_by,) if within_ms else (), most=0,
        ),
        *answers,
        Rule("status", "charger", f"{_STATUS}; {OURS}", messages=(CHARGING,), period_ms=GAP_MS, most=0),
        Rule("control", "platform", _START, due=False, most=0),
        Rule(
            "control_reply", "charger", f"{_START}: at once; {OURS}", due_with=("control",), answers="control",
            within_ms=AT_ONCE_MS, since=("control",), after=("control",), most=0,
        ),
        Rule(
            "stopped_on_order", "charger", f"{_START}; {OURS}", messages=(ENDED,), due_with=("control",),
            within_ms=MINUTE_MS, since=("control",), most=0,
        ),
        Rule(STOPPED, "charger", _STATUS, after=(CHARGING,), most=0),
        *_RECORDED,
    )  # fmt: skip


_FAILED_STARTS: Final = (
    Rule("start", "platform", _START, due=False, most=0),
    Rule(
        "start_reply", "charger", _START, due_with=("start",), answers="start", after=("start",),
        within_ms=START_WITHIN_MS + ANSWER_MS, since=("start",),
    ),
    Rule("account_query", "charger", _CARD, due=False, most=CARD_TRIES, answered_by="account_reply"),
    Rule(
        "account_reply", "platform", _CARD, due_with=("account_query",), answers="account_query",
        within_ms=CARD_ANSWER_WITHIN_MS, since=("account_query",), after=("account_query",), most=0,
    ),
)  # fmt: skip

AAF5_FLOWS: Final = (
    Flow(
        "remote_start",
        "aaf5",
        "started by the platform",
        (_ORDER, *_charge("start", START_WITHIN_MS, _ORDER_ANSWERED)),
    ),
    Flow("local_start", "aaf5", "card at the charger, asked of the platform", (*_ASKED, *_charge("account_reply", 0))),
    Flow("offline_start", "aaf5", "started at the charger without asking", _charge("", 0)),
    Flow("unknown_start", "aaf5", "nothing tells who started it", _charge("", 0)),
    Flow("failed_start", "aaf5", "nothing was charged", _FAILED_STARTS),
    Flow("refused_start", "aaf5", "refused", _FAILED_STARTS),
    Flow(
        "login",
        "aaf5",
        "login",
        (
            Rule("login", "charger", _LOGIN, most=LOGIN_TRIES, answered_by="login_ack"),
            Rule(
                "login_ack", "platform", _LOGIN, answers="login", within_ms=LOGIN_ACK_WITHIN_MS, since=("login",),
                after=("login",), most=0,
            ),
        ),
    ),
)  # fmt: skip
