-- Who started this charge, or tried to, and by what is it known? The best source first.
-- An order whose number the charger did not take over is found by the moment when it was sent (`order_ms`, 0 = none).
SELECT method, account, source, granted, reason, event_ms
FROM session_starts
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s
    AND (trade_no = %(trade_no)s OR (source = 'order' AND trade_no IN (
        SELECT trade_no
        FROM commands
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND pile_id = %(pile_id)s AND connector = %(connector)s
            AND sent_ms = %(order_ms)s AND %(order_ms)s > 0 AND trade_no != '')))
ORDER BY
    indexOf(['request', 'order', 'record', 'status'], toString(source)) = 0,
    indexOf(['request', 'order', 'record', 'status'], toString(source)),
    granted DESC, event_ms, segment_id, segment_offset
LIMIT 20
