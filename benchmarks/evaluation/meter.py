"""What a charger's meter shows of the true energy: whole quanta, over its last digit, and with its errors."""

from typing import Final, Literal

import msgspec
import numpy as np

from benchmarks.evaluation.chargers import Model
from benchmarks.evaluation.charges import TrueCharge
from benchmarks.fleet.power import IntArray

E4_DIGITS: Final = 4
ENDLESS_MS: Final = 2**62

MovedKind = Literal["add", "restart", "rest", "lose"]
ReadKind = Literal["zero", "spike", "scale"]


class Moved(msgspec.Struct, frozen=True):
    """Something that happened to the register itself.

    add: it jumps by `size_e4kwh` at `from_ms`. restart: it counts from `size_e4kwh` at `from_ms`. rest: it stands
    still until `to_ms` and then shows what it should. lose: it stands still until `to_ms` and goes on from there.
    """

    kind: MovedKind
    from_ms: int
    to_ms: int = ENDLESS_MS
    size_e4kwh: int = 0


class Misread(msgspec.Struct, frozen=True):
    """Something that happens to the word of the register on its way, from `from_ms` until before `to_ms`.

    zero: it is lost and reads 0. spike: it reads `size_e4kwh` too much (or too little). scale: the unit is another one,
    it reads `numerator`/`denominator` times too much.
    """

    kind: ReadKind
    from_ms: int
    to_ms: int
    size_e4kwh: int = 0
    numerator: int = 1
    denominator: int = 1


class Meter:
    """The meter of one charge: `base_e4kwh` is where its register truly stands when the energy begins to flow.

    A session counter begins at 0 there; one that is the difference of two registers has the base's fraction.
    """

    def __init__(
        self,
        model: Model,
        charge: TrueCharge,
        base_e4kwh: int,
        moved: tuple[Moved, ...] = (),
        misread: tuple[Misread, ...] = (),
    ) -> None:
        self._model = model
        self._charge = charge
        self._base = base_e4kwh
        self._moved = tuple(sorted(moved, key=lambda event: event.from_ms))
        self._misread = misread

    def register_at(self, times_ms: IntArray) -> IntArray:
        """Where the register stands, to 1e-4 kWh and without end."""
        return self._after(times_ms, len(self._moved))

    def shown_at(self, times_ms: IntArray) -> IntArray:
        """What a reading of each moment says."""
        shown = self._counted(times_ms)
        for misread in self._misread:
            hit = (times_ms >= misread.from_ms) & (times_ms < misread.to_ms)
            if hit.any():
                shown = np.where(hit, self._word(misread, shown), shown)
        return shown

    def _counted(self, times_ms: IntArray) -> IntArray:
        model, quantum = self._model, self._model.quantum_e4kwh
        register = self.register_at(times_ms)
        if model.register == "session":
            fraction = self._base % quantum if model.counter_by_register else 0
            risen = register - self._base + fraction
            return np.maximum(risen // quantum * quantum, 0)
        whole = register // quantum * quantum
        return whole % 10 ** (model.wraps_at_digits + E4_DIGITS) if model.wraps_at_digits else whole

    def _word(self, misread: Misread, shown: IntArray) -> IntArray:
        if misread.kind == "zero":
            return np.zeros_like(shown)
        wire = self._model.wire_e4kwh
        if misread.kind == "scale":
            return shown * misread.numerator // misread.denominator // wire * wire
        return np.maximum(shown + misread.size_e4kwh, 0)

    def _after(self, times_ms: IntArray, events: int) -> IntArray:
        """The register as the first `events` of what happened left it."""
        if events == 0:
            return self._base + self._charge.energy_at(times_ms)
        event = self._moved[events - 1]
        before = self._after(times_ms, events - 1)
        edges = self._after(np.array([event.from_ms, event.to_ms], dtype=np.int64), events - 1)
        began, ended = int(edges[0]), int(edges[1])
        since = times_ms >= event.from_ms
        if event.kind == "add":
            return np.where(since, before + event.size_e4kwh, before)
        if event.kind == "restart":
            return np.where(since, before - began + event.size_e4kwh, before)
        resting = since & (times_ms < event.to_ms)
        missed = ended - began if event.kind == "lose" else 0
        return np.where(resting, began, np.where(since, before - missed, before))
