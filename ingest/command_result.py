"""What the sender of an order is told, from the ends of its frames."""

from typing import Any, Final

import msgspec

from ingest.command_matcher import SentCommand
from ingest.events import CommandOutcome

SENT: Final = "sent"
OrderEnd = tuple[SentCommand | None, CommandOutcome]


class CommandResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the sender of an order is told.

    `error` is one of unknown_pile, unknown_connector, unknown_order, unsupported, offline, busy, bad_request, refused,
    timeout, connection_lost, replaced (by a newer order of the same kind), ambiguous (the answer may be about another
    order as well); `detail` says more, for "refused" the charger's reason. `values` is what was asked for: cards,
    parameters; of an order in several frames, how far it came.
    """

    ok: bool
    trade_no: str = ""
    error: str = ""
    detail: str = ""
    values: dict[str, Any] = {}


def result_of_one(ends: list[OrderEnd], frames: int) -> CommandResult:
    """The result of an order whose frames went one after the other: that of the last one sent."""
    last = ends[-1][1]
    ok = last.outcome in ("ok", SENT)
    values: dict[str, Any] = {}
    for sent, _ in ends:
        for name, value in (sent.values if sent is not None else {}).items():
            known = values.get(name)
            values[name] = [*known, *value] if isinstance(known, list) and isinstance(value, list) else value
    if frames > 1:
        values |= {"frames": frames, "frames_done": len(ends) if ok else len(ends) - 1}
    error = "" if ok else last.outcome
    detail = "sent; the protocol has no answer to it" if last.outcome == SENT else last.detail
    return CommandResult(ok=ok, trade_no=last.trade_no, error=error, detail=detail, values=values)


def result_of_several(ends: list[OrderEnd]) -> CommandResult:
    """The result of an order that went to several connectors at once: good only if every one accepted."""
    outcomes = [outcome for _, outcome in ends]
    failed = [outcome for outcome in outcomes if outcome.outcome != "ok"]
    each = {
        str(outcome.connector): {
            "trade_no": outcome.trade_no,
            "outcome": outcome.outcome,
            **({"detail": outcome.detail} if outcome.detail else {}),
        }
        for outcome in outcomes
    }
    words = ", ".join(f"connector {outcome.connector}: {outcome.detail or outcome.outcome}" for outcome in failed)
    return CommandResult(
        ok=not failed, error=failed[0].outcome if failed else "", detail=words, values={"connectors": each}
    )
