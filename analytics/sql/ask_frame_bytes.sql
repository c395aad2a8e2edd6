-- Which bytes does one stored frame have, and on which charger did it arrive?
SELECT hex(bytes) AS frame_hex, receive_ms, pile_id, frame_type, verdict
FROM frames
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND receive_ms = %(receive_ms)s
    AND segment_id = %(segment_id)s AND segment_offset = %(segment_offset)s
LIMIT 1
