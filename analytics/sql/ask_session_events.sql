-- What happened around one charge: orders and answers, plug and state changes, connections, clock, records, outages?
SELECT event_ms, kind, event, detail
FROM
(
    SELECT sent_ms AS event_ms, 'command' AS kind, concat(command, '.sent') AS event, '' AS detail
    FROM commands
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0)
        AND sent_ms >= %(from_ms)s AND sent_ms <= %(to_ms)s
        AND (trade_no = %(trade_no)s OR trade_no = '')
    UNION ALL
    SELECT if(answered_ms > 0, answered_ms, sent_ms) AS event_ms, 'command' AS kind, concat(command, '.', outcome) AS event, detail
    FROM commands
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0)
        AND sent_ms >= %(from_ms)s AND sent_ms <= %(to_ms)s
        AND (trade_no = %(trade_no)s OR trade_no = '') AND outcome != 'sent'
    UNION ALL
    SELECT event_ms, 'connector' AS kind, toString(event) AS event, toString(detail) AS detail
    FROM connector_events
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND connector = %(connector)s
        AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
        AND (trade_no IN ('', %(trade_no)s) OR event IN ('plugged', 'unplugged', 'fault', 'recovered'))
    UNION ALL
    SELECT event_ms, 'connection' AS kind, toString(event) AS event, toString(detail) AS detail
    FROM connection_events
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT event_ms, 'clock' AS kind, toString(source) AS event, toString(offset_ms) AS detail
    FROM clock_offsets
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT event_ms, 'alarm' AS kind, toString(alarms.kind) AS event, detail
    FROM alarms
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0)
        AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT event_ms, 'tariff' AS kind, toString(source) AS event, model_no AS detail
    FROM tariff_acks
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT receive_ms AS event_ms, 'record' AS kind, 'received' AS event, toString(energy_e4kwh) AS detail
    FROM pile_bill_uploads
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
    UNION ALL
    SELECT computed_ms AS event_ms, 'bill' AS kind, toString(status) AS event, toString(revision) AS detail
    FROM bill_revisions
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
    UNION ALL
    SELECT from_ms AS event_ms, 'outage' AS kind, toString(cause) AS event, toString(to_ms - from_ms) AS detail
    FROM platform_outages
    WHERE to_ms >= %(from_ms)s AND from_ms <= %(to_ms)s
)
ORDER BY event_ms, kind, endsWith(event, '.sent') DESC, event, detail
LIMIT 500
