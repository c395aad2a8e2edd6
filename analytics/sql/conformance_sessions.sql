-- Which of these sessions are over and may be checked, by their newest revision?
-- A session whose record is still waited for is left out: it gets another revision when that comes or is given up.
SELECT
    pile_id, connector, trade_no, operator_id, station_id, pile, zone, local_day, start_ms, end_ms, after_ms, bill_receive_ms,
    start_command_ms, current_kind, bill_state, batch_id, charging_readings
FROM
(
    SELECT *
    FROM session_revisions
    WHERE (pile_id, connector, trade_no) IN (SELECT pile_id, connector, trade_no FROM wanted)
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
WHERE life NOT IN ('open', 'other_number') AND bill_state NOT IN ('waiting', 'overdue')
ORDER BY pile_id, connector, trade_no
