-- Which frames of one charge are stored, with their bytes, and which of them had the charger kept while it was away?
-- Frames without a session's number count by connector and time; those with one up to two days around the charge, and
-- around every upload of its record, which may be days late. An AAF5 start may go by another number than the session, and
-- so may the record (record_no). `statuses`: the AAF5 statuses, which stand in `readings` as well, too.
WITH
    (
        SELECT (min(receive_ms), max(receive_ms), count())
        FROM pile_bill_uploads
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0)
            AND trade_no IN (%(trade_no)s, %(record_no)s)
    ) AS uploads,
    if(uploads.3 = 0, %(from_ms)s, least(%(from_ms)s, uploads.1)) - 172800000 AS first_ms,
    if(uploads.3 = 0, %(to_ms)s, greatest(%(to_ms)s, uploads.2)) + 172800000 AS last_ms
SELECT
    receive_ms,
    if(kept.stored = 1 AND kept.end_ms > 0, kept.end_ms, receive_ms) AS event_ms,
    toString(direction) AS direction,
    toString(protocol) AS protocol,
    frame_type,
    toString(verdict) AS verdict,
    trade_no != '' AS named,
    connection_id,
    hex(bytes) AS frame_hex,
    frames.segment_id AS segment_id,
    frames.segment_offset AS segment_offset,
    kept.stored AS stored
FROM frames
LEFT JOIN
(
    SELECT segment_id, segment_offset, stored, end_ms
    FROM pile_bill_uploads
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND trade_no IN (%(trade_no)s, %(record_no)s)
) AS kept ON kept.segment_id = frames.segment_id AND kept.segment_offset = frames.segment_offset
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND receive_ms >= first_ms AND receive_ms <= last_ms
    AND (connector = %(connector)s OR connector = 0)
    AND (
        trade_no IN (%(trade_no)s, %(record_no)s)
        OR (receive_ms >= %(from_ms)s AND receive_ms <= %(to_ms)s
            AND (trade_no = '' OR (protocol = 'aaf5' AND frame_type IN (7, 8)))))
    AND (%(statuses)s OR NOT (protocol = 'aaf5' AND frame_type = 104 AND verdict = 'ok'))
ORDER BY event_ms, segment_id, segment_offset
LIMIT 50000
