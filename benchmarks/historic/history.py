"""Everything that the chargers of the historic fleet ever said, in the order of time."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from benchmarks.historic import aaf5_frames, ykc_frames
from benchmarks.historic.aaf5_frames import Aaf5Encoder
from benchmarks.historic.allotment import allot, allot_evenly
from benchmarks.historic.causes import Recipe
from benchmarks.historic.charges import FROM_MS, Charges, Ints
from benchmarks.historic.fleet import Charger, fleet_for
from benchmarks.historic.making import make_charges
from benchmarks.historic.moments import Kind, Moments, moments_of
from benchmarks.historic.names import connection_name, connection_numbers
from benchmarks.historic.table import Wanted
from benchmarks.historic.wire import as_objects
from benchmarks.historic.ykc_frames import YkcEncoder

Frame = tuple[int, str, bytes]

PLATFORM_KINDS: Final = (Kind.LOGIN_ACK, Kind.RECORD_ACK)
CHARGES_AT_ONCE: Final = 12_000
LOGIN_EVERY_MS: Final = 50


class History(msgspec.Struct):
    """A fleet and its charges. `recipes` tell how the bills were meant; no frame reads them."""

    chargers: tuple[Charger, ...]
    charges: Charges
    recipes: list[Recipe]

    @property
    def whole_kwh_from(self) -> int:
        """The number of the first charger with whole-kWh meters."""
        return sum(not charger.whole_kwh for charger in self.chargers)


def make_history(wanted: Wanted, seed: int) -> History:
    """The charges for a table; the same arguments give the same history.

    Raises `HistoricError` when the bills do not fit into the period.
    """
    random = np.random.default_rng(seed)
    chargers = fleet_for(wanted.bills, wanted.whole_kwh)
    usual = [charger for charger in chargers if not charger.whole_kwh]
    allotment = allot(wanted, usual, random)
    charges = make_charges(allotment, usual, random)
    whole = chargers[len(usual) :]
    if whole:
        evenly = allot_evenly(wanted.whole_kwh, whole, allotment.stretches, random)
        more = make_charges(evenly, whole, random)
        more.charger += len(usual)
        more.vehicle += int(charges.vehicle.max()) + 1
        charges = charges.joined(more)
    return History(chargers, charges, allotment.recipes)


def frames_between(history: History, first_charger: int, end_charger: int) -> Iterator[Frame]:
    """What the chargers `first_charger` until before `end_charger` said: (epoch ms, connection, frame)."""
    chosen = (history.charges.charger >= first_charger) & (history.charges.charger < end_charger)
    charges = history.charges.take(chosen)
    speaking = _Speaking(history.chargers)
    yield from speaking.first_logins(first_charger, end_charger)
    stretches = np.argsort(charges.stretch, kind="stable")
    borders = np.flatnonzero(np.diff(charges.stretch[stretches])) + 1
    gathered: list[Ints] = []
    for part in np.split(stretches, borders):
        gathered.append(part)
        if sum(map(len, gathered)) >= CHARGES_AT_ONCE:
            yield from speaking.frames(charges.take(np.concatenate(gathered)))
            gathered = []
    if gathered and sum(map(len, gathered)):
        yield from speaking.frames(charges.take(np.concatenate(gathered)))


class _Speaking:
    """Chargers with the running numbers of what they sent."""

    def __init__(self, chargers: Sequence[Charger]) -> None:
        self._chargers = chargers
        self._sent = np.zeros(len(chargers), dtype=np.int64)

    def first_logins(self, first: int, end: int) -> Iterator[Frame]:
        """Each charger logs in once as the period begins."""
        for number in range(first, end):
            charger, at_ms = self._chargers[number], FROM_MS + number * LOGIN_EVERY_MS
            name = connection_name(charger, 1)
            if charger.protocol == "aaf5":
                login = aaf5_frames.login_frame(charger, 1, at_ms)
                ack = aaf5_frames.login_ack_frame(charger, 1, at_ms)
            else:
                login, ack = ykc_frames.login_frame(charger), ykc_frames.login_ack_frame(charger)
            yield at_ms, name, login
            yield at_ms, name, ack

    def frames(self, charges: Charges) -> Iterator[Frame]:
        """What is said of these charges, which are all those of some stretches."""
        moments = moments_of(charges)
        seqs = self._numbered(charges, moments)
        frames = np.empty(len(moments), dtype=object)
        makes = [self._chargers[number].make for number in range(len(self._chargers))]
        kind_of_make = {make.key: make for make in makes}
        make_keys = np.array([make.key for make in makes])[charges.charger]
        for key, make in kind_of_make.items():
            mine = np.flatnonzero(make_keys == key)
            if not len(mine):
                continue
            own = charges.take(mine)
            place = np.full(len(charges), -1)
            place[mine] = np.arange(len(mine))
            theirs = np.flatnonzero(place[moments.of] >= 0)
            spoken = moments.take(theirs)
            spoken.of = place[spoken.of]
            quantum = self._chargers[int(own.charger[0])].quantum_e2kwh
            encoder = (Aaf5Encoder if make.protocol == "aaf5" else YkcEncoder)(own, self._chargers, make, quantum)
            for kind in Kind:
                of_kind = np.flatnonzero(spoken.kind == kind)
                if len(of_kind):
                    at = theirs[of_kind]
                    frames[at] = as_objects(encoder.frames(kind, spoken.take(of_kind), seqs[at]))
        names = self._connections(charges, moments)
        yield from zip(moments.time_ms.tolist(), names, frames.tolist(), strict=True)

    def _numbered(self, charges: Charges, moments: Moments) -> Ints:
        """Running numbers for what chargers send, in the order of time; the platform's frames get none."""
        owner = charges.charger[moments.of]
        own = ~np.isin(moments.kind, PLATFORM_KINDS)
        order = np.flatnonzero(own)[np.argsort(owner[own], kind="stable")]
        counts = np.bincount(owner[order], minlength=len(self._sent))
        first = np.cumsum(counts) - counts
        seqs = np.zeros(len(moments), dtype=np.int64)
        seqs[order] = np.arange(len(order)) - first[owner[order]] + self._sent[owner[order]]
        self._sent += counts
        return seqs

    def _connections(self, charges: Charges, moments: Moments) -> list[str]:
        owner = charges.charger[moments.of]
        numbers = connection_numbers(charges, moments.of, moments.time_ms)
        keys, which = np.unique(owner * 1_000_000 + numbers, return_inverse=True)
        names = [connection_name(self._chargers[key // 1_000_000], key % 1_000_000) for key in keys.tolist()]
        named: list[str] = np.array(names, dtype=object)[which].tolist()
        return named
