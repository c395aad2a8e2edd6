-- Which sets of codes do the bills carry that were first decided during a span of time?
SELECT
    codes_raw,
    codes,
    count() AS bills
FROM bills
INNER JOIN
(
    SELECT pile_id, connector, trade_no, min(computed_ms) AS decided_ms
    FROM bill_revisions
    WHERE status = 'final' AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
    GROUP BY pile_id, connector, trade_no
) AS first_decision USING (pile_id, connector, trade_no)
WHERE status = 'final' AND decided_ms >= %(from_ms)s AND decided_ms < %(to_ms)s
    AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
GROUP BY codes_raw, codes
ORDER BY codes_raw, codes;
