-- From when to when were these charges seen to go on, by the clock of the platform?
-- Only readings that came while they were taken tell; one alone is no charge. `from_ms` to `to_ms` is where to look.
SELECT wanted.number, min(receive_ms) AS first_ms, max(receive_ms) AS last_ms
FROM readings
INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
    AND readings.trade_hi = wanted.trade_hi AND readings.trade_lo = wanted.trade_lo
WHERE pile_id IN (SELECT pile_id FROM wanted)
    AND event_ms BETWEEN %(from_ms)s AND %(to_ms)s
    AND (trade_hi, trade_lo) IN (SELECT trade_hi, trade_lo FROM wanted)
    AND state = 3 AND stored = 0
    AND receive_ms BETWEEN wanted.from_ms AND wanted.to_ms
GROUP BY wanted.number
HAVING last_ms > first_ms
