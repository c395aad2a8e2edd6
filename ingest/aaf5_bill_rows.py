"""Uploaded records of AAF5 (202) to rows of `pile_bill_uploads`: what a charger said a charge took and cost."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.aaf5.bcd_time import bcd8_to_ms
from core.aaf5.codec import HEADER_BYTES, raw_fields
from core.aaf5.record_content import said_of_the_charge
from core.directory import PileDirectory
from ingest.aaf5_types import RECORD, RECORD_BODY_BYTES, trade_no_of
from ingest.bill_rows import DEFAULT_ZONE, PLACE_COLUMNS, content_digest, long_enough, upload_columns
from ingest.record_buffer import PROTOCOL_AAF5
from ingest.table_rows import TableRows

if TYPE_CHECKING:
    from ingest.batch import Batch

PART = "aaf5"
CHECKSUM_BYTES = 1
_E4_PER_E2 = 100
_CLASSES = 4


def aaf5_bill_rows(
    batch: "Batch", picked: NDArray[np.intp], operators: NDArray[np.uint32], directory: PileDirectory
) -> TableRows:
    """Rows of the picked records, all of them 202; one shorter than the table is no bill and stays in `frames` only.

    0.01 kWh and 0.01 yuan are scaled to 1e-4. What the protocol has not (rate classes, losses, a trade time) is 0.
    """
    bodies = long_enough(batch, picked, slice(HEADER_BYTES, -CHECKSUM_BYTES), RECORD_BODY_BYTES)
    columns = upload_columns(batch, bodies, operators, directory, _bill, _COLUMNS)
    return TableRows("pile_bill_uploads", columns, part=PART)


def record_digest(body: bytes) -> int:
    """Equal for every upload of one record: `content_digest` of what the body of a 202 says of the charge."""
    return content_digest(said_of_the_charge(body))


def _bill(body: bytes, zone: str, code: str, connector: int) -> dict[str, Any]:
    fields = raw_fields(RECORD, body)
    return {
        "protocol": PROTOCOL_AAF5,
        "connector": connector,
        "trade_no": trade_no_of(RECORD, body, code),
        "start_ms": bcd8_to_ms(fields["start_time"], zone),
        "end_ms": bcd8_to_ms(fields["end_time"], zone),
        "trade_time_ms": 0,
        "duration_s": fields["duration"],
        **{
            name: [0] * _CLASSES
            for name in (
                "class_price_e5yuan",
                "class_energy_e4kwh",
                "class_loss_energy_e4kwh",
                "class_amount_e4yuan",
            )
        },
        "half_hour_energy_e4kwh": [value * _E4_PER_E2 for value in fields["half_hour_energy"]],
        "meter_start_e4kwh": fields["meter_before"] * _E4_PER_E2,
        "meter_end_e4kwh": fields["meter_after"] * _E4_PER_E2,
        "energy_e4kwh": fields["energy"] * _E4_PER_E2,
        "loss_energy_e4kwh": 0,
        "amount_e4yuan": fields["amount"] * _E4_PER_E2,
        "vin": fields["vin"],
        "plate": fields["plate"],
        "start_mode": fields["start_mode"],
        "stop_reason": fields["end_reason"],
        "physical_card": fields["card"],
        "record_index": fields["record_index"],
        "soc_start": fields["soc_start"],
        "soc_end": fields["soc_end"],
        "content_digest": record_digest(body),
    }


_COLUMNS = (*_bill(bytes(RECORD_BODY_BYTES), DEFAULT_ZONE, "", 0), *PLACE_COLUMNS)
