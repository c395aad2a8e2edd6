"""The statistics of anomaly codes: how many final bills carry which set, and why (requirements S01 to S04, B23)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal, get_args

import msgspec
from clickhouse_driver import Client

from analytics.questions import Scope, ask

DISPLAY_ORDER: Final = (1, 2, 3, 4, 5, 7, 8, 9, 11, 6)
"""The order in which a set is written; 6 is decided last (requirement S01)."""

Kind = Literal["day", "month", "operator", "station", "vendor", "model", "firmware", "pile"]
"""What bills are grouped by. Day and month are those of the local day of a bill's end; a model has its vendor in front,
a firmware vendor and model, and `?` where the charger never told it."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

PROTOCOL_CAUSES: Final = {"SKIP": "PROTOCOL_SKIP", "SWAP": "PROTOCOL_SWAP", "REPEAT": "PROTOCOL_REPEAT"}
_OF_THE_PROTOCOL: Final = frozenset({1, 2, 3, 8, 9, 11})
_LOST: Final = frozenset({1, 2})

_FIRST_DAY: Final = date(1970, 1, 1)
_LAST_DAY: Final = date(2149, 6, 6)


class Remaining(msgspec.Struct, frozen=True):
    """A code that stays after correction: its sub-reason and cause (empty = not known), and how many bills it is on."""

    code: int
    reason: str
    cause: str
    bills: int


class CodeCounts(msgspec.Struct, frozen=True):
    """Final bills by their set of codes, raw and after correction, and by cause; `bills` counts those without too."""

    bills: int
    raw: dict[str, int]
    corrected: dict[str, int]
    causes: dict[str, int]


class Group(CodeCounts, frozen=True):
    """The counts of one group; `whole_kwh` are those of them that meters of whole kWh measured."""

    group: dict[str, str]
    whole_kwh: CodeCounts


class AnomalyTable(CodeCounts, frozen=True):
    """The counts of all bills asked for, and what they consist of.

    `whole_kwh`: the part of them that meters of whole kWh measured; the naive comparison flags these by nature, so that
    the rest is what speaks of chargers. `raw_causes`: the causes of each raw set. `remaining`: why codes stay, the most
    frequent first. `groups`: one for each group that has bills, where groups were asked for.
    """

    whole_kwh: CodeCounts
    raw_causes: dict[str, dict[str, int]]
    remaining: list[Remaining]
    groups: list[Group]
    from_day: date | None = None
    to_day: date | None = None
    computed_at: str = ""
    """When it was asked, ISO 8601; empty = not said. "Until now" means until then (requirement S03)."""


def code_set_text(codes: Iterable[int]) -> str:
    """A set of codes as it is written everywhere, for example "8,9,6"."""
    return ",".join(str(code) for code in sorted(set(codes), key=_display_place))


def set_order(text: str) -> list[int]:
    """What sets are sorted by, in the order in which the old platform listed their codes."""
    return [_display_place(int(code)) for code in text.split(",")]


def protocol_cause(code: int, step_faults: Sequence[str]) -> str:
    """The cause of a code that stays unexplained, from what is wrong with the order of the charger's steps (B11).

    `step_faults` are SKIP, SWAP and REPEAT; the first of these names the cause, empty = none does. Steps explain what
    the platform missed or misplaced (codes 1, 2, 3, 8, 9, 11), not a record that is impossible by itself (4, 5), how
    long a vehicle stays (6), or what another charge does (7). A lost bill is itself a step that was skipped.
    """
    if code not in _OF_THE_PROTOCOL:
        return ""
    telling = [fault for fault in PROTOCOL_CAUSES if fault in step_faults and not (code in _LOST and fault == "SKIP")]
    return PROTOCOL_CAUSES[telling[0]] if telling else ""


def explained(hits: Iterable[tuple[int, str, str]], step_faults: Sequence[str]) -> list[tuple[int, str, str]]:
    """The hits of a bill that stay (code, sub-reason, cause), with the cause that steps give where none has any."""
    kept = list(hits)
    if any(cause for _code, _reason, cause in kept):
        return kept
    return [(code, reason, protocol_cause(code, step_faults)) for code, reason, _none in kept]


def causes_with_protocol(
    causes: Iterable[str], hits: Iterable[tuple[int, str, str]], step_faults: Sequence[str]
) -> list[str]:
    """The causes of a bill, with those that only the order of its charger's steps tells; `hits` are those that stay."""
    return sorted({*causes, *(cause for _code, _reason, cause in explained(hits, step_faults) if cause)})


def anomaly_table(
    client: Client,
    scope: Scope,
    from_day: date | None = None,
    to_day: date | None = None,
    *,
    by: Sequence[Kind] = (),
    only: Mapping[Kind, str] | None = None,
    computed_at: str = "",
) -> AnomalyTable:
    """Counts over the bills whose local day of the end is `from_day`..`to_day`, both included; None leaves it open.

    `by`: what to group by, the first kind outermost. `only`: bills of these groups alone, such as the vendor R.
    """
    only = only or {}
    kinds: list[Kind] = list(dict.fromkeys([*by, *only]))
    answer = ask(
        client, "anomaly_sets", scope, from_day=from_day or _FIRST_DAY, to_day=to_day or _LAST_DAY, kinds=kinds
    )
    wanted = [(kinds.index(kind), value) for kind, value in only.items()]
    whole = _Tally()
    groups: dict[tuple[str, ...], _Tally] = {}
    for key, *row in answer.rows:
        if all(key[place] == value for place, value in wanted):
            whole.add(row)
            if by:
                groups.setdefault(tuple(key[: len(set(by))]), _Tally()).add(row)
    return AnomalyTable(
        **whole.counts(),
        whole_kwh=whole.whole_kwh_counts(),
        raw_causes={text: _by_count(causes) for text, causes in sorted(whole.raw_causes.items(), key=_by_set)},
        remaining=[
            Remaining(*hit, bills)
            for hit, bills in sorted(whole.remaining.items(), key=lambda item: (-item[1], item[0]))
        ],
        groups=[
            Group(
                **tally.counts(),
                group=dict(zip(dict.fromkeys(by), key, strict=True)),
                whole_kwh=tally.whole_kwh_counts(),
            )
            for key, tally in sorted(groups.items())
        ],
        from_day=from_day,
        to_day=to_day,
        computed_at=computed_at,
    )


def bills_with(
    client: Client,
    scope: Scope,
    codes: Iterable[int],
    from_day: date | None = None,
    to_day: date | None = None,
    *,
    limit: int = 50,
) -> list[str]:
    """The numbers of bills whose raw or corrected set is exactly `codes`, the newest first (requirement S02)."""
    answer = ask(
        client,
        "anomaly_bills",
        scope,
        codes=sorted(set(codes), key=_display_place),
        from_day=from_day or _FIRST_DAY,
        to_day=to_day or _LAST_DAY,
        limit=limit,
    )
    return [str(trade_no) for trade_no in answer.column("trade_no")]


class _Tally:
    """Rows of the answer added up."""

    def __init__(self, *, apart: bool = True) -> None:
        self.bills = 0
        self.raw: Counter[str] = Counter()
        self.corrected: Counter[str] = Counter()
        self.causes: Counter[str] = Counter()
        self.raw_causes: dict[str, Counter[str]] = {}
        self.remaining: Counter[tuple[int, str, str]] = Counter()
        self.of_whole_kwh: _Tally | None = _Tally(apart=False) if apart else None

    def add(self, row: Sequence[Any]) -> None:
        """Count a row: whole kWh or not, raw set, corrected set, causes, hits that stay, step faults, bills."""
        whole_kwh, codes_raw, codes, causes, hits, step_faults, bills = row
        causes = causes_with_protocol(causes, hits, step_faults)
        self.bills += bills
        if codes:
            self.corrected[code_set_text(codes)] += bills
        self.causes.update(dict.fromkeys(causes, bills))
        self.remaining.update(dict.fromkeys(explained(hits, step_faults), bills))
        if codes_raw:
            text = code_set_text(codes_raw)
            self.raw[text] += bills
            self.raw_causes.setdefault(text, Counter()).update(dict.fromkeys(causes, bills))
        if whole_kwh and self.of_whole_kwh:
            self.of_whole_kwh.add(row)

    def counts(self) -> dict[str, Any]:
        """The fields of `CodeCounts`."""
        return {
            "bills": self.bills,
            "raw": _by_count(self.raw),
            "corrected": _by_count(self.corrected),
            "causes": _by_count(self.causes),
        }

    def whole_kwh_counts(self) -> CodeCounts:
        """The part of them that meters of whole kWh measured."""
        return CodeCounts(**self.of_whole_kwh.counts()) if self.of_whole_kwh else CodeCounts(0, {}, {}, {})


def _by_set(item: tuple[str, object]) -> list[int]:
    return set_order(item[0])


def _by_count(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def _display_place(code: int) -> int:
    return DISPLAY_ORDER.index(code) if code in DISPLAY_ORDER else len(DISPLAY_ORDER) + code
