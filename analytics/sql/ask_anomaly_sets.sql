-- How many final bills carry which sets of anomaly codes, raw and after correction, and which causes?
-- A bill belongs to the local day of its end. One row per combination of raw set, corrected set and causes.
-- A bill whose current revision is of these days has a revision of these days: only such bills are read whole.
WITH current AS
(
    SELECT codes_raw, codes, causes, operator_id, status, local_day
    FROM bill_revisions
    -- all days there can be: every bill is wanted, and a set of them all would only cost memory
    WHERE (toDate(%(from_day)s) = '1970-01-01' AND toDate(%(to_day)s) = '2149-06-06') OR (pile_id, connector, trade_no) IN (
        SELECT pile_id, connector, trade_no
        FROM bill_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND local_day >= toDate(%(from_day)s)
            AND local_day <= toDate(%(to_day)s))
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
SELECT
    codes_raw,
    codes,
    causes,
    count() AS bills
FROM current
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND status = 'final'
    AND local_day >= toDate(%(from_day)s)
    AND local_day <= toDate(%(to_day)s)
GROUP BY codes_raw, codes, causes
ORDER BY bills DESC, codes_raw, codes, causes
