"""The digest of a revision: equal facts give an equal one, so that nothing is billed twice."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import msgspec
import numpy as np

from analytics.session_facts import SessionFacts
from analytics.session_revision import WITHOUT_BILL, Life

_NOT_INPUTS = frozenset(
    (
        *("computed_ms", "recheck_ms", "stays_since_ms"),
        # These came after the first version and follow from what was there: their inputs are in the digest already.
        *("start_method", "stored_readings", "register_start_e4kwh", "register_end_e4kwh", "bill_half_hour_mask"),
        *("quantum_source", "pmax_source", "register_source", "begin_missed_e4kwh"),
        *("stops_offline_ms", "reading_period_ms", "previous_was_over"),
    )
)
_RULES_OF_CODES_AND_MONEY = 2
"""Stands in the digest for the version of the rules. A rule of core that gives other figures is seen by the figures,
which are in the digest; raise this where `codes.sql` or `bill.sql` must look again at sessions whose figures stay."""
_LATER_INPUTS: dict[str, Any] = {
    "bill_duration_s": 0,
    "bill_half_hour_e4kwh": [],
    "bill_loss_energy_e4kwh": 0,
    "bill_number": "",
    "bill_stored": 0,
    "meter_profile_id": 0,
    "overlaps": [],
    "previous_end_e4kwh": 0,
    "previous_end_ms": -1,
    "protocol": "ykc",
    "register_digits": 0,
    "register_kind": "session",
}
"""Inputs that the first version did not know, each with what it is where there is nothing new to it. Such a one is not
in the digest, so that sessions which the first version billed get no second revision from a later one."""


def inputs_digest(facts: SessionFacts, columns: dict[str, Any], life: Life) -> int:
    """A number for the inputs of a revision. A charge under way gets one when it begins, and none with each reading."""
    if life in WITHOUT_BILL:
        stage = "ordered" if life == "open" and not facts.last_charging_ms else life
        inputs: list[Any] = [facts.key, stage, columns["operator_id"], _RULES_OF_CODES_AND_MONEY]
        return _hash(msgspec.msgpack.encode(inputs))
    columns = {**columns, "rule_version": _RULES_OF_CODES_AND_MONEY}
    inputs = [columns[name] for name in sorted(columns.keys() - _NOT_INPUTS - _LATER_INPUTS.keys())]
    inputs += [(name, columns[name]) for name, nothing in _LATER_INPUTS.items() if columns[name] != nothing]
    return _hash(msgspec.msgpack.encode(inputs), canonical_readings(facts))


def digested_columns(columns: Mapping[str, Sequence[Any]]) -> Iterator[list[Any]]:
    """The inputs of many charges that are over, one list each, from columns of their revisions.

    For those of `WITHOUT_BILL` it is another one.
    """
    names = sorted((columns.keys() | {"rule_version"}) - _NOT_INPUTS - _LATER_INPUTS.keys())
    rules = [_RULES_OF_CODES_AND_MONEY] * len(columns["rule_version"])
    told = zip(*(rules if name == "rule_version" else columns[name] for name in names), strict=True)
    later = zip(*(columns[name] for name in _LATER_INPUTS), strict=True)
    nothing = tuple(_LATER_INPUTS.values())
    for inputs, more in zip(told, later, strict=True):
        if more == nothing:
            yield list(inputs)
        else:
            new = zip(_LATER_INPUTS, more, nothing, strict=True)
            yield [*inputs, *((name, value) for name, value, default in new if value != default)]


def canonical_readings(facts: SessionFacts) -> bytes:
    """The different readings in their one order (by each column in turn), as bytes."""
    columns = list(facts.readings.values())
    event_ms = columns[0]
    rows = np.stack(columns, axis=1)
    if (event_ms[1:] > event_ms[:-1]).all():  # as nearly all are: no two alike, and in that order already
        return rows.tobytes()
    rows = rows[np.lexsort(columns[::-1])]
    differs = np.ones(len(rows), dtype=np.bool_)
    differs[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return rows[differs].tobytes()


def _hash(*parts: bytes) -> int:
    return int.from_bytes(blake2b(b"".join(parts), digest_size=8).digest(), "big")
