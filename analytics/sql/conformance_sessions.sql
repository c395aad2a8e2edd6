-- Which sessions are over and may be checked, because they are new or changed since a run of the biller?
-- A session whose record is still waited for is left out: it gets another revision when that comes or is given up.
SELECT
    pile_id, connector, trade_no, operator_id, station_id, pile, zone, local_day, start_ms, end_ms, after_ms, bill_receive_ms,
    start_command_ms, current_kind, bill_state, batch_id, charging_readings
FROM
(
    SELECT *
    FROM session_revisions
    WHERE (pile_id, connector, trade_no) IN
        (
            SELECT pile_id, connector, trade_no FROM session_revisions WHERE batch_id > %(since_batch)s
            UNION DISTINCT
            SELECT pile_id, connector, trade_no FROM pile_bill_uploads WHERE inserted_ms > %(since_upload_ms)s
        )
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
WHERE life != 'open' AND bill_state NOT IN ('waiting', 'overdue')
ORDER BY batch_id, pile_id, connector, trade_no
