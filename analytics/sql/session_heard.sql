-- In which minutes were these piles heard, from when to when?
SELECT pile_id, min(from_ms) AS first_ms, max(to_ms) AS last_ms
FROM
(
    SELECT pile_id, first_ms AS from_ms, last_ms AS to_ms
    FROM presence
    WHERE pile_id IN (SELECT pile_id FROM wanted) AND first_ms >= %(from_ms)s - 60000
    UNION ALL
    SELECT pile_id, receive_ms, receive_ms
    FROM readings
    WHERE pile_id IN (SELECT pile_id FROM wanted) AND event_ms >= %(from_ms)s - 3600000 AND receive_ms >= %(from_ms)s - 60000
)
GROUP BY pile_id, intDiv(from_ms, 60000)
ORDER BY pile_id, first_ms
