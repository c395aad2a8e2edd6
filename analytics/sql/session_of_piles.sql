-- Which sessions do these piles have, and since when?
SELECT pile_id, connector, trade_no, min(from_ms)
FROM
(
    SELECT pile_id, connector,
        if(any(session_no) != '', toString(any(session_no)), concat(leftPad(hex(trade_hi), 16, '0'), leftPad(hex(trade_lo), 16, '0'))) AS trade_no,
        min(event_ms) AS from_ms
    FROM readings
    WHERE pile_id IN (SELECT pile_id FROM piles) AND (trade_hi != 0 OR trade_lo != 0)
        AND (protocol = 'ykc' OR state = 3) -- an idle AAF5 charger repeats its last session
    GROUP BY pile_id, connector, trade_hi, trade_lo
    UNION ALL
    SELECT pile_id, connector, trade_no, min(receive_ms)
    FROM pile_bill_uploads
    WHERE pile_id IN (SELECT pile_id FROM piles)
    GROUP BY pile_id, connector, trade_no
)
GROUP BY pile_id, connector, trade_no
