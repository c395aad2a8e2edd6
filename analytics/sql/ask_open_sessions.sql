-- How many sessions are still under way?
SELECT count() AS sessions
FROM sessions
WHERE life = 'open' AND end_ms >= %(since_ms)s
    AND (%(all_operators)s OR operator_id IN %(operator_ids)s);
