-- Which sessions may change by time alone, and when? The time on a bill alone does not tell where readings may lie.
-- Only those whose revision is of `from_day` or later: what is older has stopped to wait.
SELECT
    pile_id,
    connector,
    trade_no,
    multiIf(current.1 > 0, current.2, current.3 > 0, current.3, current.2) AS since_ms,
    current.4 = 'open' AND current.1 > 0 AS charging,
    current.5 AS pending_ms
FROM
(
    SELECT
        pile_id,
        connector,
        trade_no,
        argMax((charging_readings, start_ms, bill_receive_ms, life, recheck_ms), (revision, inputs_digest)) AS current
    FROM session_revisions
    WHERE (pile_id, connector, trade_no) IN (
        SELECT pile_id, connector, trade_no
        FROM session_revisions
        WHERE recheck_ms > 0 AND local_day >= toDate(%(from_day)s))
    GROUP BY pile_id, connector, trade_no
)
WHERE pending_ms > 0
