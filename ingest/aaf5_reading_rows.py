"""Status frames (AAF5 104) to rows of `readings`, in columns; the frames themselves are kept in `frames` as well."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.aaf5.bcd_time import bcd8_to_ms
from core.aaf5.session_no import session_number
from core.aaf5.status import StatusColumns
from core.directory import PileDirectory
from core.session_number import is_packed, session_halves
from ingest.aaf5_types import text_of
from ingest.bill_rows import DEFAULT_ZONE
from ingest.record_buffer import FLAG_STORED, PROTOCOL_AAF5
from ingest.table_rows import TableRows

if TYPE_CHECKING:
    from ingest.batch import Batch

PART = "aaf5"
_DC = 1
_PLUGGED = 2
# State of YKC by work_state: 2 is charging, 6 a fault, everything else idle.
_STATES = np.full(256, 2, np.uint8)
_STATES[2], _STATES[6] = 3, 1
_U32_MAX, _U16_MAX = 0xFFFF_FFFF, 0xFFFF
_E4_PER_E2 = 100
_KEY_TYPE = np.dtype(
    [("pile_id", np.uint32), ("connector", np.uint8), ("serial", "S32"), ("start_time", np.uint64)], align=False
)

Columns = dict[str, NDArray[Any]]


def status_rows(
    batch: "Batch", picked: NDArray[np.intp], operators: NDArray[np.uint32], directory: PileDirectory
) -> TableRows:
    """Rows of the picked records, all of them 104; one without the fields common to all variants gives none.

    Energies, registers and money are scaled to 1e-4 and kept as they were told, however large. Currents of three phases
    and minutes that do not fit their columns are their limits. `exact` is 0: the row does not hold the whole frame.
    """
    records = batch.records
    decoder = StatusColumns(max(len(picked), 1))
    decoder.decode_many(batch.data, records.payload_offset[picked], records.payload_length[picked])
    decoded = picked[decoder.source]
    wire = decoder.columns()
    pile_id, connector = records.pile_id[decoded], records.connector[decoded]
    columns: dict[str, Any] = {
        **_sessions(wire, pile_id, connector, directory),
        **_measured(wire),
        "operator_id": operators[decoded],
        "pile_id": pile_id,
        "connector": connector,
        "protocol": np.full(len(decoded), PROTOCOL_AAF5, np.int8),
        "event_ms": records.event_ms[decoded],
        "receive_ms": records.receive_ms[decoded],
        "stored": records.flags[decoded] & np.uint8(FLAG_STORED),
        "seq": wire["seq"].astype(np.uint16),
        "exact": np.zeros(len(decoded), np.uint8),
        "connection_id": records.connection_id[decoded],
        "live_accepted_e4kwh": records.live_accepted_e4kwh[decoded],
        "live_amount_fen": records.live_amount_fen[decoded],
        "live_flags": records.live_flags[decoded],
        "segment_id": np.full(len(decoded), batch.segment_id, np.uint64),
        "segment_offset": batch.segment_offset(decoded),
    }
    return TableRows("readings", columns, numpy_only=True, part=PART)


def _measured(wire: Columns) -> Columns:
    """What the meter and the gun said, in the units of `readings`."""
    is_dc = wire["gun_type"] == _DC
    ac_current = sum(wire[f"ac_current_{phase}_da"].astype(np.uint32) for phase in "abc")
    current = np.where(is_dc, wire["dc_current_da"].astype(np.uint32), ac_current)
    return {
        "gun_bcd": wire["gun_no"].copy(),
        "state": _STATES[wire["work_state"]],
        "plugged": (wire["car_conn"] == _PLUGGED).astype(np.uint8),
        "voltage_dv": np.where(is_dc, wire["dc_voltage_dv"], wire["ac_voltage_a_dv"]),
        "current_da": np.minimum(current, _U16_MAX).astype(np.uint16),
        "soc": wire["soc"].copy(),
        "charge_minutes": np.minimum(wire["duration_s"] // 60, _U16_MAX).astype(np.uint16),
        "remain_minutes": wire["remain_minutes"].copy(),
        **_in_two("energy_e4kwh", "energy_above_e4kwh", wire["energy_e2kwh"]),
        **_in_two("amount_e4yuan", "amount_above_e4yuan", wire["amount_fen"]),
        "register_e4kwh": wire["meter_now_e2kwh"].astype(np.uint64) * np.uint64(_E4_PER_E2),
        "register_before_e4kwh": wire["meter_before_e2kwh"].astype(np.uint64) * np.uint64(_E4_PER_E2),
        "duration_s": wire["duration_s"].copy(),
        "work_state": wire["work_state"].copy(),
        "start_mode": wire["start_mode"].copy(),
        "alarm": wire["alarm"].copy(),
    }


def _in_two(name: str, name_above: str, values_e2: NDArray[Any]) -> Columns:
    """The values in 1e-4: as much as 32 bits hold, and what is above that in a column of its own (schema 0020)."""
    scaled = values_e2.astype(np.uint64) * np.uint64(_E4_PER_E2)
    held = np.minimum(scaled, np.uint64(_U32_MAX))
    return {name: held.astype(np.uint32), name_above: scaled - held}


def _sessions(
    wire: Columns, pile_id: NDArray[np.uint32], connector: NDArray[np.uint8], directory: PileDirectory
) -> Columns:
    """Number and begin of each reading's session; they are worked out once for each session in the batch."""
    keys = np.empty(len(pile_id), _KEY_TYPE)
    keys["pile_id"], keys["connector"] = pile_id, connector
    keys["serial"], keys["start_time"] = wire["serial"], wire["start_time"]
    _, first, which = np.unique(keys.view(f"V{_KEY_TYPE.itemsize}"), return_index=True, return_inverse=True)
    session_no = np.empty(len(first), object)
    trade_hi, trade_lo = np.empty(len(first), np.uint64), np.empty(len(first), np.uint64)
    start_ms = np.empty(len(first), np.int64)
    for place, row in enumerate(first.tolist()):
        pile = directory.by_id(int(pile_id[row]))
        start_time = int(wire["start_time"][row]).to_bytes(8, "big")
        code = pile.code if pile is not None else text_of(wire["pile_code"][row])
        number = session_number(code, int(connector[row]), text_of(wire["serial"][row]), start_time)
        session_no[place] = "" if is_packed(number) else number
        trade_hi[place], trade_lo[place] = session_halves(number)
        start_ms[place] = bcd8_to_ms(start_time, pile.zone if pile is not None else DEFAULT_ZONE)
    return {
        "session_no": session_no[which],
        "trade_hi": trade_hi[which],
        "trade_lo": trade_lo[which],
        "start_ms": start_ms[which],
    }
