-- Which sets of codes do the bills carry that were first decided during a span of time?
-- Such a bill has a final revision of that span: only bills that have one are read whole.
WITH
    revisions AS
    (
        SELECT *
        FROM bill_revisions
        WHERE (pile_id, connector, trade_no) IN (
            SELECT pile_id, connector, trade_no
            FROM bill_revisions
            WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
                AND status = 'final' AND computed_ms >= %(from_ms)s AND computed_ms < %(to_ms)s)
    ),
    current AS
    (
        SELECT
            argMax((codes_raw, codes, operator_id, status), (revision, inputs_digest)) AS latest,
            minIf(computed_ms, status = 'final' AND (%(all_operators)s OR operator_id IN %(operator_ids)s))
                AS decided_ms
        FROM revisions
        GROUP BY pile_id, connector, trade_no
    )
SELECT
    codes_raw,
    codes,
    count() AS bills
FROM
(
    SELECT latest.1 AS codes_raw, latest.2 AS codes, latest.3 AS operator_id, latest.4 AS status, decided_ms
    FROM current
)
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND status = 'final' AND decided_ms >= %(from_ms)s AND decided_ms < %(to_ms)s
GROUP BY codes_raw, codes
ORDER BY codes_raw, codes
