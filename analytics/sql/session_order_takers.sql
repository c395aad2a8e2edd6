-- Which charges of these connectors may have begun by the orders of `wanted`, under numbers of the charger's own?
-- `from_ms` is when the order was sent. Nothing is heard of a charge before it was ordered; what was stored as the time
-- of a reading is off by as much as the charger's clock, hence the wide `reach_ms`.
SELECT DISTINCT pile_id, connector, trade_no
FROM
(
    SELECT
        wanted.pile_id AS pile_id,
        wanted.connector AS connector,
        if(any(session_no) != '', toString(any(session_no)), concat(leftPad(hex(readings.trade_hi), 16, '0'), leftPad(hex(readings.trade_lo), 16, '0')))
            AS trade_no
    FROM readings
    INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
    WHERE pile_id IN (SELECT pile_id FROM wanted)
        AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
        AND event_ms BETWEEN wanted.from_ms - %(reach_ms)s AND wanted.from_ms + %(reach_ms)s
        AND receive_ms >= wanted.from_ms - %(clock_play_ms)s
        AND protocol = 'aaf5' AND state = 3 AND start_mode = %(by_platform)s
        AND (readings.trade_hi != 0 OR readings.trade_lo != 0)
        AND (readings.trade_hi != wanted.trade_hi OR readings.trade_lo != wanted.trade_lo)
    GROUP BY wanted.pile_id, wanted.connector, readings.trade_hi, readings.trade_lo
    UNION ALL
    SELECT uploads.pile_id, uploads.connector, uploads.trade_no
    FROM pile_bill_uploads AS uploads
    INNER JOIN wanted ON uploads.pile_id = wanted.pile_id AND uploads.connector = wanted.connector
    WHERE (uploads.pile_id, uploads.connector) IN (SELECT pile_id, connector FROM wanted)
        AND uploads.receive_ms >= wanted.from_ms
        AND uploads.start_ms BETWEEN wanted.from_ms - %(reach_ms)s AND wanted.from_ms + %(reach_ms)s
        AND uploads.protocol = 'aaf5' AND uploads.start_mode = %(by_platform)s
        AND uploads.trade_no != wanted.trade_no
)
WHERE trade_no != ''
