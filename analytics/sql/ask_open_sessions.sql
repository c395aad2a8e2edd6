-- How many sessions are still under way?
-- A revision that says so belongs to the local day of its end, which is at most a day away from that in UTC.
WITH
    revisions AS
    (
        SELECT *
        FROM session_revisions
        WHERE (pile_id, connector, trade_no) IN (
            SELECT pile_id, connector, trade_no
            FROM session_revisions
            WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
                AND life = 'open' AND end_ms >= %(since_ms)s
                AND local_day >= toDate(fromUnixTimestamp64Milli(toInt64(greatest(%(since_ms)s, 86400000)), 'UTC')) - 1)
    ),
    current AS
    (
        SELECT argMax((operator_id, life, end_ms), (revision, inputs_digest)) AS latest
        FROM revisions
        GROUP BY pile_id, connector, trade_no
    )
SELECT count() AS sessions
FROM
(
    SELECT latest.1 AS operator_id, latest.2 AS life, latest.3 AS end_ms
    FROM current
)
WHERE life = 'open' AND end_ms >= %(since_ms)s
    AND (%(all_operators)s OR operator_id IN %(operator_ids)s)
