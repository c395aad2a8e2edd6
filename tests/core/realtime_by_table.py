"""The plain twin of the compiled decoder of 0x13: the same columns, made from the message table."""

from core.checksum import crc16_modbus
from core.ykc.codec import raw_fields

BODY_BYTES = 60


def columns_by_the_table(frame: bytes) -> dict[str, int]:
    """The columns of a frame, made from the fields of the table-driven decoder."""
    body = frame[6:-2]
    fields = raw_fields(0x13, body)
    low_first = crc16_modbus(frame[2:-2]).to_bytes(2, "little")
    return {
        "trade_hi": int(fields["trade_no"][:16], 16),
        "trade_lo": int(fields["trade_no"][16:], 16),
        "frame_pile": int(fields["pile_code"], 16),
        "gun_bcd": int(fields["gun_no"], 16),
        "seq": int.from_bytes(frame[2:4], "little"),
        "checksum_order": 1 if frame[-2:] == low_first else 2,
        "state": fields["state"],
        "gun_home": fields["gun_home"],
        "plugged": fields["plugged"],
        "voltage_dv": fields["voltage"],
        "current_da": fields["current"],
        "cable_temp_raw": fields["cable_temp"],
        "cable_id": int(fields["cable_id"], 16),
        "soc": fields["soc"],
        "battery_temp_raw": fields["battery_temp_max"],
        "charge_minutes": fields["charge_minutes"],
        "remain_minutes": fields["remain_minutes"],
        "energy_e4kwh": fields["energy"],
        "loss_energy_e4kwh": fields["loss_energy"],
        "amount_e4yuan": fields["amount"],
        "fault_bits": fields["fault_bits"],
        "exact": int(len(body) == BODY_BYTES),
    }
