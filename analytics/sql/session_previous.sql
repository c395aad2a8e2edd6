-- Where did the absolute registers of these connectors stand before the sessions began, and when was that read?
SELECT number, max(at_ms), argMax(register, (at_ms, register))
FROM
(
    SELECT wanted.number AS number, event_ms AS at_ms, toInt64(register_e4kwh) AS register
    FROM readings
    INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
    WHERE pile_id IN (SELECT pile_id FROM wanted)
        AND event_ms >= %(from_ms)s
        AND event_ms < wanted.from_ms
        AND (trade_hi != wanted.trade_hi OR trade_lo != wanted.trade_lo)
        AND register_e4kwh > 0
    UNION ALL
    SELECT wanted.number AS number, uploads.end_ms AS at_ms, toInt64(meter_end_e4kwh) AS register
    FROM pile_bill_uploads AS uploads
    INNER JOIN wanted ON uploads.pile_id = wanted.pile_id AND uploads.connector = wanted.connector
    WHERE (uploads.pile_id, uploads.connector) IN (SELECT pile_id, connector FROM wanted)
        AND uploads.end_ms >= %(from_ms)s
        AND uploads.end_ms < wanted.from_ms
        AND uploads.trade_no != wanted.trade_no
        AND uploads.protocol = 'aaf5' AND meter_end_e4kwh > 0
)
GROUP BY number
