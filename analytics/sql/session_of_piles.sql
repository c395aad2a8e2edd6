-- Which sessions do these piles have, and how far do their facts reach? 0 = none of that kind.
SELECT pile_id, connector, trade_no,
    (minIf(from_ms, readings > 0), maxIf(to_ms, readings > 0), minIf(from_ms, readings = 0), maxIf(to_ms, readings = 0), max(charging_ms), sum(readings))
        AS span
FROM
(
    SELECT pile_id, connector,
        if(any(session_no) != '', toString(any(session_no)), concat(leftPad(hex(trade_hi), 16, '0'), leftPad(hex(trade_lo), 16, '0'))) AS trade_no,
        min(event_ms) AS from_ms, max(event_ms) AS to_ms, minIf(receive_ms, state = 3) AS charging_ms, count() AS readings
    FROM readings
    WHERE pile_id IN (SELECT pile_id FROM piles) AND (trade_hi != 0 OR trade_lo != 0)
        AND (protocol = 'ykc' OR state = 3) -- an idle AAF5 charger repeats its last session
    GROUP BY pile_id, connector, trade_hi, trade_lo
    UNION ALL
    SELECT pile_id, connector, trade_no, min(receive_ms), max(receive_ms), 0, 0
    FROM pile_bill_uploads
    WHERE pile_id IN (SELECT pile_id FROM piles)
    GROUP BY pile_id, connector, trade_no
)
GROUP BY pile_id, connector, trade_no
