"""What the serving path must know of each charger: a plain, replaceable snapshot of the master data."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

import msgspec

from core.tariff_version import TariffVersion

UNASSIGNED_OPERATOR_ID = 1
OPEN_END_MS = 2**63 - 1


class Ownership(msgspec.Struct, frozen=True):
    """`operator_id` owns the charger from `from_ms` until before `to_ms`; `operator` is its key in the master data."""

    operator_id: int
    from_ms: int
    to_ms: int = OPEN_END_MS
    operator: str = ""


class Pile(msgspec.Struct, frozen=True):
    """One charger. `tariffs` are the versions valid by date for its station, in the order of `from_ms`.

    `gun_letters`: each gun has a connection of its own and logs in as the code with a letter behind it, A for the first
    (aaf5.md section 6). `learns`: what of its meter nobody configured, so that the values here are only assumed: any of
    quantum, rated_power, register (its kind), digits. `model` and `station` are their keys in the master data.
    `stops_offline`: a connector stops charging when its link is lost.
    """

    pile_id: int
    code: str
    protocol: str
    station_id: int
    zone: str
    connectors: int
    rated_power_w: int
    register_kind: str
    quantum_e4kwh: int
    register_digits: int
    occupancy_grace_ms: int
    commissioned_ms: int
    current_kind: str
    owners: tuple[Ownership, ...]
    tariffs: tuple[TariffVersion, ...]
    gun_letters: bool = False
    learns: tuple[str, ...] = ()
    model: str = ""
    station: str = ""
    stops_offline: bool = False

    def operator_at(self, event_ms: int) -> int:
        """The owner at that moment (DESIGN invariant 9), `UNASSIGNED_OPERATOR_ID` when nobody owned it."""
        owner = self._owner_at(event_ms)
        return owner.operator_id if owner else UNASSIGNED_OPERATOR_ID

    def operator_key_at(self, event_ms: int) -> str:
        """The key of the owner at that moment, empty when nobody owned it."""
        owner = self._owner_at(event_ms)
        return owner.operator if owner else ""

    def _owner_at(self, event_ms: int) -> Ownership | None:
        return next((owner for owner in self.owners if owner.from_ms <= event_ms < owner.to_ms), None)

    def tariff_at(self, event_ms: int) -> TariffVersion | None:
        """The version valid by date at that moment, None before the first."""
        position = bisect_right([version.from_ms for version in self.tariffs], event_ms)
        return self.tariffs[position - 1] if position else None


class PileDirectory:
    """All chargers by their code and by their number; `replace` swaps the snapshot."""

    def __init__(self, piles: Iterable[Pile] = ()) -> None:
        self.replace(piles)

    def replace(self, piles: Iterable[Pile]) -> None:
        """Take `piles` as the whole truth from now on."""
        self._by_id = {pile.pile_id: pile for pile in piles}
        self._by_code = {pile.code: pile for pile in self._by_id.values()}

    def add(self, pile: Pile) -> None:
        """Add one charger, or put a newer record in its place."""
        self._by_id[pile.pile_id] = pile
        self._by_code[pile.code] = pile

    def by_code(self, code: str) -> Pile | None:
        """The charger with that id on the wire, None when unknown."""
        return self._by_code.get(code)

    def by_wire_code(self, code: str, protocol: str = "") -> tuple[Pile, int] | None:
        """The charger that goes by this id on the wire, and the connector that its letter names (0 = it has none).

        A letter is taken off only where the master data says that the charger's guns have one (aaf5.md section 6).
        `protocol` is the one that the code came by, for a directory that takes in chargers it does not know.
        """
        pile = self._by_code.get(code)
        if pile is not None:
            return pile, 0
        pile = self._by_code.get(code[:-1])
        if pile is None or not pile.gun_letters or not "A" <= code[-1] <= "Z":
            return None
        return pile, ord(code[-1]) - ord("A") + 1

    def by_id(self, pile_id: int) -> Pile | None:
        """The charger with that number in the SQL database, None when unknown."""
        return self._by_id.get(pile_id)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Pile]:
        return iter(self._by_id.values())
