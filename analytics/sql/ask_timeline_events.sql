-- What else happened around one charge: who started it, orders, plug and state, connections, clock, tariff, alarms, outages?
SELECT at_ms, until_ms, kind, name, detail, account, trade_no, segment_id, segment_offset
FROM
(
    SELECT
        event_ms AS at_ms, toInt64(0) AS until_ms, 'start' AS kind, toString(method) AS name,
        concat(source, if(granted = 1, '', concat(', refused: ', reason))) AS detail, account, trade_no, segment_id, segment_offset
    FROM session_starts
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND connector = %(connector)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
        AND trade_no IN ('', %(trade_no)s)
    UNION ALL
    SELECT
        sent_ms, answered_ms, 'order', toString(command), concat(outcome, if(detail = '', '', concat(', ', detail))),
        if(attempts > 1, concat(toString(attempts), ' attempts'), ''), trade_no, segment_id, segment_offset
    FROM commands
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0)
        AND sent_ms >= %(from_ms)s AND sent_ms <= %(to_ms)s AND trade_no IN ('', %(trade_no)s)
    UNION ALL
    SELECT event_ms, 0, 'connector', toString(event), toString(detail), '', trade_no, segment_id, segment_offset
    FROM connector_events
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND connector = %(connector)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
        AND (trade_no IN ('', %(trade_no)s) OR event IN ('plugged', 'unplugged', 'fault', 'recovered'))
    UNION ALL
    SELECT event_ms, 0, 'connection', toString(event), toString(detail), peer, '', segment_id, segment_offset
    FROM connection_events
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT
        event_ms, 0, 'identity', toString(protocol_version), toString(firmware), '', '', segment_id, segment_offset
    FROM charger_identities
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT event_ms, 0, 'clock', toString(source), toString(offset_ms), '', '', segment_id, segment_offset
    FROM clock_offsets
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT event_ms, 0, 'tariff', toString(source), model_no, '', '', segment_id, segment_offset
    FROM tariff_acks
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT event_ms, 0, 'alarm', toString(kind), detail, peer, '', segment_id, segment_offset
    FROM alarms
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0)
        AND event_ms >= %(from_ms)s AND event_ms <= %(to_ms)s
    UNION ALL
    SELECT from_ms, to_ms, 'outage', toString(cause), '', '', '', toUInt64(0), toUInt64(0)
    FROM platform_outages
    WHERE to_ms >= %(from_ms)s AND from_ms <= %(to_ms)s
)
ORDER BY at_ms, kind, name, segment_id, segment_offset
LIMIT 5000
