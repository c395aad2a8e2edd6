-- What did the realtime frames of one charge say, column by column, so that the bytes of each can be made again?
-- A row with exact = 0 does not give the bytes that came; those stand in `frames`.
SELECT
    segment_id,
    segment_offset,
    toUInt64(trade_hi) AS trade_hi,
    toUInt64(trade_lo) AS trade_lo,
    toUInt64(frame_pile) AS frame_pile,
    toUInt64(gun_bcd) AS gun_bcd,
    toUInt64(seq) AS seq,
    toUInt64(checksum_order) AS checksum_order,
    toUInt64(state) AS state,
    toUInt64(gun_home) AS gun_home,
    toUInt64(plugged) AS plugged,
    toUInt64(voltage_dv) AS voltage_dv,
    toUInt64(current_da) AS current_da,
    toUInt64(cable_temp_raw) AS cable_temp_raw,
    toUInt64(cable_id) AS cable_id,
    toUInt64(soc) AS soc,
    toUInt64(battery_temp_raw) AS battery_temp_raw,
    toUInt64(charge_minutes) AS charge_minutes,
    toUInt64(remain_minutes) AS remain_minutes,
    toUInt64(energy_e4kwh) AS energy_e4kwh,
    toUInt64(loss_energy_e4kwh) AS loss_energy_e4kwh,
    toUInt64(amount_e4yuan) AS amount_e4yuan,
    toUInt64(fault_bits) AS fault_bits
FROM readings
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s
    AND readings.event_ms >= %(from_ms)s - 172800000 AND readings.event_ms <= %(to_ms)s + 172800000
    AND readings.trade_hi = %(trade_hi)s AND readings.trade_lo = %(trade_lo)s
    AND protocol = 'ykc' AND exact = 1
ORDER BY segment_id, segment_offset
LIMIT 500000
