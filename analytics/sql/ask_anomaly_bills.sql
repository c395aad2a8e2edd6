-- Which final bills of these days carry exactly this set of anomaly codes, raw or after correction? The newest first.
-- Codes stand in the order 1,2,3,4,5,7,8,9,11,6, as they are stored.
SELECT trade_no
FROM
(
    SELECT *
    FROM bill_revisions
    WHERE (pile_id, connector, trade_no) IN (
        SELECT pile_id, connector, trade_no
        FROM bill_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND local_day >= toDate(%(from_day)s)
            AND local_day <= toDate(%(to_day)s)
            AND (codes_raw = CAST(%(codes)s, 'Array(UInt8)') OR codes = CAST(%(codes)s, 'Array(UInt8)')))
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND status = 'final'
    AND local_day >= toDate(%(from_day)s)
    AND local_day <= toDate(%(to_day)s)
    AND (codes_raw = CAST(%(codes)s, 'Array(UInt8)') OR codes = CAST(%(codes)s, 'Array(UInt8)'))
ORDER BY end_ms DESC, pile_id, connector, trade_no
LIMIT %(limit)s
