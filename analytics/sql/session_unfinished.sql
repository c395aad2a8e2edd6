-- Which of the last batches lack codes or bills, because the biller was cut off?
-- A complete batch has codes for each session, and a bill for each that is not under way.
WITH recent AS
(
    SELECT DISTINCT batch_id
    FROM session_revisions
    ORDER BY batch_id DESC
    LIMIT %(batches)s
)
SELECT batch_id
FROM
(
    SELECT batch_id, toInt64(count()) AS lacks_codes, toInt64(countIf(life NOT IN ('open', 'other_number'))) AS lacks_bills
    FROM session_revisions
    WHERE batch_id IN (SELECT batch_id FROM recent)
    GROUP BY batch_id
    UNION ALL
    SELECT batch_id, -toInt64(count()), 0
    FROM session_codes
    WHERE batch_id IN (SELECT batch_id FROM recent)
    GROUP BY batch_id
    UNION ALL
    SELECT batch_id, 0, -toInt64(count())
    FROM bill_revisions
    WHERE batch_id IN (SELECT batch_id FROM recent)
    GROUP BY batch_id
)
GROUP BY batch_id
HAVING sum(lacks_codes) > 0 OR sum(lacks_bills) > 0
ORDER BY batch_id
