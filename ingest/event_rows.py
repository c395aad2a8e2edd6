"""Events to rows of their tables."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from core.directory import UNASSIGNED_OPERATOR_ID, PileDirectory
from ingest.events import Event, PlatformOutage
from ingest.table_rows import TIME_COLUMNS, TableRows

if TYPE_CHECKING:
    from ingest.batch import Batch

_DECODER = msgspec.msgpack.Decoder(Event)


@dataclass(frozen=True)
class UndecodableEvent:
    """An intact record whose payload is no event that this version knows."""

    segment_offset: int
    payload: bytes
    reason: str


def event_rows(
    batch: "Batch", picked: NDArray[np.intp], directory: PileDirectory
) -> tuple[list[TableRows], list[UndecodableEvent]]:
    """Rows of the picked records, all of them events, by table; and those that could not be read."""
    tables: dict[str, dict[str, list[Any]]] = {}
    undecodable = []
    offsets = batch.segment_offset(picked).tolist()
    for index, segment_offset in zip(picked.tolist(), offsets, strict=True):
        payload = batch.payload(index)
        try:
            event: Event = _DECODER.decode(payload)
        except msgspec.MsgspecError as error:
            undecodable.append(UndecodableEvent(segment_offset, payload, str(error)))
            continue
        table = str(event.__struct_config__.tag)
        row = msgspec.structs.asdict(event)
        if not isinstance(event, PlatformOutage):
            pile = directory.by_id(event.pile_id)
            at_ms = row[TIME_COLUMNS[table]]
            row["operator_id"] = UNASSIGNED_OPERATOR_ID if pile is None else pile.operator_at(at_ms)
        row["segment_id"] = batch.segment_id
        row["segment_offset"] = segment_offset
        columns = tables.setdefault(table, {name: [] for name in row})
        for name, value in row.items():
            columns[name].append(value)
    return [TableRows(table, columns) for table, columns in tables.items()], undecodable
