-- Which frames are steps of these sessions? Some name the session, some only the connector, or not even that.
SELECT
    wanted.number AS number,
    frames.receive_ms,
    toString(frames.direction) AS direction,
    frames.frame_type,
    frames.connection_id,
    frames.trade_no,
    frames.seq,
    hex(frames.bytes) AS frame_hex,
    frames.segment_id,
    frames.segment_offset
FROM frames
INNER JOIN wanted ON frames.pile_id = wanted.pile_id
WHERE frames.pile_id IN (SELECT pile_id FROM wanted)
    AND frames.receive_ms >= %(from_ms)s AND frames.receive_ms <= %(to_ms)s
    AND frames.receive_ms >= wanted.from_ms AND frames.receive_ms <= wanted.to_ms
    AND frames.verdict IN ('ok', 'variant')
    AND toString(frames.protocol) = wanted.protocol
    AND frames.frame_type IN %(types)s AND has(wanted.types, frames.frame_type)
    AND (frames.connector = wanted.connector OR frames.connector = 0)
    AND (frames.trade_no = wanted.trade_no OR frames.trade_no = '' OR (frames.protocol = 'aaf5' AND frames.frame_type < 9))
ORDER BY number, frames.receive_ms, frames.segment_id, frames.segment_offset
