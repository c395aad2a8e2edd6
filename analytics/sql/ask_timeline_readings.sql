-- What did the meter of one charge read, in the order of time, with the frame of each reading?
SELECT
    if(stored = 1, readings.event_ms, receive_ms) AS event_ms,
    receive_ms,
    stored,
    toString(protocol) AS protocol,
    state,
    work_state,
    plugged,
    told_energy_e4kwh AS energy_e4kwh,
    register_e4kwh,
    toInt64(intDiv(toUInt64(voltage_dv) * current_da, 100)) AS power_w,
    soc,
    alarm,
    fault_bits,
    segment_id,
    segment_offset
FROM readings
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s
    AND readings.event_ms >= %(from_ms)s - 172800000 AND readings.event_ms <= %(to_ms)s + 172800000
    AND trade_hi = %(trade_hi)s AND trade_lo = %(trade_lo)s
ORDER BY event_ms, segment_id, segment_offset
LIMIT 500000
