"""All that the page of one session shows, asked for once."""

from typing import Any

import msgspec

from analytics.session_curve import SessionCurve
from dashboard.context import Services
from dashboard.written import MINUTE_MS

BEFORE_MS, AFTER_MS = 10 * MINUTE_MS, 90 * MINUTE_MS


class SessionRecord(msgspec.Struct):
    """`session` is the newest revision; `bills` the bill's revisions, newest first; `uploads` what the charger sent."""

    session: dict[str, Any]
    session_revisions: int
    bills: list[dict[str, Any]]
    codes: dict[str, Any]
    uploads: list[dict[str, Any]]
    tariffs: dict[int, dict[str, Any]]
    events: list[dict[str, Any]]
    curve: SessionCurve

    @property
    def bill(self) -> dict[str, Any] | None:
        """The current bill, None while there is none."""
        return self.bills[0] if self.bills else None

    @property
    def upload(self) -> dict[str, Any] | None:
        """The first record that the charger sent, None when none came."""
        return self.uploads[0] if self.uploads else None

    @property
    def zone(self) -> str:
        """The zone of the station."""
        return str(self.session["zone"]) or "Asia/Shanghai"


def window_of(session: dict[str, Any]) -> tuple[int, int]:
    """From when to when things belong to the charge."""
    known = [ms for ms in (session["start_ms"], session["order_created_ms"], session["bill_receive_ms"]) if ms > 0]
    ends = [session["end_ms"], session["bill_receive_ms"], session["unplugged_ms"]]
    first = min(known, default=0)
    return first - BEFORE_MS, max([*ends, first]) + AFTER_MS


def trade_key(trade_no: str) -> dict[str, int] | None:
    """The two numbers by which `readings` knows a trade number; None when it is not 32 hexadecimal digits."""
    try:
        return {"trade_hi": int(trade_no[:16], 16), "trade_lo": int(trade_no[16:], 16)} if len(trade_no) == 32 else None
    except ValueError:
        return None


def session_record(services: Services, pile: str, connector: int, trade_no: str) -> SessionRecord | None:
    """The record of a session, None when it is unknown within the scope."""
    source = services.source
    if trade_key(trade_no) is None:
        return None
    revisions = source.ask("session_revisions", pile=pile, connector=connector, trade_no=trade_no).records()
    if not revisions:
        return None
    session = revisions[0]
    key = {"pile_id": session["pile_id"], "connector": connector, "trade_no": trade_no}
    from_ms, to_ms = window_of(session)
    tariffs = source.ask("session_tariffs", **key).records()
    return SessionRecord(
        session=session,
        session_revisions=len(revisions),
        bills=source.ask("session_bills", **key).records(),
        codes=source.ask("session_codes", **key).first() or {"codes_raw": [], "codes": [], "causes": [], "hits": []},
        uploads=source.ask("session_uploads", **key).records(),
        tariffs={row["tariff_version_id"]: row for row in tariffs},
        events=source.ask("session_events", **key, from_ms=from_ms, to_ms=to_ms).records(),
        curve=source.with_client(lambda client: services.curve_of(client, source.scope, session)),
    )
