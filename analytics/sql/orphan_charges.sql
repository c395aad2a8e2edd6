-- Which charges went on at these connectors in the time of these records, under other numbers?
-- What was stored as the time of a reading may be off by as much as the charger's clock, hence `reach_ms`. Readings meet the
-- records by the hour.
SELECT
    readings.pile_id,
    readings.connector,
    if(any(session_no) != '', toString(any(session_no)), concat(leftPad(hex(readings.trade_hi), 16, '0'), leftPad(hex(readings.trade_lo), 16, '0')))
        AS trade_no,
    min(event_ms) AS since_ms
FROM readings
INNER JOIN
(
    SELECT pile_id, connector, trade_hi, trade_lo, start_ms, end_ms,
        arrayJoin(range(intDiv(start_ms - %(reach_ms)s, 3600000), intDiv(end_ms + %(reach_ms)s, 3600000) + 1)) AS hour
    FROM wanted
) AS wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
    AND intDiv(readings.event_ms, 3600000) = wanted.hour
WHERE pile_id IN (SELECT pile_id FROM wanted)
    AND event_ms BETWEEN %(from_ms)s - %(reach_ms)s AND %(to_ms)s + %(reach_ms)s
    AND event_ms BETWEEN wanted.start_ms - %(reach_ms)s AND wanted.end_ms + %(reach_ms)s
    AND state = 3
    AND (readings.trade_hi != 0 OR readings.trade_lo != 0)
    AND (readings.trade_hi != wanted.trade_hi OR readings.trade_lo != wanted.trade_lo)
GROUP BY readings.pile_id, readings.connector, readings.trade_hi, readings.trade_lo
