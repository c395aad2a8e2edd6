-- When were these piles heard last?
SELECT pile_id, max(last_ms)
FROM
(
    SELECT pile_id, max(receive_ms) AS last_ms
    FROM readings
    WHERE pile_id IN (SELECT pile_id FROM piles)
    GROUP BY pile_id
    UNION ALL
    SELECT pile_id, max(receive_ms)
    FROM pile_bill_uploads
    WHERE pile_id IN (SELECT pile_id FROM piles)
    GROUP BY pile_id
    UNION ALL
    SELECT pile_id, max(last_ms)
    FROM presence
    WHERE pile_id IN (SELECT pile_id FROM piles)
    GROUP BY pile_id
)
GROUP BY pile_id
