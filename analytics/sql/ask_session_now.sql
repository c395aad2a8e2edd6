-- How far is one charge that is under way, by its last reading?
-- The figures are those that the gateway's calculator accepted with that reading, as in ask_unbilled_now.sql.
-- What an AAF5 charger repeats of a session that is over is no reading of it.
SELECT
    max(event_ms) AS last_ms,
    max(if(state = 3, event_ms, 0)) AS charging_ms,
    argMax(readings.energy_e4kwh, (event_ms, segment_id, segment_offset)) AS counter_e4kwh,
    argMax(live_accepted_e4kwh, (event_ms, segment_id, segment_offset)) AS energy_e4kwh,
    argMax(live_amount_fen, (event_ms, segment_id, segment_offset)) AS amount_fen
FROM readings
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s
    AND event_ms >= %(from_ms)s AND event_ms <= %(now_ms)s + 60000
    AND trade_hi = %(trade_hi)s AND trade_lo = %(trade_lo)s AND (protocol = 'ykc' OR state = 3)
HAVING count() > 0
