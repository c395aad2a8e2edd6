"""The flows of YKC (ykc.md section 5)."""

from typing import Final

from core.conformance.rules import ANSWER_MS, ENDED, GAP_MS, MINUTE_MS, OURS, SECOND_MS, Flow, Rule
from core.conformance.steps import CHARGING

_REMOTE: Final = "ykc.md section 5, remote start"
_LOCAL: Final = "ykc.md section 5, card or VIN start"
_STOP: Final = "ykc.md section 5, stop"
_RECORD: Final = "ykc.md section 5, record and ack"
_REALTIME: Final = "ykc.md section 5, realtime"
_LOGIN: Final = "ykc.md section 5, power-on"

START_WITHIN_MS: Final = 90 * SECOND_MS
RECORD_WITHIN_MS: Final = 30 * SECOND_MS
RECORD_TRIES: Final = 5
RECORD_SPACING_MS: Final = 25 * SECOND_MS
"""A record is sent again after 30 s; a little less is the line's and the clock's."""
NOT_PLUGGED: Final = 5
TARIFF_IS_ANOTHER: Final = 1


def _answered_start(order: str, reply: str) -> tuple[Rule, ...]:
    """An order of the platform and the answer of the charger; a second one may follow when the plug comes."""
    return (
        Rule(order, "platform", _REMOTE, due=False, most=0),
        Rule(
            reply,
            "charger",
            _REMOTE,
            after=(order,),
            answers=order,
            within_ms=START_WITHIN_MS,
            since=(order,),
            again_if_reason=NOT_PLUGGED,
        ),
    )


def _requested_start(request: str, reply: str) -> tuple[Rule, ...]:
    """A request of the charger and the answer of the platform, which carries the trade number."""
    return (
        Rule(request, "charger", _LOCAL),
        Rule(
            reply, "platform", f"{_LOCAL}; {OURS}", answers=request, due_with=(request,), within_ms=ANSWER_MS,
            since=(request,), after=(request,), most=0,
        ),
    )  # fmt: skip


def _charge(*started_by: str) -> tuple[Rule, ...]:
    """From the start to the end; `started_by` are the order, if any, and the answer to it."""
    before = started_by[-1:]
    limit = START_WITHIN_MS if started_by else 0
    return (
        Rule("bms_handshake", "charger", _REMOTE, dc_only=True, after=before),
        Rule("bms_params", "charger", _REMOTE, dc_only=True, after=("bms_handshake",)),
        Rule(CHARGING, "charger", _REMOTE, after=before, within_ms=limit, since=started_by, most=0),
        Rule("realtime", "charger", _REALTIME, messages=(CHARGING,), period_ms=GAP_MS, most=0),
        Rule("bms_demand", "charger", _REALTIME, dc_only=True, after=("bms_params",), period_ms=GAP_MS, most=0),
        Rule("bms_info", "charger", _REALTIME, dc_only=True, after=("bms_params",), period_ms=GAP_MS, most=0),
        *_STOPPING,
        Rule(
            "abort_reason", "charger", _STOP, messages=("bms_abort", "charger_abort"), dc_only=True,
            after=(CHARGING,), most=2,
        ),
        Rule("charge_end", "charger", _STOP, dc_only=True, after=("abort_reason",)),
        _record(after=("charge_end", "abort_reason", CHARGING), within_ms=RECORD_WITHIN_MS),
        _RECORD_ACK,
    )  # fmt: skip


_STOPPING: Final = (
    Rule("remote_stop", "platform", _STOP, due=False, most=0),
    Rule(
        "remote_stop_reply", "charger", f"{_STOP}; {OURS}", due_with=("remote_stop",), answers="remote_stop",
        within_ms=ANSWER_MS, since=("remote_stop",), after=("remote_stop",), most=0,
    ),
    Rule(
        "stopped_on_order", "charger", f"{_STOP}: the pile must stop; {OURS}", messages=(ENDED,),
        due_with=("remote_stop",), within_ms=MINUTE_MS, since=("remote_stop",), most=0,
    ),
)  # fmt: skip


def _record(after: tuple[str, ...] = (), within_ms: int = 0) -> Rule:
    return Rule(
        "record",
        "charger",
        _RECORD,
        after=after,
        within_ms=within_ms,
        since=(ENDED,) if within_ms else (),
        most=RECORD_TRIES,
        answered_by="record_ack",
        spacing_ms=RECORD_SPACING_MS,
    )


_RECORD_ACK: Final = Rule(
    "record_ack", "platform", _RECORD, due_with=("record",), answers="record", within_ms=ANSWER_MS, since=("record",),
    after=("record",), most=0,
)  # fmt: skip

_FAILED_STARTS: Final = (
    Rule("remote_start", "platform", _REMOTE, due=False, most=0),
    Rule(
        "remote_start_reply", "charger", _REMOTE, messages=("remote_start_reply", "parallel_remote_start_reply"),
        due_with=("remote_start", "parallel_remote_start"), answers="remote_start", after=("remote_start",),
        within_ms=START_WITHIN_MS, since=("remote_start",), again_if_reason=NOT_PLUGGED,
    ),
    Rule("parallel_remote_start", "platform", _REMOTE, due=False, most=0),
    Rule("start_request", "charger", _LOCAL, messages=("start_request", "parallel_start_request"), due=False),
    Rule(
        "start_reply", "platform", f"{_LOCAL}; {OURS}", messages=("start_reply", "parallel_start_reply"),
        due_with=("start_request",), answers="start_request", within_ms=ANSWER_MS, since=("start_request",), most=0,
    ),
)  # fmt: skip

YKC_FLOWS: Final = (
    Flow(
        "remote_start",
        "ykc",
        "started by the platform",
        (*_answered_start("remote_start", "remote_start_reply"), *_charge("remote_start", "remote_start_reply")),
    ),
    Flow(
        "local_start",
        "ykc",
        "started at the charger, asked of the platform",
        (*_requested_start("start_request", "start_reply"), *_charge("start_reply")),
    ),
    Flow(
        "parallel_remote_start",
        "ykc",
        "two guns for one vehicle, started by the platform",
        (
            *_answered_start("parallel_remote_start", "parallel_remote_start_reply"),
            *_charge("parallel_remote_start", "parallel_remote_start_reply"),
        ),
    ),
    Flow(
        "parallel_local_start",
        "ykc",
        "two guns for one vehicle, asked of the platform",
        (*_requested_start("parallel_start_request", "parallel_start_reply"), *_charge("parallel_start_reply")),
    ),
    Flow("offline_start", "ykc", "started at the charger without asking", _charge()),
    Flow("unknown_start", "ykc", "nothing tells who started it", _charge()),
    Flow("failed_start", "ykc", "executed, but nothing was charged", (*_FAILED_STARTS, _record(), _RECORD_ACK)),
    Flow("refused_start", "ykc", "refused", _FAILED_STARTS),
    Flow(
        "login",
        "ykc",
        "login",
        (
            Rule("login", "charger", _LOGIN, most=0, answered_by="login_ack"),
            Rule(
                "login_ack", "platform", f"{_LOGIN}; {OURS}", answers="login", within_ms=ANSWER_MS, since=("login",),
                after=("login",), most=0,
            ),
            Rule(
                "tariff_check", "charger", f"{_LOGIN}; {OURS}", after=("login",), within_ms=MINUTE_MS,
                since=("login_ack",), most=0, answered_by="tariff_check_ack",
            ),
            Rule(
                "tariff_check_ack", "platform", f"{_LOGIN}; {OURS}", due_with=("tariff_check",),
                answers="tariff_check", within_ms=ANSWER_MS, since=("tariff_check",), after=("tariff_check",), most=0,
            ),
            Rule(
                "tariff_request", "charger", f"{_LOGIN}; {OURS}", due_with=("tariff_check_ack",),
                due_result=TARIFF_IS_ANOTHER, after=("tariff_check_ack",), within_ms=MINUTE_MS,
                since=("tariff_check_ack",), most=0, answered_by="tariff_reply",
            ),
            Rule(
                "tariff_reply", "platform", f"{_LOGIN}; {OURS}", due_with=("tariff_request",),
                answers="tariff_request", within_ms=ANSWER_MS, since=("tariff_request",), after=("tariff_request",),
                most=0,
            ),
            Rule("time_sync", "platform", "ykc.md section 5, clock", due=False, most=0),
            Rule(
                "time_sync_reply", "charger", f"ykc.md section 5, clock; {OURS}", due_with=("time_sync",),
                answers="time_sync", within_ms=ANSWER_MS, since=("time_sync",), after=("time_sync",), most=0,
            ),
        ),
    ),
)  # fmt: skip
