"""Uploaded records of YKC (0x3B) to rows of `pile_bill_uploads`: what a charger said a charge took and cost."""

from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.directory import PileDirectory
from core.tariff_version import CLASS_NAMES
from core.ykc.codec import HEADER_BYTES, raw_fields
from core.ykc.cp56 import cp56_to_ms
from ingest.table_rows import TableRows
from ingest.ykc_types import RECORD, RECORD_BODY_BYTES, connector_from_bcd, trade_no_of

if TYPE_CHECKING:
    from ingest.batch import Batch

# A record that ends this long before it comes was kept while the charger was away: a live one comes within 30 s, and
# its retries within 2 minutes (ykc.md section 5). The charger's clock may be wrong by a little, never by its lifetime.
BACKLOG_MS = 120_000
SANE_CLOCK_MS = 366 * 86_400_000

PLACE_COLUMNS = ("stored", "operator_id", "pile_id", "receive_ms", "connection_id", "segment_id", "segment_offset")
CHECKSUM_BYTES = 2

# Chargers send local time without a zone; for one that the master data does not know, that of the protocol's makers.
DEFAULT_ZONE = "Asia/Shanghai"


ReadBill = Callable[[bytes, str, str, int], dict[str, Any]]
"""What a record's body says, from the body, the station's zone, the platform's code and the connector it came for."""


def bill_upload_rows(
    batch: "Batch", picked: NDArray[np.intp], operators: NDArray[np.uint32], directory: PileDirectory
) -> TableRows:
    """Rows of the picked records, all of them 0x3B.

    A body shorter than the table is no bill and stays in `frames` only; of a longer one the known part is read.
    """
    bodies = long_enough(batch, picked, slice(HEADER_BYTES, -CHECKSUM_BYTES), RECORD_BODY_BYTES)
    return TableRows("pile_bill_uploads", upload_columns(batch, bodies, operators, directory, _bill, _COLUMNS))


def upload_columns(
    batch: "Batch",
    bodies: Iterable[tuple[int, bytes]],
    operators: NDArray[np.uint32],
    directory: PileDirectory,
    read_bill: ReadBill,
    names: tuple[str, ...],
) -> dict[str, list[Any]]:
    """The columns `names` of these bodies, given with the place of their record: what they say, and where they lie."""
    records = batch.records
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for index, body in bodies:
        pile_id = int(records.pile_id[index])
        pile = directory.by_id(pile_id)
        zone, code = (pile.zone, pile.code) if pile is not None else (DEFAULT_ZONE, "")
        row = read_bill(body, zone, code, int(records.connector[index]))
        row |= {
            "stored": was_stored(row["end_ms"], int(records.receive_ms[index])),
            "operator_id": int(operators[index]),
            "pile_id": pile_id,
            "receive_ms": int(records.receive_ms[index]),
            "connection_id": int(records.connection_id[index]),
            "segment_id": batch.segment_id,
            "segment_offset": int(records.offset[index]) + batch.start,
        }
        for name in names:
            columns[name].append(row[name])
    return columns


def long_enough(batch: "Batch", picked: NDArray[np.intp], body: slice, shortest: int) -> Iterator[tuple[int, bytes]]:
    """The place and the body of each picked record whose body has at least `shortest` bytes."""
    for index in picked.tolist():
        found = batch.payload(index)[body]
        if len(found) >= shortest:
            yield index, found


def was_stored(end_ms: int, receive_ms: int) -> int:
    """1 when the charger had kept the record: its end lies more than 2 minutes before it came, by a sane clock.

    The charger's own clock tells, even where a login showed that it is off: a row must be the same however often its
    piece of the spool is loaded (DESIGN invariant 1), and what the login showed lies in another piece, or in none. A
    clock that is slow by more than 2 minutes so marks a live record too; no figure of a bill depends on the mark.
    """
    return int(BACKLOG_MS < receive_ms - end_ms <= SANE_CLOCK_MS)


def content_digest(body: bytes) -> int:
    """Equal for a repeated upload: the first 8 bytes of the body's BLAKE2b, as a big-endian number."""
    return int.from_bytes(blake2b(body, digest_size=8).digest(), "big")


def _bill(body: bytes, zone: str, _code: str, _connector: int) -> dict[str, Any]:
    fields = raw_fields(RECORD, body)
    return {
        "connector": connector_from_bcd(int(fields["gun_no"], 16)),
        "trade_no": trade_no_of(RECORD, body),
        "start_ms": cp56_to_ms(fields["start_time"], zone),
        "end_ms": cp56_to_ms(fields["end_time"], zone),
        "trade_time_ms": cp56_to_ms(fields["trade_time"], zone),
        "class_price_e5yuan": [fields[f"{name}_price"] for name in CLASS_NAMES],
        "class_energy_e4kwh": [fields[f"{name}_energy"] for name in CLASS_NAMES],
        "class_loss_energy_e4kwh": [fields[f"{name}_loss_energy"] for name in CLASS_NAMES],
        "class_amount_e4yuan": [fields[f"{name}_amount"] for name in CLASS_NAMES],
        "meter_start_e4kwh": fields["meter_start"],
        "meter_end_e4kwh": fields["meter_end"],
        "energy_e4kwh": fields["energy"],
        "loss_energy_e4kwh": fields["loss_energy"],
        "amount_e4yuan": fields["amount"],
        "vin": fields["vin"],
        "start_mode": fields["start_mode"],
        "stop_reason": fields["stop_reason"],
        "physical_card": fields["physical_card"],
        "content_digest": content_digest(body),
    }


_COLUMNS = (*_bill(bytes(RECORD_BODY_BYTES), DEFAULT_ZONE, "", 0), *PLACE_COLUMNS)
