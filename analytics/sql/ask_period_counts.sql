-- How many frames, readings, sessions and bills came in during a span of time?
SELECT
    (
        SELECT count()
        FROM frames
        WHERE direction = 'up' AND verdict IN ('ok', 'variant', 'unknown_type')
            AND receive_ms >= %(from_ms)s AND receive_ms < %(to_ms)s
            AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
    ) + (
        SELECT countIf(exact = 1)
        FROM readings
        WHERE receive_ms >= %(from_ms)s AND receive_ms < %(to_ms)s
            AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
    ) AS frames,
    (
        SELECT count()
        FROM readings
        WHERE receive_ms >= %(from_ms)s AND receive_ms < %(to_ms)s
            AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
    ) AS readings,
    (
        SELECT uniqExact(pile_id, connector, number)
        FROM
        (
            SELECT pile_id, connector, trade_no AS number
            FROM readings
            WHERE receive_ms >= %(from_ms)s AND receive_ms < %(to_ms)s AND (trade_hi, trade_lo) != (0, 0)
                AND (protocol = 'ykc' OR state = 3) -- an idle AAF5 charger repeats its last session
                AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
            UNION ALL
            SELECT pile_id, connector, trade_no AS number
            FROM pile_bill_uploads
            WHERE receive_ms >= %(from_ms)s AND receive_ms < %(to_ms)s
                AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
        )
    ) AS sessions,
    (
        SELECT uniqExact(pile_id, connector, trade_no, content_digest)
        FROM pile_bill_uploads
        WHERE receive_ms >= %(from_ms)s AND receive_ms < %(to_ms)s
            AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
    ) AS bills;
