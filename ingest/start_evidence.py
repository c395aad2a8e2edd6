"""Who started a charge, and how: read from the frames that say so (ykc.md section 4.1, aaf5.md section 4)."""

from typing import Any, Final

import msgspec

from ingest.events import SessionStart
from ingest.reactions import Reaction, StartDecision, StartRequest

_REQUEST_METHODS: Final = {
    "card": "card",
    "account": "password",
    "password": "password",
    "vin": "vin",
}
_YKC_RECORD_METHODS: Final = {1: "app", 2: "card", 4: "offline_card", 5: "vin"}
_AAF5_METHODS: Final = {0: "card", 1: "app", 2: "local_admin"}
UNKNOWN: Final = "unknown"
CONNECTION_LOST: Final = "connection_lost"


def request_evidence(
    request: StartRequest, decision: StartDecision, trade_no: str, now_ms: int, reply: bytes
) -> SessionStart:
    """Somebody asked for a charge at the charger, and what was decided."""
    return SessionStart(
        pile_id=request.pile.pile_id,
        connector=request.connector,
        trade_no=trade_no,
        event_ms=now_ms,
        method=decision.method or _REQUEST_METHODS[request.mode],
        account=decision.account or request.vin or plain_card(request.account),
        source="request",
        granted=int(decision.granted),
        reason=decision.reason,
        frame=request.frame,
        reply=reply,
    )


def never_sent(reaction: Reaction) -> Reaction:
    """What is left of the answer to a start when the charger has gone: it was told nothing, so nothing is granted."""
    return Reaction(
        events=[
            msgspec.structs.replace(event, granted=0, reason=event.reason or CONNECTION_LOST, reply=b"")
            if isinstance(event, SessionStart)
            else event
            for event in reaction.events
        ]
    )


def ykc_record_evidence(
    pile_id: int, connector: int, trade_no: str, fields: dict[str, Any], receive_ms: int, frame: bytes
) -> SessionStart:
    """What a 0x3B says of the start of its charge; `fields` in wire units."""
    method = _YKC_RECORD_METHODS.get(fields["start_mode"], UNKNOWN)
    return SessionStart(
        pile_id=pile_id,
        connector=connector,
        trade_no=trade_no,
        event_ms=receive_ms,
        method=method,
        account=fields["vin"] if method == "vin" else plain_card(fields["physical_card"]),
        source="record",
        granted=1,
        reason="" if method != UNKNOWN else f"start_mode {fields['start_mode']}",
        frame=frame,
    )


def aaf5_record_evidence(
    pile_id: int, connector: int, trade_no: str, fields: dict[str, Any], receive_ms: int, frame: bytes
) -> SessionStart:
    """What a 202 says of the start of its charge; `fields` in wire units."""
    method = aaf5_method(fields["start_mode"])
    return SessionStart(
        pile_id=pile_id,
        connector=connector,
        trade_no=trade_no,
        event_ms=receive_ms,
        method=method,
        account=plain_card(fields["card"]),
        source="record",
        granted=1,
        reason="" if method != UNKNOWN else f"start_mode {fields['start_mode']}",
        frame=frame,
    )


def aaf5_method(start_mode: int) -> str:
    """How a charge was started as 104 and 202 say it. No value for VIN or password starts is known."""
    return _AAF5_METHODS.get(start_mode, UNKNOWN)


def plain_card(number: str) -> str:
    """A card number without the zeros that fill it up on the left, upper-case; empty for none."""
    return number.strip().upper().lstrip("0")
