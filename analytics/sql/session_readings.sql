-- What did the meters read in these sessions?
-- `receive_ms` stands for `event_ms` too: when a reading was taken is found from all of a session's readings, since the
-- stored `event_ms` depends on what the gateway had seen by then. It only bounds the rows to look at.
-- What an AAF5 charger repeats of a session while it does not charge is asked for in session_last_words.sql; its sequence
-- numbers tell no order (aaf5.md section 1).
SELECT
    wanted.number,
    receive_ms AS taken_ms,
    receive_ms,
    if(wanted.absolute = 1, toInt64(register_e4kwh), told_energy_e4kwh) AS counter_e4kwh,
    state,
    plugged,
    intDiv(toInt64(voltage_dv) * current_da, 100) AS power_w,
    charge_minutes,
    if(protocol = 'aaf5', 0, readings.seq) AS order_no,
    start_ms,
    duration_s,
    register_before_e4kwh,
    told_energy_e4kwh,
    start_mode
FROM readings
INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
    AND readings.trade_hi = wanted.trade_hi AND readings.trade_lo = wanted.trade_lo
WHERE pile_id IN (SELECT pile_id FROM wanted)
    AND event_ms BETWEEN %(from_ms)s AND %(to_ms)s
    AND (trade_hi, trade_lo) IN (SELECT trade_hi, trade_lo FROM wanted)
    AND (protocol = 'ykc' OR state = 3)
ORDER BY wanted.number, receive_ms, charge_minutes, counter_e4kwh, order_no, state, plugged, power_w, start_ms, duration_s,
    register_before_e4kwh, told_energy_e4kwh, start_mode
LIMIT %(most_readings)s BY wanted.number
