-- What was said on these connections around their login? Frames before it are quarantined under no charger.
SELECT
    wanted.number AS number, frames.receive_ms, toString(frames.direction) AS direction, frames.frame_type,
    frames.connection_id, frames.verdict, hex(frames.bytes) AS frame_hex, frames.segment_id, frames.segment_offset
FROM frames
INNER JOIN wanted ON frames.connection_id = wanted.connection_id
WHERE (frames.pile_id = 0 OR frames.pile_id IN (SELECT pile_id FROM wanted))
    AND frames.receive_ms >= %(from_ms)s AND frames.receive_ms <= %(to_ms)s
    AND frames.receive_ms >= wanted.from_ms AND frames.receive_ms <= wanted.to_ms
    AND (frames.verdict = 'not_logged_in' OR (has(wanted.types, frames.frame_type) AND frames.verdict IN ('ok', 'variant')))
ORDER BY number, frames.receive_ms, frames.segment_id, frames.segment_offset
LIMIT 100 BY number
