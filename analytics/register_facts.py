"""What is known of the absolute register of a session beside its own charging readings: its last words, the one before.

An idle AAF5 charger repeats its last session until the next begins (aaf5.md section 4). Its first words after a charge
supply the end of that charge and nothing else; later ones may hold what the meter counted since. The counter of a YKC
charger restarts with each session by the protocol; where the meter's own register stands in its place, what it showed
before the charge is asked for as well.
"""

from collections import defaultdict

import numpy as np
from clickhouse_driver import Client

from analytics.meter_profiles import meter_of
from analytics.session_facts import (
    CHARGING,
    DEVICE_COLUMNS,
    LONGEST_KEPT_MS,
    READING_COLUMNS,
    PreviousEnd,
    SessionFacts,
    wanted_table,
)
from analytics.sql_files import sql_text
from analytics.thresholds import HOUR_MS, MINUTE_MS
from core.directory import Pile
from core.meter.profile import W_MS_PER_E4KWH, MeterProfile
from core.meter.reading_times import LONGEST_CHARGE_MINUTES
from core.meter.readings import Bools, ReadingArrays, in_order
from core.meter.scale import AS_SHOWN, scale_of

MOST_WORDS = 1_000
LAST_WORDS_MS = 60_000
"""A register is refreshed within that time after the end; what is said later is not of the charge."""
LOOK_BACK_MS = 7 * 24 * HOUR_MS
SURELY_APART = 3
_BEFORE_MS = 36 * HOUR_MS
"""A pause shows words between charging readings; none is older than the longest charge."""
_IDLE = 2
_PLUGGED = 1


def reads_register(pile: Pile) -> bool:
    """Whether the sessions of this charger are measured by the absolute register of its readings (AAF5 104)."""
    return pile.protocol == "aaf5" and pile.register_kind != "session"


class RegisterFactsReader:
    """Adds the last words and the previous end to sessions whose readings are placed in time, and their meter known."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(self, facts: list[SessionFacts]) -> None:
        """Does nothing for sessions that did not charge, and for counters that restart with each session."""
        charges = [one for one in facts if one.pile.protocol == "aaf5" and one.last_charging_ms]
        if charges:
            self._add_last_words(charges)
        self._add_previous_ends([one for one in facts if one.last_charging_ms and _lacks_its_begin(one)])

    def _add_last_words(self, charges: list[SessionFacts]) -> None:
        since = [int(one.readings["event_ms"].min()) - _BEFORE_MS for one in charges]
        until = [one.last_charging_ms + LONGEST_KEPT_MS for one in charges]
        absolute = frozenset(one.key for one in charges if reads_register(one.pile))
        words: dict[int, list[tuple[int, ...]]] = defaultdict(list)
        for number, *word in self._client.execute(
            sql_text("session_last_words"),
            {"from_ms": min(since), "to_ms": max(until), "most_words": MOST_WORDS},
            external_tables=wanted_table([one.key for one in charges], since, absolute, to_ms=until),
        ):
            words[number].append(tuple(word))
        for number, spoken in words.items():
            one = charges[number]
            after = [word for word in spoken if word[0] > one.last_charging_ms]
            if after:
                _append(one, [word for word in after if word[0] - after[0][0] <= LAST_WORDS_MS])

    def _add_previous_ends(self, lacking: list[SessionFacts]) -> None:
        if not lacking:
            return
        starts, behind = zip(*(_first_charging(one) for one in lacking), strict=True)
        rows = self._client.execute(
            sql_text("session_previous"),
            {
                "from_ms": min(starts) - LOOK_BACK_MS,
                "to_ms": max(starts),
                "look_back_ms": LOOK_BACK_MS,
                "longest_charge_ms": LONGEST_CHARGE_MINUTES * MINUTE_MS,
            },
            external_tables=wanted_table(
                [one.key for one in lacking],
                starts,
                frozenset(one.key for one in lacking if reads_register(one.pile)),
                behind_ms=behind,
                by_record=[one.pile.protocol == "aaf5" or one.pile.register_kind == "lifetime" for one in lacking],
            ),
        )
        found = {number: PreviousEnd(at_ms, register, bool(over)) for number, at_ms, register, over in rows}
        for number, one in enumerate(lacking):
            one.previous_end = found.get(number, PreviousEnd(0, 0))


def _append(facts: SessionFacts, words: list[tuple[int, ...]]) -> None:
    """The words as readings of a connector that does not charge: `take_end` of the calculator judges them."""
    columns: dict[str, list[int]] = {name: [0] * len(words) for name in (*READING_COLUMNS, *DEVICE_COLUMNS)}
    columns["event_ms"] = columns["receive_ms"] = [word[0] for word in words]
    columns["counter_e4kwh"] = [word[1] for word in words]
    columns["before_e4kwh"] = [word[2] for word in words]
    columns["session_e4kwh"] = [word[3] for word in words]
    columns["state"] = [_IDLE] * len(words)
    columns["plugged"] = [_PLUGGED] * len(words)
    facts.readings = {
        name: np.concatenate((values, np.array(columns[name], dtype=np.int64)))
        for name, values in facts.readings.items()
    }
    if facts.stored is not None:
        facts.stored = np.concatenate((facts.stored, np.zeros(len(words), dtype=np.uint8)))


def _first_charging(facts: SessionFacts) -> tuple[int, int]:
    """When the first charging reading was taken, and how far behind that the charger's own time was."""
    charging = np.flatnonzero(facts.readings["state"] == CHARGING)
    event_ms = facts.readings["event_ms"][charging]
    if facts.pile.protocol != "aaf5":
        return int(event_ms.min()), 0
    start_ms, duration_s = (facts.readings[name][charging] for name in ("start_ms", "duration_s"))
    first = int(np.lexsort([duration_s, start_ms, event_ms])[0])
    told_ms = int(start_ms[first]) + int(duration_s[first]) * 1_000
    return int(event_ms[first]), int(event_ms[first]) - told_ms if start_ms[first] else 0


def _lacks_its_begin(facts: SessionFacts) -> bool:
    """No reading says where the register stood at the begin, or the register cannot have come from there.

    Nor do readings in another unit say it: only the end before shows by how much they are off.
    """
    if not reads_register(facts.pile):
        return facts.pile.protocol != "aaf5" and meter_of(facts.pile, facts.learned).profile.register_kind != "session"
    charging = facts.readings["state"] == CHARGING
    before = facts.readings["before_e4kwh"][charging]
    risen = facts.readings["counter_e4kwh"][charging] - before
    profile = MeterProfile.of_pile(facts.pile)
    duration_ms = int(facts.readings["duration_s"][charging].max()) * 1_000 + profile.time_tolerance_ms
    reach = profile.energy_at_pmax(duration_ms) + 2 * profile.quantum_e4kwh
    can_be = (before > 0) & (risen >= -2 * profile.quantum_e4kwh) & (risen <= reach)
    return not bool(can_be.any()) or _is_in_another_unit(facts, charging, profile)


def _is_in_another_unit(facts: SessionFacts, charging: Bools, profile: MeterProfile) -> bool:
    registers, event_ms, power_w = (facts.readings[name][charging] for name in ("counter_e4kwh", "event_ms", "power_w"))
    shown = registers[registers > 0]
    if not len(shown):
        return False
    risen = int(shown.max() - shown.min())
    flowed = int(power_w.mean()) * int(event_ms.max() - event_ms.min()) // W_MS_PER_E4KWH
    # a power of ten apart in each part is more than that in all; most charges need no second look
    if flowed <= SURELY_APART * risen and risen <= SURELY_APART * flowed:
        return False
    ordered = in_order(ReadingArrays.of(**facts.readings, stored=facts.stored).take(charging))
    return scale_of(ordered.readings.take(ordered.kept), profile, 0, 0) != AS_SHOWN
