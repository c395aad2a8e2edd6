-- What did the meter of one charge read, in the order of time?
-- Every stored reading with the charge's number, also repeated ones. Power is voltage times current. The charge's window
-- keeps the rest of the connector's history unread; two days either side are for a start or an end that was mistaken.
-- Of what an AAF5 charger repeats of a charge while it does not charge, each different word stands once.
SELECT
    event_ms,
    receive_ms,
    seq,
    state,
    plugged,
    stored,
    told_energy_e4kwh AS energy_e4kwh,
    register_e4kwh,
    register_before_e4kwh,
    start_ms,
    duration_s,
    toInt64(intDiv(toUInt64(voltage_dv) * current_da, 100)) AS power_w,
    voltage_dv,
    current_da,
    soc,
    charge_minutes,
    told_amount_e4yuan AS amount_e4yuan,
    fault_bits,
    live_accepted_e4kwh,
    live_flags
FROM readings
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s
    AND event_ms >= %(from_ms)s - 172800000 AND event_ms <= %(to_ms)s + 172800000
    AND trade_hi = %(trade_hi)s AND trade_lo = %(trade_lo)s
ORDER BY event_ms, told_energy_e4kwh, seq, segment_id, segment_offset
LIMIT 1 BY if(protocol = 'aaf5' AND state != 3, (register_e4kwh, toUInt64(told_energy_e4kwh)), (segment_id, segment_offset)), protocol = 'aaf5' AND state != 3
