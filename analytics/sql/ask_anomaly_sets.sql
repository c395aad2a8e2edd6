-- How many final bills carry which sets of anomaly codes, raw and after correction, and which causes?
-- A bill belongs to the local day of its end. One row per combination of raw set, corrected set and causes.
SELECT
    codes_raw,
    codes,
    causes,
    count() AS bills
FROM bills
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND status = 'final'
    AND local_day >= toDate(%(from_day)s)
    AND local_day <= toDate(%(to_day)s)
GROUP BY codes_raw, codes, causes
ORDER BY bills DESC, codes_raw, codes, causes
