-- What did chargers repeat of these sessions while they did not charge, and when did each word come first?
-- Only AAF5 chargers do so, for as long as no other session begins (aaf5.md section 4): each different word stands once.
-- `from_ms` to `to_ms`: when such a word can have been said of this session.
SELECT
    wanted.number,
    min(receive_ms) AS first_ms,
    if(wanted.absolute = 1, toInt64(register_e4kwh), told_energy_e4kwh) AS counter_e4kwh,
    register_before_e4kwh,
    told_energy_e4kwh
FROM readings
INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
    AND readings.trade_hi = wanted.trade_hi AND readings.trade_lo = wanted.trade_lo
WHERE pile_id IN (SELECT pile_id FROM wanted)
    AND event_ms BETWEEN %(from_ms)s AND %(to_ms)s
    AND receive_ms BETWEEN wanted.from_ms AND wanted.to_ms
    AND (trade_hi, trade_lo) IN (SELECT trade_hi, trade_lo FROM wanted)
    AND protocol = 'aaf5' AND state != 3
GROUP BY wanted.number, counter_e4kwh, register_before_e4kwh, told_energy_e4kwh
ORDER BY wanted.number, first_ms, counter_e4kwh, register_before_e4kwh, told_energy_e4kwh
LIMIT %(most_words)s BY wanted.number
