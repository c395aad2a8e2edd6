-- In which state did the connector stand when it was first heard after a charge?
SELECT event_ms, toString(protocol) AS protocol, state, work_state, alarm, fault_bits
FROM readings
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s
    AND event_ms > %(end_ms)s AND event_ms <= %(to_ms)s AND state != 3
ORDER BY event_ms, segment_id, segment_offset
LIMIT 1
