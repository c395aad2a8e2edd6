-- Which sessions are over and may be checked, because something of them is new since a moment? The oldest news first.
-- A session whose record is still waited for is left out: it gets another revision when that comes or is given up.
-- batch_id holds the moment of the biller's run in all but its 20 lowest bits.
SELECT
    pile_id, connector, trade_no, operator_id, station_id, pile, zone, local_day, start_ms, end_ms, after_ms, bill_receive_ms,
    start_command_ms, current_kind, bill_state, batch_id, charging_readings,
    greatest(toInt64(bitShiftRight(batch_id, 20)), news.uploaded_ms) AS newest_ms
FROM
(
    SELECT *
    FROM session_revisions
    WHERE (pile_id, connector, trade_no) IN
        (
            SELECT pile_id, connector, trade_no FROM session_revisions
            WHERE batch_id > bitShiftLeft(toUInt64(%(since_ms)s), 20)
            UNION DISTINCT
            SELECT pile_id, connector, trade_no FROM pile_bill_uploads WHERE inserted_ms > %(since_ms)s
        )
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
) AS session
LEFT JOIN
(
    SELECT pile_id, connector, trade_no, max(inserted_ms) AS uploaded_ms
    FROM pile_bill_uploads
    WHERE inserted_ms > %(since_ms)s
    GROUP BY pile_id, connector, trade_no
) AS news ON news.pile_id = session.pile_id AND news.connector = session.connector AND news.trade_no = session.trade_no
WHERE life NOT IN ('open', 'other_number') AND bill_state NOT IN ('waiting', 'overdue')
ORDER BY newest_ms, pile_id, connector, trade_no
