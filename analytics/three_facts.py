"""The three facts of a charge side by side, and why they differ: charger says, platform measured, finally billed.

DESIGN invariant 10: the three are kept apart, and every correction names its cause. A difference is explained by what
the revision says of itself: its interval, its flags, the hits of its codes, the rule that chose the final figure.
Requirements A07 and S17.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec

from core.meter.final_figure import PLAIN_COMPARISON, Comparison, net_energy
from core.slots import largest_remainder
from core.tariff import price_slots

Unit = Literal["e4kwh", "ms", "at", "fen", "e4yuan", "w", "count", "flags", "text", "word"]
Value = tuple[Unit, Any]
Tariffs = Mapping[int, Mapping[str, Any]]
"""Rows of question `session_tariffs` by their version."""

SILENCES: Final = ("GAP", "TAIL_GAP")
"""Flags that change no total of what was read."""
E4YUAN_PER_FEN: Final = 100
PROPOSAL_ONLY: Final = 5
"""The rule of the final figure that bills nothing by itself."""
STARTING_AND_STOPPING_MS: Final = 60_000
"""A record spans 13 to 51 s more than the charging state (metering.md, what real chargers do)."""
WIDENING_FLAGS: Final = (
    *("LATE_BASELINE", "AMBIGUOUS", "JUMP", "ROLLBACK", "RESET", "FROZEN", "STANDSTILL", "TAIL_GAP"),
    *("MISSING_DATA", "POWER_RATING_DOUBTFUL"),
)
"""Flags that widen the interval of a measurement beyond the resolution of its meter."""
REPLACING_FLAGS: Final = (
    *("ZERO_BASELINE", "ZERO_READ", "BASELINE_PREV_END", "BASELINE_BILL_START", "BASELINE_BACKCAST", "SPIKE"),
    *("ROLLOVER", "SCALE", "OUT_OF_ORDER", "CONFLICT", "GAP"),
)
"""Flags of readings that the naive difference takes as they are."""


class Cause(msgspec.Struct, frozen=True):
    """Why two figures differ, or that they agree: a key of the catalogue under `why.` and what fills its places."""

    key: str
    values: dict[str, Value] = {}


class ComparedFact(msgspec.Struct, frozen=True):
    """One fact of a charge in its three forms, None = not known; the causes in the order in which they matter."""

    name: Literal["energy", "duration", "money"]
    unit: Unit
    charger: int | None
    platform: int | None
    billed: int | None
    causes: tuple[Cause, ...]

    @property
    def spread(self) -> int | None:
        """Charger less platform where both are known."""
        return None if self.charger is None or self.platform is None else self.charger - self.platform


class Witness(msgspec.Struct, frozen=True):
    """Another figure for the same energy beside what is billed: S17.

    `agrees`: within the tolerance of what is billed; None where there is nothing to compare.
    """

    name: Literal["naive", "counter", "power", "record_registers", "record_parts"]
    energy_e4kwh: int
    tolerance_e4kwh: int
    difference_e4kwh: int | None
    agrees: bool | None


def three_facts(
    session: Mapping[str, Any],
    upload: Mapping[str, Any] | None,
    bill: Mapping[str, Any] | None,
    tariffs: Tariffs,
    hits: Sequence[Sequence[Any]] = (),
) -> list[ComparedFact]:
    """Energy, duration and money of a charge that is over. `hits`: those of question `session_codes`."""
    return [
        _energy(session, upload, bill, hits),
        _duration(session, upload, bill, hits),
        _money(session, upload, bill, tariffs),
    ]


def witnesses(session: Mapping[str, Any], upload: Mapping[str, Any] | None, billed_e4kwh: int | None) -> list[Witness]:
    """What else speaks of the energy, each against the figure that is billed or proposed.

    Counter and register are given as far as they reach the meter of the record.
    """
    comparison = comparison_of(session)
    counter, naive = session["counter_energy_e4kwh"], comparison.behind(session["naive_energy_e4kwh"])
    found: dict[Any, tuple[int | None, int]] = {
        "counter": (None if counter is None else comparison.behind(counter), 0),
        "power": (session["power_energy_e4kwh"] or None, (session["power_energy_e4kwh"] or 0) // 20),
        "naive": (naive if session["charging_readings"] else None, 0),
    }
    if upload is not None:
        start, end = upload["bill_meter_start_e4kwh"], upload["bill_meter_end_e4kwh"]
        found["record_registers"] = (end - start if end else None, 0)
        found["record_parts"] = (_parts_e4kwh(session, upload) or None, 0)
    result = []
    for name, (energy, play) in found.items():
        if energy is None:
            continue
        tolerance = max(comparison.tolerance(billed_e4kwh or energy), play, 2 * session["quantum_e4kwh"])
        difference = None if billed_e4kwh is None else energy - billed_e4kwh
        agrees = None if difference is None else abs(difference) <= tolerance
        result.append(Witness(name, energy, tolerance, difference, agrees))
    return result


def _parts_e4kwh(session: Mapping[str, Any], upload: Mapping[str, Any]) -> int:
    """The sum of the record's rate classes or, where it tells none, of its half-hours."""
    return sum(upload["bill_class_energy_e4kwh"]) or sum(session["bill_half_hour_e4kwh"])


def comparison_of(session: Mapping[str, Any]) -> Comparison:
    """How its record was held against its readings; the plain way where the thresholds of a revision were not kept."""
    if session.get("energy_tolerance_e4kwh") is None:
        return PLAIN_COMPARISON
    return Comparison(session["energy_tolerance_e4kwh"], session["energy_tolerance_share_e4"], session["efficiency_e4"])


def price_of(
    energy_e4kwh: int,
    bill: Mapping[str, Any] | None,
    session: Mapping[str, Any],
    tariffs: Tariffs,
) -> int | None:
    """What an energy would cost over the half-hours of the bill, in the same proportions, in fen.

    By the one price function (DESIGN invariant 5); None without half-hours of a known tariff.
    """
    if bill is None or energy_e4kwh < 0:
        return None
    weights, classes = bill["slot_energy_e4kwh"], bill["slot_class"]
    versions = session["slot_tariff_version"]
    if not sum(weights) or len(versions) != len(weights) or not all(version in tariffs for version in versions):
        return bill["amount_fen"] if energy_e4kwh == bill["final_energy_e4kwh"] else None
    prices = [
        (tariffs[version]["electricity_price_e5yuan"][rate], tariffs[version]["service_price_e5yuan"][rate])
        for version, rate in zip(versions, classes, strict=True)
    ]
    slots = largest_remainder(energy_e4kwh, weights)
    return price_slots(slots, [price[0] for price in prices], [price[1] for price in prices]).amount_fen


def _energy(
    session: Mapping[str, Any],
    upload: Mapping[str, Any] | None,
    bill: Mapping[str, Any] | None,
    hits: Sequence[Sequence[Any]],
) -> ComparedFact:
    charger = None if upload is None else upload["bill_energy_e4kwh"]
    best = session["best_e4kwh"] if session["quality"] != "MISSING" else None
    causes: list[Cause] = []
    if charger is None:
        causes.append(_no_record(session))
    else:
        causes += _charger_against_platform(session, charger, hits)
    if session["bill_loss_energy_e4kwh"]:
        causes.append(Cause("losses", {"energy": ("e4kwh", session["bill_loss_energy_e4kwh"])}))
    comparison = comparison_of(session)
    if comparison.efficiency_e4 and best is not None:
        causes.append(Cause("efficiency", {"behind": ("e4kwh", comparison.behind(best))}))
    causes += _naive_against_platform(session)
    if bill is not None:
        causes.append(Cause(f"rule.{bill['final_rule']}"))
        if bill["held"] and bill["final_rule"] != PROPOSAL_ONLY:
            causes.append(Cause("held"))
    return ComparedFact("energy", "e4kwh", charger, best, bill["final_energy_e4kwh"] if bill else None, tuple(causes))


def _no_record(session: Mapping[str, Any]) -> Cause:
    state = session["bill_state"]
    return Cause(f"record.{state}" if state in ("waiting", "overdue", "lost", "lost_offline") else "record.none")


def _charger_against_platform(session: Mapping[str, Any], charger: int, hits: Sequence[Sequence[Any]]) -> list[Cause]:
    comparison = comparison_of(session)
    charger = net_energy(charger, session["bill_loss_energy_e4kwh"])
    best, low, high = (comparison.behind(session[name]) for name in ("best_e4kwh", "low_e4kwh", "high_e4kwh"))
    quantum, tolerance = session["quantum_e4kwh"], comparison.tolerance(charger)
    bounds: dict[str, Value] = {"low": ("e4kwh", low), "high": ("e4kwh", high)}
    if session["quality"] == "MISSING":
        return [Cause("unmeasured", {"high": ("e4kwh", high)})]
    if charger == best:
        return [Cause("equal")]
    if low <= charger <= high:
        if abs(charger - best) <= quantum:
            return [Cause("resolution", {"quantum": ("e4kwh", quantum)})]
        return [Cause("inside", bounds), *_flagged("wide", session, WIDENING_FLAGS)]
    beyond = charger - high if charger > high else charger - low
    if abs(beyond) <= tolerance:
        return [Cause("tolerance", {**bounds, "beyond": ("e4kwh", beyond), "tolerance": ("e4kwh", tolerance)})]
    causes = [Cause("outside", {**bounds, "beyond": ("e4kwh", beyond)})]
    causes += [Cause("named", {"cause": ("word", f"cause.{name}")}) for name in _causes_of(hits, (4, 8, 11))]
    if session["quality"] == "QUESTIONABLE":
        causes += _flagged("untrusted", session, WIDENING_FLAGS)
    return causes


def _naive_against_platform(session: Mapping[str, Any]) -> list[Cause]:
    """Why the register's last less its first reading is not what was measured."""
    naive, best = session["naive_energy_e4kwh"], session["best_e4kwh"]
    if session["quality"] == "MISSING" or session["charging_readings"] < 2:
        return []
    if abs(naive - best) <= max(2 * session["quantum_e4kwh"], comparison_of(session).tolerance(best) // 10):
        return []
    said: dict[str, Value] = {"naive": ("e4kwh", naive), "gap": ("e4kwh", best - naive)}
    rules = [flag for flag in session["flags"] if flag in (*REPLACING_FLAGS, *WIDENING_FLAGS) and flag not in SILENCES]
    if rules:
        return [Cause("naive", {**said, "rules": ("flags", rules)})]
    return [Cause("naive_late", said)]


def _flagged(key: str, session: Mapping[str, Any], wanted: Iterable[str]) -> list[Cause]:
    rules = [flag for flag in session["flags"] if flag in tuple(wanted)]
    return [Cause(key, {"rules": ("flags", rules)})] if rules else []


def _causes_of(hits: Sequence[Sequence[Any]], codes: Sequence[int]) -> list[str]:
    """The named causes of hits of these codes, each once, those that stay first."""
    ordered = sorted((hit for hit in hits if hit[0] in codes and hit[3]), key=lambda hit: hit[1] != "corrected")
    return list(dict.fromkeys(hit[3] for hit in ordered))


def _duration(
    session: Mapping[str, Any],
    upload: Mapping[str, Any] | None,
    bill: Mapping[str, Any] | None,
    hits: Sequence[Sequence[Any]],
) -> ComparedFact:
    usable = upload is not None and upload["bill_start_ms"] > 0 and upload["bill_end_ms"] > 0
    charger = upload["bill_end_ms"] - upload["bill_start_ms"] if upload is not None and usable else None
    platform = session["end_ms"] - session["start_ms"] if session["charging_readings"] else None
    billed = bill["end_ms"] - bill["start_ms"] if bill else None
    causes: list[Cause] = []
    if upload is None:
        causes.append(_no_record(session))
    elif charger is None:
        causes.append(Cause("no_times"))
    if charger is not None and platform is not None:
        causes += _span_causes(session, charger - platform, hits)
    if session["end_high_ms"] - session["end_low_ms"] > STARTING_AND_STOPPING_MS:
        unseen = session["end_high_ms"] - session["end_low_ms"]
        causes.append(Cause("end_unseen", {"length": ("ms", unseen)}))
    told_ms = session["bill_duration_s"] * 1_000
    if charger is not None and told_ms and abs(told_ms - charger) > STARTING_AND_STOPPING_MS:
        causes.append(Cause("duration_field", {"told": ("ms", told_ms)}))
    return ComparedFact("duration", "ms", charger, platform, billed, tuple(causes))


def _span_causes(session: Mapping[str, Any], gap_ms: int, hits: Sequence[Sequence[Any]]) -> list[Cause]:
    if abs(gap_ms) < 1_000:
        return [Cause("equal")]
    causes = []
    if 0 < gap_ms <= STARTING_AND_STOPPING_MS:
        causes.append(Cause("starting_and_stopping"))
    for name in ("unobserved_start_ms", "unobserved_end_ms", "outage_ms"):
        if session[name] > STARTING_AND_STOPPING_MS:
            causes.append(Cause(name.removesuffix("_ms"), {"length": ("ms", session[name])}))
    if session["clock_step_ms"] > STARTING_AND_STOPPING_MS:
        causes.append(Cause("clock_step", {"length": ("ms", session["clock_step_ms"])}))
    elif abs(session["clock_offset_ms"]) > STARTING_AND_STOPPING_MS:
        causes.append(Cause("clock_off", {"length": ("ms", abs(session["clock_offset_ms"]))}))
    stays = next((hit for hit in hits if hit[0] == 9 and hit[1] == "corrected"), None)
    if stays is not None:
        causes.append(Cause("span_differs", {"limit": ("ms", stays[5])}))
    elif not causes:
        causes.append(Cause("span_tolerance"))
    return causes


def _money(
    session: Mapping[str, Any],
    upload: Mapping[str, Any] | None,
    bill: Mapping[str, Any] | None,
    tariffs: Tariffs,
) -> ComparedFact:
    charger = None if upload is None else upload["bill_amount_e4yuan"]
    billed = None if bill is None or bill["amount_fen"] is None else bill["amount_fen"] * E4YUAN_PER_FEN
    measured = price_of(session["best_e4kwh"], bill, session, tariffs) if session["quality"] != "MISSING" else None
    platform = None if measured is None else measured * E4YUAN_PER_FEN
    causes: list[Cause] = []
    if upload is None:
        causes.append(_no_record(session))
    if bill is not None and billed is None:
        causes.append(Cause("no_tariff"))
    if upload is not None and bill is not None and charger is not None and billed is not None:
        causes += _amount_causes(session, upload, bill, tariffs, charger - billed)
    if bill is not None and platform is not None and billed is not None and platform != billed:
        causes.append(Cause("priced_alike", {"gap": ("e4yuan", platform - billed)}))
    return ComparedFact("money", "e4yuan", charger, platform, billed, tuple(causes))


def _amount_causes(
    session: Mapping[str, Any],
    upload: Mapping[str, Any],
    bill: Mapping[str, Any],
    tariffs: Tariffs,
    gap_e4yuan: int,
) -> list[Cause]:
    """What of a difference in money is energy, what is prices, and what is the rounding of each half-hour."""
    rounding = E4YUAN_PER_FEN * max(1, len(bill["slot_of_day"]))
    if abs(gap_e4yuan) <= rounding:
        return [Cause("rounding", {"gap": ("e4yuan", gap_e4yuan)}) if gap_e4yuan else Cause("equal")]
    causes: list[Cause] = []
    if not upload["bill_amount_e4yuan"] and upload["bill_energy_e4kwh"]:
        return [Cause("unpriced")]
    energy = upload["bill_energy_e4kwh"]
    at_ours = price_of(energy, bill, session, tariffs)
    parts = _parts_e4kwh(session, upload)
    of_parts = price_of(parts, bill, session, tariffs) if parts and parts != energy else None
    told_fen = upload["bill_amount_e4yuan"] // E4YUAN_PER_FEN
    if at_ours is not None and of_parts is not None and abs(of_parts - told_fen) < abs(at_ours - told_fen):
        causes.append(Cause("by_parts", {"parts": ("e4kwh", parts), "total": ("e4kwh", energy)}))
        at_ours = of_parts
    by_energy = 0 if at_ours is None else (at_ours - bill["amount_fen"]) * E4YUAN_PER_FEN
    if by_energy:
        causes.append(Cause("by_energy", {"gap": ("e4yuan", by_energy)}))
    rest = gap_e4yuan - by_energy
    if abs(rest) > rounding:
        causes.append(Cause("by_prices_stale" if bill["tariff_stale"] else "by_prices", {"gap": ("e4yuan", rest)}))
    return causes
