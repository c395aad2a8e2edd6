-- What did the meters read in these sessions?
-- `receive_ms` stands for `event_ms` too: when a reading was taken is found from all of a session's readings, since the
-- stored `event_ms` depends on what the gateway had seen by then. It only bounds the rows to look at.
SELECT
    wanted.number,
    receive_ms AS taken_ms,
    receive_ms,
    energy_e4kwh,
    state,
    plugged,
    intDiv(toInt64(voltage_dv) * current_da, 100) AS power_w,
    charge_minutes,
    seq
FROM readings
INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
    AND readings.trade_hi = wanted.trade_hi AND readings.trade_lo = wanted.trade_lo
WHERE pile_id IN (SELECT pile_id FROM wanted)
    AND event_ms >= %(from_ms)s
    AND (trade_hi, trade_lo) IN (SELECT trade_hi, trade_lo FROM wanted)
ORDER BY wanted.number, receive_ms, charge_minutes, energy_e4kwh, seq, state, plugged, power_w
LIMIT %(most_readings)s BY wanted.number
