-- How many connectors of each station charge, are plugged, idle, faulty or offline now, and how much power do they give?
-- A charger is offline when nothing of it was heard for quiet_ms or its last connection was closed; a connector that
-- is heard but sent no realtime frame within window_ms is unknown. Output power is voltage times current.
WITH
    last_reading AS
    (
        SELECT
            pile_id,
            connector,
            max(receive_ms) AS reading_ms,
            argMax((connection_id, state, plugged, intDiv(toUInt64(voltage_dv) * current_da, 100)), (event_ms, segment_id, segment_offset)) AS seen
        FROM readings
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND event_ms > %(now_ms)s - %(window_ms)s AND event_ms <= %(now_ms)s + 60000
        GROUP BY pile_id, connector
    ),
    last_heard AS
    (
        SELECT pile_id, max(last_ms) AS presence_ms, argMax(connection_id, last_ms) AS presence_connection
        FROM presence
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND first_ms > %(now_ms)s - %(window_ms)s AND first_ms <= %(now_ms)s + 60000
        GROUP BY pile_id
    ),
    closed AS
    (
        SELECT connection_id
        FROM connection_events
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND event = 'closed' AND event_ms > %(now_ms)s - %(window_ms)s
    ),
    pile_heard AS
    (
        SELECT
            pile_id,
            max(source_ms) AS heard_ms,
            argMax(source_connection, source_ms) AS connection_id
        FROM
        (
            SELECT pile_id, reading_ms AS source_ms, seen.1 AS source_connection FROM last_reading
            UNION ALL
            SELECT pile_id, presence_ms AS source_ms, presence_connection AS source_connection FROM last_heard
        )
        GROUP BY pile_id
    ),
    owned AS
    (
        SELECT pile_id, operator_id
        FROM dim_pile_owners
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND from_ms <= %(now_ms)s AND to_ms > %(now_ms)s
    ),
    connector_now AS
    (
        SELECT
            piles.station_id AS station_id,
            owned.operator_id AS operator_id,
            connectors.rated_power_w AS rated_w,
            multiIf(
                pile_heard.heard_ms < %(now_ms)s - %(quiet_ms)s OR pile_heard.connection_id IN (SELECT connection_id FROM closed), 'offline',
                last_reading.reading_ms = 0, 'unknown',
                last_reading.seen.2 = 0, 'offline',
                last_reading.seen.2 = 1, 'fault',
                last_reading.seen.2 = 3, 'charging',
                last_reading.seen.3 = 1, 'plugged',
                last_reading.seen.2 = 2, 'idle',
                'unknown') AS state,
            last_reading.seen.4 AS output_w
        FROM owned
        INNER JOIN dim_piles AS piles ON piles.pile_id = owned.pile_id
        INNER JOIN dim_connectors AS connectors ON connectors.pile_id = owned.pile_id
        LEFT JOIN last_reading ON last_reading.pile_id = connectors.pile_id AND last_reading.connector = connectors.connector
        LEFT JOIN pile_heard ON pile_heard.pile_id = owned.pile_id
    )
SELECT
    connector_now.station_id AS station_id,
    any(stations.name) AS station,
    any(stations.name_en) AS station_en,
    any(stations.profile) AS profile,
    any(operators.name) AS operator,
    any(operators.name_en) AS operator_en,
    count() AS connectors,
    countIf(state = 'charging') AS charging,
    countIf(state = 'plugged') AS plugged,
    countIf(state = 'idle') AS idle,
    countIf(state = 'fault') AS fault,
    countIf(state = 'offline') AS offline,
    countIf(state = 'unknown') AS unknown,
    sumIf(connector_now.output_w, connector_now.state = 'charging') AS power_w,
    sum(connector_now.rated_w) AS rated_power_w
FROM connector_now
LEFT JOIN dim_stations AS stations ON stations.station_id = connector_now.station_id
LEFT JOIN dim_operators AS operators ON operators.operator_id = connector_now.operator_id
GROUP BY station_id
ORDER BY power_w DESC, station_id
