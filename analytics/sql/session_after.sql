-- What did the connectors of these sessions show after the last charging reading, until 24 h later?
WITH
    (state = 3 AND (trade_hi != wanted.trade_hi OR trade_lo != wanted.trade_lo) AND (trade_hi != 0 OR trade_lo != 0))
        AS charges_again
SELECT
    number,
    after_ms,
    after_state,
    next_start_ms,
    if(unplugged > 0 AND unplugged < edge, unplugged, 0) AS unplugged_ms,
    arrayMax(arrayMap(row -> row.1, arrayFilter(row -> row.2 = 1 AND row.1 < stop, idle))) AS plugged_until_ms,
    arrayMax(arrayMap(row -> row.1, arrayFilter(row -> row.4 > %(balancing_w)s AND row.1 < stop, idle))) AS power_until_ms,
    arrayExists(row -> row.3 IN (0, 1) AND row.1 < stop, idle) AS fault
FROM
(
    SELECT
        number,
        after_ms,
        after_state,
        next_start_ms,
        idle,
        arrayFirst(row -> row.2 = 0, idle).1 AS unplugged,
        if(next_start_ms > 0, next_start_ms, 9223372036854775807) AS edge,
        if(unplugged > 0, least(unplugged, edge), edge) AS stop
    FROM
    (
        SELECT
            wanted.number AS number,
            min(event_ms) AS after_ms,
            argMin(state, (event_ms, receive_ms)) AS after_state,
            minIf(event_ms, charges_again) AS next_start_ms,
            arraySort(groupArrayIf(
                (event_ms, plugged, state, intDiv(toInt64(voltage_dv) * current_da, 100)), NOT charges_again)) AS idle
        FROM readings
        INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
        WHERE pile_id IN (SELECT pile_id FROM wanted)
            AND event_ms > %(from_ms)s
            AND event_ms > wanted.from_ms
            -- the session's own readings: some may be stored under a later time than they turned out to be of
            AND NOT (state = 3 AND trade_hi = wanted.trade_hi AND trade_lo = wanted.trade_lo
                AND (trade_hi != 0 OR trade_lo != 0))
            AND event_ms <= wanted.from_ms + %(occupancy_max_wait_ms)s
        GROUP BY wanted.number
    )
)
