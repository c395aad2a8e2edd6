-- Which tariff version did these piles hold, and from when? The last before the time asked for, and all in it.
SELECT pile_id, max(event_ms), argMax(tariff_version_id, (event_ms, segment_id, segment_offset))
FROM tariff_acks
WHERE pile_id IN (SELECT pile_id FROM wanted) AND event_ms < %(from_ms)s
GROUP BY pile_id
UNION ALL
SELECT pile_id, event_ms, argMax(tariff_version_id, (segment_id, segment_offset))
FROM tariff_acks
WHERE pile_id IN (SELECT pile_id FROM wanted) AND event_ms BETWEEN %(from_ms)s AND %(to_ms)s
GROUP BY pile_id, event_ms
