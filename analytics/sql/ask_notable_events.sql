-- What happened lately that an operator may want to look into?
-- Faults and recoveries, broken life cycles, alarms, chargers that fell silent, refused logins, orders that were not
-- carried out, bills with codes that wait for a person, the platform's own outages. A connection that was refused or
-- replaced with an alarm shows the alarm alone, and so does a charger whose silence was alarmed.
WITH notable AS
(
    SELECT event_ms, 'connector' AS kind, event, toString(detail) AS detail, pile_id, connector, trade_no, '' AS pile_text
    FROM connector_events
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND event_ms >= %(since_ms)s AND event_ms <= %(now_ms)s + 60000 AND event IN ('fault', 'recovered', 'violation')
    UNION ALL
    SELECT event_ms, 'connection' AS kind, event, toString(detail) AS detail, pile_id, 0 AS connector, '' AS trade_no, pile AS pile_text
    FROM connection_events
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND event_ms >= %(since_ms)s AND event_ms <= %(now_ms)s + 60000 AND event IN ('login_refused', 'replaced')
        AND NOT (event = 'replaced' AND (pile_id, intDiv(event_ms, 1000)) IN (
            SELECT pile_id, arrayJoin([intDiv(event_ms, 1000) - 1, intDiv(event_ms, 1000), intDiv(event_ms, 1000) + 1])
            FROM alarms
            WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND kind = 'takeover' AND event_ms >= %(since_ms)s))
        AND NOT (event = 'login_refused' AND detail = 'id_in_use')
    UNION ALL
    SELECT event_ms, 'alarm' AS kind, toString(alarms.kind) AS event, detail, pile_id, connector, '' AS trade_no,
        if(pile_id = 0, peer, '') AS pile_text
    FROM alarms
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND event_ms >= %(since_ms)s AND event_ms <= %(now_ms)s + 60000
    UNION ALL
    SELECT heard_ms AS event_ms, 'pile' AS kind, 'silent' AS event, '' AS detail, heard.pile_id AS pile_id, 0 AS connector, '' AS trade_no, '' AS pile_text
    FROM
    (
        SELECT pile_id, max(last_ms) AS heard_ms
        FROM presence
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND first_ms >= %(since_ms)s AND first_ms <= %(now_ms)s + 60000
        GROUP BY pile_id
    ) AS heard
    LEFT JOIN
    (
        SELECT pile_id, max(event_ms) AS alarmed_ms
        FROM alarms
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND kind = 'silent' AND event_ms >= %(since_ms)s
        GROUP BY pile_id
    ) AS alarmed ON heard.pile_id = alarmed.pile_id
    WHERE heard_ms < %(now_ms)s - %(quiet_ms)s AND alarmed_ms < heard_ms
    UNION ALL
    SELECT end_ms AS event_ms, 'bill' AS kind, 'abnormal' AS event, arrayStringConcat(arrayMap(code -> toString(code), codes), ',') AS detail, pile_id, connector, trade_no, '' AS pile_text
    FROM
    (
        SELECT *
        FROM bill_revisions
        WHERE local_day >= toDate(%(day)s) - 1
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND end_ms >= %(since_ms)s AND end_ms <= %(now_ms)s + 60000 AND final_rule != 0 AND held = 1 AND notEmpty(codes)
    UNION ALL
    SELECT sent_ms AS event_ms, 'command' AS kind, concat(command, '.', outcome) AS event, detail, pile_id, connector, trade_no, '' AS pile_text
    FROM commands
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND sent_ms >= %(since_ms)s AND sent_ms <= %(now_ms)s + 60000 AND outcome NOT IN ('ok', 'sent')
    UNION ALL
    SELECT to_ms AS event_ms, 'outage' AS kind, toString(cause) AS event, toString(to_ms - from_ms) AS detail, 0 AS pile_id, 0 AS connector, '' AS trade_no, '' AS pile_text
    FROM platform_outages
    WHERE to_ms >= %(since_ms)s AND to_ms <= %(now_ms)s + 60000
)
SELECT
    notable.event_ms AS event_ms,
    notable.kind AS kind,
    notable.event AS event,
    notable.detail AS detail,
    if(notable.pile_text != '', notable.pile_text, piles.pile) AS pile,
    notable.connector AS connector,
    notable.trade_no AS trade_no,
    stations.name AS station,
    stations.name_en AS station_en
FROM notable
LEFT JOIN dim_piles AS piles ON piles.pile_id = notable.pile_id
LEFT JOIN dim_stations AS stations ON stations.station_id = piles.station_id
ORDER BY event_ms DESC
LIMIT %(limit)s
