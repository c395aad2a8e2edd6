-- How far do the facts of these sessions reach? 0 = none of that kind; those of which nothing is found are left out.
SELECT number,
    (minIf(from_ms, readings > 0), maxIf(to_ms, readings > 0), minIf(from_ms, readings = 0), maxIf(to_ms, readings = 0), max(charging_ms), sum(readings))
        AS span
FROM
(
    SELECT wanted.number AS number, min(event_ms) AS from_ms, max(event_ms) AS to_ms, minIf(receive_ms, state = 3) AS charging_ms,
        count() AS readings
    FROM readings
    INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
        AND readings.trade_hi = wanted.trade_hi AND readings.trade_lo = wanted.trade_lo
    WHERE pile_id IN (SELECT pile_id FROM wanted)
        AND event_ms >= %(from_ms)s
        AND (trade_hi != 0 OR trade_lo != 0)
        AND (protocol = 'ykc' OR state = 3) -- an idle AAF5 charger repeats its last session
    GROUP BY wanted.number
    UNION ALL
    SELECT wanted.number AS number, min(receive_ms), max(receive_ms), 0, 0
    FROM pile_bill_uploads AS uploads
    INNER JOIN wanted ON uploads.pile_id = wanted.pile_id AND uploads.connector = wanted.connector
        AND uploads.trade_no = wanted.trade_no
    WHERE (uploads.pile_id, uploads.connector, uploads.trade_no) IN (SELECT pile_id, connector, trade_no FROM wanted)
    GROUP BY wanted.number
)
GROUP BY number
