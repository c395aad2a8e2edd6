"""By what meter a session is measured: what its model says, what was learned of it, and what is only assumed.

A learned row holds from its moment on until the next one of the same connector; a session is measured by the one in
force when it began, by event time (anomaly-codes.md, "Common definitions"). What was not learned by then stays as it is
assumed in the master data, and the session's own readings may say better: a coarser quantum
(`core.meter.profile.MeterProfile.as_counted`), or more power than was thought possible.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from clickhouse_driver import Client

from analytics.session_facts import CHARGING, NOTHING_LEARNED, LearnedMeter, SessionFacts, SessionKey
from analytics.sql_files import sql_text
from core.directory import Pile
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile

PMAX_PERCENT = 110
"""Pmax = rated power x 1.10 (anomaly-codes.md, "Common definitions")."""
STOPS_WITHIN_MS = 30_000
"""Of a connector that stops when its link is lost (metering.md, "gap at tail")."""
HIGHEST_RATED_W = 360_000
"""What is assumed of no connector more than: both halves of a charger of two guns at one (the same definitions)."""
ENOUGH_READINGS = 5
LONE_WORDS = 2
"""So many of a short charge's highest powers may be spikes."""
AGREE_PERCENT = 25
"""Power by voltage and current and power by the register are two witnesses when they differ by no more."""
_OFF_THE_ENDS = 10  # one tenth


class MeterInForce(NamedTuple):
    """The profile of a session's meter, and where its values come from: configured, learned, session or default."""

    profile: MeterProfile
    quantum_source: str
    pmax_source: str
    register_source: str


class ProfileRow(NamedTuple):
    """What was learned, as stored: `meter` holds for sessions that begin at `valid_from_ms` or later."""

    pile_id: int
    connector: int
    valid_from_ms: int
    computed_ms: int
    meter: LearnedMeter


class MeterProfileReader:
    """Adds to sessions the learned profile of their connector that was in force when they began."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(self, facts: Sequence[SessionFacts], kept: Mapping[SessionKey, int]) -> None:
        """Sets `learned` of each. Asks nothing where the model says everything.

        `kept`: the number of the row for sessions that stay measured by it, 0 = by none.
        """
        learning = [one for one in facts if one.pile.learns]
        if not learning:
            return
        rows = stored_profiles(self._client, {one.key.pile_id for one in learning})
        in_force = {connector: InForce(of_one) for connector, of_one in rows.items()}
        by_number = {row.meter.profile_id: row.meter for of_one in rows.values() for row in of_one}
        for one in learning:
            known = in_force.get((one.key.pile_id, one.key.connector))
            if one.key in kept:
                one.learned = by_number.get(kept[one.key], NOTHING_LEARNED)
            elif known is not None:
                one.learned = known.at(_began_ms(one))


class InForce:
    """The rows of one connector in the order of time.

    A row that says the same as the one before adds nothing: the number of the first one stands for both, so that it
    does not depend on the order in which days became known.
    """

    def __init__(self, rows: Iterable[ProfileRow]) -> None:
        self._from_ms: list[int] = []
        self._meters: list[LearnedMeter] = []
        for from_ms, meter in latest_rows(rows):
            if not self._meters or values_of(meter) != values_of(self._meters[-1]):
                self._from_ms.append(from_ms)
                self._meters.append(meter)

    def at(self, event_ms: int) -> LearnedMeter:
        """What was known by that moment."""
        place = bisect_right(self._from_ms, event_ms)
        return self._meters[place - 1] if place else NOTHING_LEARNED


def latest_rows(rows: Iterable[ProfileRow]) -> list[tuple[int, LearnedMeter]]:
    """The rows of one connector by the moment from which they hold; of two of one moment the later made one."""
    ordered = sorted(rows, key=lambda row: (row.computed_ms, row.meter.profile_id))
    return sorted({row.valid_from_ms: row.meter for row in ordered}.items(), key=lambda one: one[0])


def values_of(meter: LearnedMeter) -> tuple[str, int, int, int]:
    """What a row says, without its number."""
    return meter.register_kind, meter.quantum_e4kwh, meter.pmax_w, meter.register_digits


def stored_profiles(client: Client, pile_ids: Iterable[int]) -> dict[tuple[int, int], list[ProfileRow]]:
    """All rows of these chargers by (pile, connector)."""
    table = [{"name": "piles", "structure": [("pile_id", "UInt32")], "data": [{"pile_id": one} for one in pile_ids]}]
    found: dict[tuple[int, int], list[ProfileRow]] = defaultdict(list)
    for pile_id, connector, from_ms, computed_ms, *meter in client.execute(
        sql_text("meter_profiles"), external_tables=table
    ):
        found[pile_id, connector].append(ProfileRow(pile_id, connector, from_ms, computed_ms, LearnedMeter(*meter)))
    return found


def meter_in_force(facts: SessionFacts) -> MeterInForce:
    """The meter of one session: configured values first, then learned ones, then what is assumed.

    Where nobody configured the power, the session's own readings may prove more; where the quantum is only assumed, the
    calculator takes it from them.
    """
    meter = meter_of(facts.pile, facts.learned)
    if "rated_power" in facts.pile.learns:
        proven_w = _proven_pmax_w(facts, meter.profile)
        if proven_w > meter.profile.pmax_w:
            return meter._replace(
                profile=msgspec.structs.replace(meter.profile, pmax_w=proven_w), pmax_source="session"
            )
    return meter


def meter_of(pile: Pile, learned: LearnedMeter) -> MeterInForce:
    """The meter of a connector of which so much was learned, before any reading of the session is looked at."""
    profile = MeterProfile.of_pile(pile)
    if pile.stops_offline:
        profile = msgspec.structs.replace(profile, stops_offline_ms=STOPS_WITHIN_MS)
    if not pile.learns:
        return MeterInForce(profile, "configured", "configured", "configured")
    quantum = learned.quantum_e4kwh if "quantum" in pile.learns else 0
    pmax_w = learned.pmax_w if "rated_power" in pile.learns else 0
    kind = learned.register_kind if "register" in pile.learns else ""
    digits = learned.register_digits if "digits" in pile.learns else 0
    profile = msgspec.structs.replace(
        profile,
        quantum_e4kwh=quantum or profile.quantum_e4kwh,
        pmax_w=pmax_w or profile.pmax_w,
        register_kind=kind or profile.register_kind,
        digits=digits or profile.digits,
        quantum_is_assumed="quantum" in pile.learns and not quantum,
    )
    return MeterInForce(
        profile,
        _source(pile.learns, ("quantum",), quantum),
        _source(pile.learns, ("rated_power",), pmax_w),
        _source(pile.learns, ("register", "digits"), kind or digits),
    )


def _source(learns: Sequence[str], names: Sequence[str], learned: object) -> str:
    if learned:
        return "learned"
    return "default" if any(name in learns for name in names) else "configured"


def _began_ms(facts: SessionFacts) -> int:
    """When the session began: its first charging reading, else its record, else its order."""
    charging = facts.readings["event_ms"][facts.readings["state"] == CHARGING]
    if charging.size:
        return int(charging.min())
    if facts.bill is not None:
        return facts.bill.start_ms if facts.bill.told else facts.bill.receive_ms
    return facts.ordered_ms


def _proven_pmax_w(facts: SessionFacts, profile: MeterProfile) -> int:
    """Pmax by the session's own readings, 0 where they do not prove more than the profile allows.

    Nobody configured a limit, so the one that was learned of earlier vehicles, or assumed, refutes no reading on which
    two instruments agree: the power of voltage and current, kept up by a twentieth of the readings and by more than
    two, and the rise of the register, which must be the same within a quarter. The
    ends are left out, and the values put in their order, so that zeros and spikes of the register weigh nothing.
    """
    charging = np.flatnonzero(facts.readings["state"] == CHARGING)
    size = len(charging)
    if size < ENOUGH_READINGS:
        return 0
    power_w = np.sort(facts.readings["power_w"][charging])
    kept_up_w = int(power_w[size - 1 - max(size // 20, LONE_WORDS)])
    if kept_up_w * PMAX_PERCENT // 100 <= profile.pmax_w:
        return 0
    event_ms = np.sort(facts.readings["event_ms"][charging])
    register = np.sort(facts.readings["counter_e4kwh"][charging])
    first, last = size // _OFF_THE_ENDS, size - 1 - size // _OFF_THE_ENDS
    elapsed_ms = int(event_ms[last] - event_ms[first])
    risen = int(register[last] - register[first])
    if elapsed_ms <= 0:
        return 0
    flowed = int(power_w[first : last + 1].sum()) * elapsed_ms // (last + 1 - first) // W_MS_PER_E4KWH
    if abs(risen - flowed) * 100 > flowed * AGREE_PERCENT:
        return 0
    return min(kept_up_w, HIGHEST_RATED_W) * PMAX_PERCENT // 100
