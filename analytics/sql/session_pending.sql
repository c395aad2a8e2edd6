-- Which sessions may change by time alone, and when? The time on a bill alone does not tell where readings may lie.
SELECT pile_id, connector, trade_no,
    multiIf(charging_readings > 0, start_ms, bill_receive_ms > 0, bill_receive_ms, start_ms) AS since_ms,
    life = 'open' AND charging_readings > 0 AS charging, recheck_ms
FROM sessions
WHERE recheck_ms > 0
