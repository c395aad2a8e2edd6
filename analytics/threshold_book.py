"""Which thresholds hold for a charge: those of the platform, or what was set for its operator, station or model.

The most special one wins: model before station before operator before platform (anomaly-codes.md, "Thresholds to expose
as configuration"). The digest of the set stands on each revision, so that a bill tells by what it was decided, and a
changed threshold is another input like any other.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from clickhouse_driver import Client

from analytics.errors import AnalyticsError
from analytics.thresholds import PLATFORM_ONLY, Thresholds
from core.directory import Pile

LEVELS: Final = ("operator", "station", "model")
"""In rising order of weight."""
_NAMES: Final = Thresholds.__struct_fields__
_LIMIT: Final = "limit_"

ThresholdTable = Mapping[str, Any]
"""`{name: value, "model": {key: {name: value}}, "station": …, "operator": …}`, as the settings file has it."""


class ThresholdError(AnalyticsError):
    """A threshold that does not exist, or a value that it cannot have."""


class ThresholdBook:
    """Gives the thresholds of each charge."""

    def __init__(self, table: ThresholdTable | Thresholds | None = None) -> None:
        """`ThresholdError` names what is wrong, and the nearest right name."""
        if isinstance(table, Thresholds):
            self.platform, self._special = table, dict[tuple[str, str], dict[str, int]]()
        else:
            values = dict(table or {})
            levels = {level: values.pop(level, {}) for level in LEVELS}
            self.platform = _changed(Thresholds(), values, "thresholds")
            self._special = {
                (level, key): _checked_part(level, key, part)
                for level, parts in levels.items()
                for key, part in _mapping(parts, f"thresholds.{level}").items()
            }
            for (level, key), part in self._special.items():
                _changed(self.platform, part, f"thresholds.{level}.{key}")
        self._known: dict[tuple[str, str, str], Thresholds] = {}

    @property
    def for_reading(self) -> Thresholds:
        """What decides which facts are read: enough for the thresholds of each charge."""
        offline = [part["offline_ms"] for part in self._special.values() if "offline_ms" in part]
        cards = [part["card_overlap_ms"] for part in self._special.values() if "card_overlap_ms" in part]
        return msgspec.structs.replace(
            self.platform,
            offline_ms=min([self.platform.offline_ms, *offline]),
            card_overlap_ms=max([self.platform.card_overlap_ms, *cards]),
        )

    def of(self, pile: Pile, at_ms: int) -> Thresholds:
        """Those of a charge at this charger that ended at `at_ms`: its operator is the owner at that moment."""
        if not self._special:
            return self.platform
        place = (pile.operator_key_at(at_ms), pile.station, pile.model)
        found = self._known.get(place)
        if found is None:
            found = self.platform
            for level, key in zip(LEVELS, place, strict=True):
                found = msgspec.structs.replace(found, **self._special.get((level, key), {}))
            self._known[place] = found
        return found

    def unknown_places(self, piles: Iterable[Pile]) -> list[str]:
        """What is set for an operator, station or model that none of these chargers has, as `model.key`."""
        known = {(level, key) for pile in piles for level, keys in _places(pile).items() for key in keys}
        return sorted(f"{level}.{key}" for level, key in self._special.keys() - known)


def _places(pile: Pile) -> dict[str, set[str]]:
    return {
        "operator": {owner.operator for owner in pile.owners},
        "station": {pile.station},
        "model": {pile.model},
    }


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ThresholdError(f"{where} must be a table, not {value!r}")
    return value


def _checked_part(level: str, key: str, part: object) -> dict[str, int]:
    where = f"thresholds.{level}.{key}"
    values = dict(_mapping(part, where))
    for name in values.keys() & PLATFORM_ONLY:
        raise ThresholdError(f"{where}: {name} holds for the whole platform and cannot differ by {level}")
    return values


def _changed(thresholds: Thresholds, values: Mapping[str, object], where: str) -> Thresholds:
    for name in values:
        if name not in _NAMES:
            near = difflib.get_close_matches(name, (*_NAMES, *LEVELS), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_NAMES)}"
            raise ThresholdError(f"{where}: {name!r} is not a threshold; {hint}")
    try:
        return msgspec.convert({**msgspec.to_builtins(thresholds), **values}, Thresholds)
    except msgspec.ValidationError as error:
        raise ThresholdError(f"{where}: {error}") from error


class ThresholdSets:
    """The sets by which revisions were decided, kept in ClickHouse: a revision outlives the settings."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._noted: dict[int, Thresholds] = {}

    def note(self, sets: Mapping[int, Thresholds], now_ms: int) -> None:
        """Keep what is not kept yet, by its digest."""
        new = {digest: thresholds for digest, thresholds in sets.items() if digest not in self._noted}
        if not new:
            return
        stored = self._stored(new)
        rows = [
            (digest, msgspec.to_builtins(thresholds), now_ms)
            for digest, thresholds in new.items()
            if digest not in stored
        ]
        if rows:
            self._client.execute("INSERT INTO threshold_sets (thresholds_digest, limits, noted_ms) VALUES", rows)
        self._noted |= new

    def of_batch(self, batch_id: int, *, otherwise: Thresholds) -> dict[int, Thresholds]:
        """The sets by which the revisions of a batch were decided; `otherwise` for one that was never noted."""
        rows = self._client.execute(
            "SELECT DISTINCT thresholds_digest FROM session_revisions WHERE batch_id = %(batch_id)s",
            {"batch_id": batch_id},
        )
        digests = {digest for (digest,) in rows}
        return {**dict.fromkeys(digests, otherwise), **self._stored(digests)}

    def _stored(self, digests: Iterable[int]) -> dict[int, Thresholds]:
        rows = self._client.execute(
            "SELECT thresholds_digest, limits FROM threshold_sets WHERE thresholds_digest IN %(digests)s",
            {"digests": tuple(digests) or (0,)},
        )
        return {digest: _of_limits(limits) for digest, limits in rows}


def _of_limits(limits: Mapping[str, int]) -> Thresholds:
    """A set as it was stored, perhaps by a version that knew fewer thresholds, or more."""
    return Thresholds(**{name: value for name, value in limits.items() if name in _NAMES})


def limits_table(sets: Mapping[int, Thresholds]) -> dict[str, Any]:
    """The sets by their digest as the external table `limits` of `codes.sql`."""
    return {
        "name": "limits",
        "structure": [("limit_digest", "UInt64"), *((f"{_LIMIT}{name}", "Int64") for name in _NAMES)],
        "data": [(digest, *(getattr(thresholds, name) for name in _NAMES)) for digest, thresholds in sets.items()],
    }
