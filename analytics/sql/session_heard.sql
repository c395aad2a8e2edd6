-- When were these piles heard, from when to when, where a silence up to `silence_ms` is none?
SELECT pile_id, min(from_ms) AS first_ms, max(to_ms) AS last_ms
FROM
(
    SELECT pile_id, from_ms, to_ms, sum(begins) OVER (PARTITION BY pile_id ORDER BY from_ms, to_ms ROWS UNBOUNDED PRECEDING) AS run
    FROM
    (
        SELECT
            pile_id, from_ms, to_ms,
            from_ms - max(to_ms) OVER (PARTITION BY pile_id ORDER BY from_ms, to_ms ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
                > %(silence_ms)s AS begins
        FROM
        (
            SELECT pile_id, min(first_ms) AS from_ms, max(last_ms) AS to_ms
            FROM
            (
                SELECT pile_id, first_ms, last_ms
                FROM presence
                WHERE pile_id IN (SELECT pile_id FROM wanted) AND first_ms >= %(from_ms)s - 60000
                UNION ALL
                SELECT pile_id, receive_ms, receive_ms
                FROM readings
                WHERE pile_id IN (SELECT pile_id FROM wanted) AND event_ms >= %(from_ms)s - 3600000 AND receive_ms >= %(from_ms)s - 60000
            )
            GROUP BY pile_id, intDiv(first_ms, 60000)
        )
    )
)
GROUP BY pile_id, run
ORDER BY pile_id, first_ms
