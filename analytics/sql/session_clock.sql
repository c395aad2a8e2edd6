-- How far off were the clocks of these piles? A record may be sent long after its time, so it can only show a clock
-- that runs ahead.
SELECT pile_id, event_ms, offset_ms
FROM clock_offsets
WHERE pile_id IN (SELECT pile_id FROM wanted) AND event_ms BETWEEN %(from_ms)s AND %(to_ms)s AND (source != 'record' OR offset_ms > 0)
ORDER BY pile_id, event_ms, offset_ms
