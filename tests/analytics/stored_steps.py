"""Writes the frames of a whole session as a gateway and its loader would have stored them."""

from typing import Any

from core.aaf5.codec import encode_raw as encode_aaf5
from core.aaf5.messages import MESSAGES_BY_NAME as AAF5_MESSAGES
from core.session_number import session_halves
from core.ykc.codec import encode_raw as encode_ykc
from core.ykc.messages import MESSAGES_BY_NAME as YKC_MESSAGES
from tests.analytics.stored_facts import PILE_CODE, SECOND, T0, Facts, trade_no


def ykc_frame(
    facts: Facts, at_ms: int, name: str, trade: str | None = None, seq: int = 0, **fields: Any
) -> dict[str, Any]:
    """One row of `frames`; fields that are not given are zero."""
    message = YKC_MESSAGES[name]
    known: dict[str, Any] = {"pile_code": PILE_CODE, "gun_no": "01", "trade_no": trade or trade_no(), **fields}
    raw = {field.name: known.get(field.name, _nothing(field)) for field in message.fields}
    if message.fields[0].name != "trade_no":
        trade = ""
    return {
        "operator_id": 2,
        "pile_id": 4,
        "connection_id": 1,
        "receive_ms": at_ms,
        "direction": message.direction,
        "protocol": "ykc",
        "verdict": "ok",
        "frame_type": message.type,
        "seq": seq,
        "connector": 1 if "gun_no" in raw else 0,
        "trade_no": (trade or trade_no()) if trade != "" else "",
        "bytes": encode_ykc(name, raw, seq=seq.to_bytes(2, "little")),
    }


def aaf5_frame(at_ms: int, name: str, trade: str = "", **fields: Any) -> dict[str, Any]:
    """One row of `frames` of an AAF5 charger, its shortest form."""
    message = AAF5_MESSAGES[name]
    known: dict[str, Any] = {"pile_code": PILE_CODE, "gun_no": 1, **fields}
    raw = {field.name: known.get(field.name, _nothing(field)) for field in message.fields}
    return {
        "operator_id": 2,
        "pile_id": 4,
        "connection_id": 1,
        "receive_ms": at_ms,
        "direction": message.direction,
        "protocol": "aaf5",
        "verdict": "ok",
        "frame_type": message.type,
        "seq": 0,
        "connector": 1,
        "trade_no": trade,
        "bytes": encode_aaf5(name, raw),
    }


def store_session(facts: Facts, *, without: tuple[str, ...] = (), minutes: int = 10, start_ms: int = T0) -> None:
    """A clean DC session that the platform started, `without` some of its messages."""
    end_ms = start_ms + minutes * 60 * SECOND
    rows = [
        ykc_frame(facts, start_ms - 20 * SECOND, "remote_start", seq=9),
        ykc_frame(facts, start_ms - 19 * SECOND, "remote_start_reply", seq=9, result=1),
        ykc_frame(facts, start_ms - 4 * SECOND, "bms_handshake", vin="LSVAA49J132015367"),
        ykc_frame(facts, start_ms - 2 * SECOND, "bms_params"),
        *(
            ykc_frame(facts, at_ms, name)
            for at_ms in range(start_ms, end_ms, 15 * SECOND)
            for name in ("bms_demand", "bms_info")
        ),
        ykc_frame(facts, end_ms - SECOND, "remote_stop", seq=10),
        ykc_frame(facts, end_ms - SECOND + 400, "remote_stop_reply", seq=10, result=1),
        ykc_frame(facts, end_ms + 300, "bms_abort"),
        ykc_frame(facts, end_ms + SECOND, "charge_end"),
        ykc_frame(facts, end_ms + 2 * SECOND, "record", start_mode=1, energy=100_000, stop_reason=0x40),
        ykc_frame(facts, end_ms + 2 * SECOND, "record_ack"),
    ]
    gone = {YKC_MESSAGES[name].type for name in without}
    facts.insert("frames", [row for row in rows if row["frame_type"] not in gone])
    facts.insert("readings", [*facts.charging(start_ms, minutes), facts.idle(end_ms + 200)])
    if "record" not in without:
        facts.insert("pile_bill_uploads", [facts.bill(start_ms, minutes)])
    facts.heard(start_ms - 300 * SECOND, end_ms + 900 * SECOND)


AAF5_NUMBER = f"{PILE_CODE}-1-20231115080000"


def store_aaf5_session(facts: Facts) -> None:
    """A clean session of ten minutes that the platform started, on a charger that gives no serial: `AAF5_NUMBER`."""
    end_ms = T0 + 600 * SECOND
    high, low = session_halves(AAF5_NUMBER)
    own = {"trade_hi": high, "trade_lo": low, "protocol": "aaf5", "session_no": AAF5_NUMBER, "start_mode": 1}
    readings = [
        {**row, **own, "work_state": 2, "register_e4kwh": 5_000_000 + row["energy_e4kwh"], "start_ms": T0}
        for row in facts.charging(T0, 10)
    ]
    stopped = {"state": 2, "work_state": 3, "event_ms": end_ms + SECOND, "receive_ms": end_ms + SECOND}
    readings.append({**readings[-1], **stopped, "voltage_dv": 0, "current_da": 0})
    facts.insert("readings", readings)
    facts.insert(
        "frames",
        [
            aaf5_frame(T0 - 9 * SECOND, "start", trade="FFFF", serial="FFFF"),
            aaf5_frame(T0 + 5 * SECOND, "start_reply", result=0),
            aaf5_frame(T0 + 60 * SECOND, "control", addr=11),
            aaf5_frame(end_ms - 2 * SECOND, "control", addr=2, param=0x55),
            aaf5_frame(end_ms - SECOND, "control_reply", addr=2),
            aaf5_frame(end_ms + 2 * SECOND, "record", trade=AAF5_NUMBER, start_mode=1, energy=1_000),
            aaf5_frame(end_ms + 2 * SECOND, "record_ack", trade=AAF5_NUMBER),
        ],
    )
    facts.insert("pile_bill_uploads", [{**facts.bill(T0, 10, trade=AAF5_NUMBER), "protocol": "aaf5"}])
    facts.heard(T0 - 300 * SECOND, T0 + 1_800 * SECOND)


def store_aaf5_burst(facts: Facts, arrived_ms: int) -> None:
    """`AAF5_NUMBER` at a charger that was first heard at `arrived_ms` and sent all but the end of it then."""
    high, low = session_halves(AAF5_NUMBER)
    own = {"trade_hi": high, "trade_lo": low, "protocol": "aaf5", "session_no": AAF5_NUMBER, "start_ms": T0}
    kept = {"receive_ms": arrived_ms, "stored": 1, "work_state": 2}
    facts.insert("readings", [{**row, **own, **kept} for row in facts.charging(T0, 10)])
    facts.insert(
        "frames",
        [
            aaf5_frame(arrived_ms + 2 * SECOND, "record", trade=AAF5_NUMBER, energy=1_000),
            aaf5_frame(arrived_ms + 2 * SECOND, "record_ack", trade=AAF5_NUMBER),
        ],
    )
    record = facts.bill(T0, 10, trade=AAF5_NUMBER, receive_ms=arrived_ms + 2 * SECOND)
    facts.insert("pile_bill_uploads", [{**record, "protocol": "aaf5", "stored": 1}])
    facts.heard(arrived_ms, arrived_ms + 1_800 * SECOND)


def _nothing(field: Any) -> Any:
    if field.kind in ("bcd", "bytes"):
        return "00" * field.length
    if field.kind in ("time", "slots"):
        return bytes(field.length)
    if "text" in field.kind:
        return ""
    return [0] * field.count if getattr(field, "count", 1) > 1 else 0
