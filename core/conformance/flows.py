"""All flows, and which of them a session followed."""

from collections.abc import Sequence
from typing import Final

from core.conformance.aaf5_flows import AAF5_FLOWS
from core.conformance.rules import Flow
from core.conformance.steps import CHARGING, NOT_SAID, StepSeen
from core.conformance.ykc_flows import YKC_FLOWS

RULE_VERSION: Final = 3
"""Counts up with every change of a flow, so that sessions are checked again."""

FLOWS: Final[dict[tuple[str, str], Flow]] = {(flow.protocol, flow.name): flow for flow in (*YKC_FLOWS, *AAF5_FLOWS)}
"""Flows by protocol and name."""

_YKC_REFUSED = 0
_AAF5_DONE = 0
_YKC_OFFLINE_CARD = 4
_YKC_APP = 1
_YKC_STARTS_AT_CHARGER = (2, 3, 5)
_AAF5_PLATFORM = 1
_YKC_START_FAILED_REASONS = range(0x4A, 0x6A)
_YKC_STARTS: Final = (
    ("parallel_remote_start", ("parallel_remote_start", "parallel_remote_start_reply")),
    ("parallel_local_start", ("parallel_start_request", "parallel_start_reply")),
    ("remote_start", ("remote_start", "remote_start_reply")),
    ("local_start", ("start_request", "start_reply")),
)
_YKC_REFUSALS = ("remote_start_reply", "parallel_remote_start_reply", "start_reply", "parallel_start_reply")


def flow_of(protocol: str, steps: Sequence[StepSeen]) -> Flow:
    """The flow that a session followed, told from its steps in their order (`in_order`).

    A session that charged nothing failed or was refused, whatever started it.
    """
    name = _ykc_flow(steps) if protocol == "ykc" else _aaf5_flow(steps)
    return FLOWS[protocol, name]


def _ykc_flow(steps: Sequence[StepSeen]) -> str:
    charged = any(step.name == CHARGING for step in steps)
    record = _first(steps, "record")
    answers = [step for step in steps if step.name in _YKC_REFUSALS and step.result != NOT_SAID]
    if not charged and record is None and answers and all(step.result == _YKC_REFUSED for step in answers):
        return "refused_start"
    if not charged and record is not None and _charged_nothing(record):
        return "failed_start"
    names = {step.name for step in steps}
    for flow, signs in _YKC_STARTS:
        if names.intersection(signs):
            return flow
    mode = NOT_SAID if record is None else record.mode
    if mode == _YKC_OFFLINE_CARD:
        return "offline_start"
    if mode == _YKC_APP:
        return "remote_start"
    return "local_start" if mode in _YKC_STARTS_AT_CHARGER else "unknown_start"


def _charged_nothing(record: StepSeen) -> bool:
    return record.energy_e4kwh == 0 or record.reason in _YKC_START_FAILED_REASONS


def _aaf5_flow(steps: Sequence[StepSeen]) -> str:
    charged = any(step.name == CHARGING for step in steps)
    record = _first(steps, "record")
    reply = _first(steps, "start_reply")
    account = [step for step in steps if step.name == "account_reply" and step.result != NOT_SAID]
    if not charged and record is None:
        if account and all(step.result != _AAF5_DONE for step in account):
            return "refused_start"
        if reply is not None and reply.result != _AAF5_DONE:
            return "failed_start"
    if not charged and record is not None and record.energy_e4kwh == 0:
        return "failed_start"
    names = {step.name for step in steps}
    if names & {"start", "start_reply"}:
        return "remote_start"
    if names & {"account_query", "account_reply"}:
        return "local_start"
    modes = [step.mode for step in steps if step.mode != NOT_SAID]
    if not modes:
        return "unknown_start"
    return "remote_start" if modes[-1] == _AAF5_PLATFORM else "offline_start"


def _first(steps: Sequence[StepSeen], name: str) -> StepSeen | None:
    return next((step for step in steps if step.name == name), None)
