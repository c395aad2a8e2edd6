"""What the next worker that holds a charger should know of it: a copy of a cache that readings can rebuild.

It saves the new worker from beginning anew: the live figure of a running charge goes on, the register must go on too
before the charge is taken for the same one, the tariff that the charger showed last is known, and so is what charges.
"""

import msgspec

from core.connector import CycleMemory


class ConnectorMemory(msgspec.Struct, frozen=True, array_like=True):
    """One connector. `session` is the number of its session as text where the halves in `cycle` are only a digest."""

    connector: int
    cycle: CycleMemory
    session: str = ""

    @property
    def last_ms(self) -> int:
        """When the connector was last heard."""
        return self.cycle.last_ms


class PileMemory(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """One charger, as a worker knew it at `as_of_ms`. `tariff_acks`: (when, version), the last two."""

    pile_id: int
    as_of_ms: int
    tariff_acks: list[tuple[int, int]] = []
    clock_offset_ms: int = 0
    clock_right_since_ms: int = 0
    time_sync_ms: int = 0
    tariff_push_ms: int = 0
    connectors: list[ConnectorMemory] = []


def newest(known: PileMemory | None, told: PileMemory) -> PileMemory:
    """Both in one: of the charger what was told last, of each connector what was heard last."""
    if known is None:
        return told
    later, earlier = (told, known) if told.as_of_ms >= known.as_of_ms else (known, told)
    connectors = {memory.connector: memory for memory in earlier.connectors}
    for memory in later.connectors:
        other = connectors.get(memory.connector)
        if other is None or memory.last_ms >= other.last_ms:
            connectors[memory.connector] = memory
    acks = sorted({*earlier.tariff_acks, *later.tariff_acks})[-2:]
    return msgspec.structs.replace(
        later, tariff_acks=acks, connectors=[connectors[number] for number in sorted(connectors)]
    )
