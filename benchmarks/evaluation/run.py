"""A whole evaluation: charges in blocks of chargers through the platform, and each block's bills beside the truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from clickhouse_driver import Client

from benchmarks.evaluation.chargers import CHARGES_EACH, MODELS, master_data, shares
from benchmarks.evaluation.history import ToldCharger
from benchmarks.evaluation.mixes import Mix
from benchmarks.evaluation.scores import Billed
from benchmarks.evaluation.stories import Truth, told_charges

FEWEST_IN_A_BLOCK, MOST_IN_A_BLOCK = 22, 220
BLOCKS: Final = 16
_BILLS_SQL: Final = Path(__file__).with_name("bills.sql")

Judged = list[tuple[Truth, Billed | None]]


class Block(msgspec.Struct, frozen=True):
    """Some chargers of an evaluation: their numbers, each with how many charges it has."""

    seed: int
    mix: Mix
    chargers: tuple[tuple[int, int], ...]

    @property
    def sessions(self) -> int:
        """How many charges they have."""
        return sum(charges for _, charges in self.chargers)

    def told(self) -> list[ToldCharger]:
        """The chargers and all that they tell."""
        return [told_charges(self.seed, number, self.mix, charges) for number, charges in self.chargers]


def blocks(sessions: int, seed: int, mix: Mix) -> list[Block]:
    """The blocks of an evaluation of so many sessions. No charger is in two of them."""
    numbered = list(shares(sessions))
    size = min(max(-(-len(numbered) // BLOCKS), FEWEST_IN_A_BLOCK), MOST_IN_A_BLOCK)
    return [Block(seed, mix, tuple(numbered[at : at + size])) for at in range(0, len(numbered), size)]


def master_file(sessions: int) -> str:
    """The master data (TOML) of all chargers of so many sessions."""
    chargers = -(-sessions // CHARGES_EACH)
    return master_data(
        MODELS, {model.key: len(range(place, chargers, len(MODELS))) for place, model in enumerate(MODELS)}
    )


def judged(client: Client, pile_ids: Sequence[int], told: Sequence[ToldCharger]) -> Judged:
    """Each charge's truth, and what the platform billed; None = it has no bill of it."""
    bills = _bills(client, pile_ids)
    truths = [charge.truth for _, charges in told for charge in charges]
    return [(truth, bills.get((truth.pile, truth.trade_no))) for truth in truths]


def _bills(client: Client, pile_ids: Sequence[int]) -> dict[tuple[str, str], Billed]:
    piles: list[dict[str, Any]] = [{"pile_id": pile_id} for pile_id in pile_ids]
    table = [{"name": "piles", "structure": [("pile_id", "UInt32")], "data": piles}]
    rows = client.execute(_BILLS_SQL.read_text("utf-8"), external_tables=table)
    return {
        (pile, trade_no): Billed(
            final_e4kwh=final,
            low_e4kwh=low,
            high_e4kwh=high,
            naive_e4kwh=naive,
            quality=quality,
            held=bool(held),
            codes=tuple(codes),
            codes_raw=tuple(codes_raw),
            rule=rule,
            flags=tuple(flags),
            amount_fen=amount,
        )
        for pile, trade_no, final, low, high, naive, quality, held, codes, codes_raw, rule, flags, amount in rows
    }
