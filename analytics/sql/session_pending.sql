-- Which sessions may change by time alone, and when?
SELECT pile_id, connector, trade_no, start_ms, life, recheck_ms
FROM sessions
WHERE recheck_ms > 0
