"""All that the page of one session shows, asked for once."""

from datetime import timedelta
from typing import Any

import msgspec

from analytics.plausibility import ObservedTimes, observed_times
from analytics.session_curve import SessionCurve
from analytics.session_window import window_of
from analytics.three_facts import price_of
from core.session_number import session_halves
from dashboard.context import Services

MOST_DEVIATIONS = 50
JUST_AFTER_MS = 60_000
_DAYS_OFF = timedelta(days=35)
"""A revision after the check may have moved the charge to another day: to that of a record that was kept for weeks."""


class SoFar(msgspec.Struct, frozen=True):
    """A charge under way by its last reading: `counter_e4kwh` as the charger says, the rest as the gateway accepted."""

    last_ms: int
    charging_ms: int
    counter_e4kwh: int
    energy_e4kwh: int
    amount_fen: int


class SessionRecord(msgspec.Struct):
    """`session` is the newest revision, `revisions` are all of them and `bills` those of its bill, the newest first;
    `uploads` what the charger sent.

    A charge under way has one revision, which stands still: there `session` carries the end and the figures of its last
    reading instead, and `so_far` says them (None while no reading is known). `starts` say who started it, the best
    source first; `check` how it kept to the protocol, None before it was checked, and `deviations` where it did not.
    `meter` is the row of learned values by which it was measured, None where there is none; `overlaps` are the charges
    in its time; `other_records` are records under other numbers that may be its own, or charges that may have this one.
    `state_after`: how the connector stood when it was first heard again.
    """

    session: dict[str, Any]
    revisions: list[dict[str, Any]]
    bills: list[dict[str, Any]]
    codes: dict[str, Any]
    uploads: list[dict[str, Any]]
    tariffs: dict[int, dict[str, Any]]
    events: list[dict[str, Any]]
    curve: SessionCurve
    so_far: SoFar | None = None
    starts: list[dict[str, Any]] = []
    check: dict[str, Any] | None = None
    deviations: list[dict[str, Any]] = []
    meter: dict[str, Any] | None = None
    overlaps: list[dict[str, Any]] = []
    other_records: list[dict[str, Any]] = []
    state_after: dict[str, Any] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the charge is under way."""
        return bool(self.session["life"] == "open")

    @property
    def bill(self) -> dict[str, Any] | None:
        """The current bill, None while there is none: a revision without a final rule says that the charge goes on."""
        return self.bills[0] if self.bills and self.bills[0]["final_rule"] and not self.is_open else None

    @property
    def upload(self) -> dict[str, Any] | None:
        """The first record that the charger sent, None when none came."""
        return self.uploads[0] if self.uploads else None

    @property
    def zone(self) -> str:
        """The zone of the station."""
        return str(self.session["zone"]) or "Asia/Shanghai"

    @property
    def times(self) -> ObservedTimes | None:
        """How long it lasted and how much of that was seen; None while it goes on."""
        return observed_times(self.session, self.curve)

    def price(self, energy_e4kwh: int) -> int | None:
        """What an energy over its half-hours would cost, in fen; None where that is not known."""
        return price_of(energy_e4kwh, self.bill, self.session, self.tariffs)


def trade_key(trade_no: str) -> dict[str, int]:
    """The two numbers by which `readings` knows the number of a session."""
    trade_hi, trade_lo = session_halves(trade_no)
    return {"trade_hi": trade_hi, "trade_lo": trade_lo}


def session_record(services: Services, pile: str, connector: int, trade_no: str) -> SessionRecord | None:
    """The record of a session, None when it is unknown within the scope."""
    source = services.source
    revisions = source.ask("session_revisions", pile=pile, connector=connector, trade_no=trade_no).records()
    if not revisions:
        return None
    session = {**revisions[0]}
    key = {"pile_id": session["pile_id"], "connector": connector, "trade_no": trade_no}
    record_key = {**key, "trade_no": session["bill_number"] or trade_no}
    so_far = _so_far(services, session) if session["life"] == "open" else None
    if so_far is not None:
        session |= _figures_so_far(so_far)
    from_ms, to_ms = window_of(session)
    tariffs = source.ask("session_tariffs", **key).records()
    codes = source.ask("session_codes", **key).first() if session["life"] != "open" else None
    return SessionRecord(
        session=session,
        revisions=revisions,
        bills=source.ask("session_bills", **key).records(),
        codes=codes or {"codes_raw": [], "codes": [], "causes": [], "hits": []},
        uploads=source.ask("session_uploads", **record_key).records(),
        tariffs={row["tariff_version_id"]: row for row in tariffs},
        events=source.ask("session_events", **key, from_ms=from_ms, to_ms=to_ms).records(),
        curve=source.with_client(lambda client: services.curve_of(client, source.scope, session)),
        so_far=so_far,
        starts=source.ask("session_starts", **key, order_ms=session["start_command_ms"]).records(),
        check=source.ask("timeline_check", **key).first(),
        deviations=_deviations(services, session),
        meter=_meter(services, session),
        overlaps=source.ask("session_overlaps", **key).records() if session["overlaps"] else [],
        state_after=source.ask(
            "session_state_after",
            pile_id=session["pile_id"],
            connector=connector,
            end_ms=session["end_ms"],
            to_ms=max(session["end_high_ms"], session["end_ms"]) + JUST_AFTER_MS,
        ).first(),
        other_records=source.ask("session_other_records", **key).records() if _may_go_with_others(session) else [],
    )


def _may_go_with_others(session: dict[str, Any]) -> bool:
    """Whether its record is missing, came under another number, or is all that is known of it."""
    if session["life"] in ("open", "other_number"):
        return bool(session["life"] == "other_number")
    return bool(session["bill_number"]) or not session["has_bill"] or not session["readings"]


def _meter(services: Services, session: dict[str, Any]) -> dict[str, Any] | None:
    """What was learned of its meter, with the reasons; None where everything is configured or nothing was learned."""
    if not session["meter_profile_id"]:
        return None
    return services.source.ask(
        "session_meter",
        profile_id=session["meter_profile_id"],
        pile_id=session["pile_id"],
        connector=session["connector"],
    ).first()


def _deviations(services: Services, session: dict[str, Any]) -> list[dict[str, Any]]:
    """Where the charge left the order of steps, the earliest first."""
    found = services.source.ask(
        "conformance_deviations",
        pile=session["pile"],
        trade_no=session["trade_no"],
        from_day=session["local_day"] - _DAYS_OFF,
        to_day=session["local_day"] + _DAYS_OFF,
        limit=MOST_DEVIATIONS,
    ).records()
    return [row for row in reversed(found) if row["connector"] == session["connector"]]


def _so_far(services: Services, session: dict[str, Any]) -> SoFar | None:
    """What the last reading of a charge under way says."""
    from_ms, _to_ms = window_of(session)
    found = services.source.ask(
        "session_now",
        pile_id=session["pile_id"],
        connector=session["connector"],
        **trade_key(session["trade_no"]),
        from_ms=from_ms,
        now_ms=services.now_ms(),
    ).first()
    return msgspec.convert(found, SoFar) if found else None


def _figures_so_far(so_far: SoFar) -> dict[str, Any]:
    """What stands still on the revision of a charge under way, as its last reading has it, or not known yet."""
    return {
        "end_ms": so_far.charging_ms or so_far.last_ms,
        "best_e4kwh": so_far.energy_e4kwh,
        "counter_energy_e4kwh": so_far.counter_e4kwh,
        "counter_last_ms": so_far.last_ms,
        "power_energy_e4kwh": None,
        "naive_energy_e4kwh": None,
        "longest_gap_ms": 0,
        "flags": [],
    }
