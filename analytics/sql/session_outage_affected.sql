-- Which known sessions does an outage of the platform touch?
SELECT pile_id, connector, trade_no,
    multiIf(charging_readings > 0, start_ms, bill_receive_ms > 0, bill_receive_ms, start_ms) AS since_ms
FROM
(
    SELECT pile_id, connector, trade_no, life, start_ms, end_ms, bill_receive_ms, charging_readings
    FROM session_revisions
    WHERE local_day >= toDate(fromUnixTimestamp64Milli(toInt64(%(from_ms)s), 'UTC')) - 3
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
WHERE life != 'open' AND start_ms <= %(to_ms)s AND greatest(end_ms, bill_receive_ms) >= %(from_ms)s
