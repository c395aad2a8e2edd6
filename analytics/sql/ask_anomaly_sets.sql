-- How many final bills carry which sets of anomaly codes, raw and after correction, of which causes, and why do codes remain?
-- A bill belongs to the local day of its end. One row per group (its `kinds`, see analytics.anomalies), meter of whole kWh
-- or not, raw set, corrected set, causes, hits that remain, and what is wrong with the order of the charger's steps.
-- A bill whose current revision is of these days has a revision of these days: only such bills are read whole. The hits
-- and the order of steps are asked for where a code remains; the firmware is what the charger said at its last login
-- before the charge ended.
WITH
CAST(%(kinds)s, 'Array(String)') AS kinds,
remaining AS
(
    SELECT pile_id, connector, trade_no, revision, inputs_digest, hits
    FROM session_codes
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND (pile_id, connector, trade_no) IN (
        SELECT pile_id, connector, trade_no
        FROM bill_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND notEmpty(codes)
            AND local_day >= toDate(%(from_day)s)
            AND local_day <= toDate(%(to_day)s))
    LIMIT 1 BY pile_id, connector, trade_no, revision, inputs_digest
),
checked AS
(
    SELECT pile_id, connector, trade_no, arraySort(arrayDistinct(extractAll(pattern, '[A-Z]+'))) AS step_faults
    FROM
    (
        SELECT pile_id, connector, trade_no, pattern
        FROM conformance_checks
        WHERE connection_id = 0 AND (pile_id, connector, trade_no) IN (
            SELECT pile_id, connector, trade_no
            FROM bill_revisions
            WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
                AND notEmpty(codes)
                AND local_day >= toDate(%(from_day)s)
                AND local_day <= toDate(%(to_day)s))
        ORDER BY check_id DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE pattern != ''
),
current AS
(
    SELECT
        pile_id, connector, trade_no, revision, inputs_digest, codes_raw, codes, causes, operator_id, station_id, status,
        local_day, end_ms, quantum_e4kwh
    FROM bill_revisions
    -- all days there can be: every bill is wanted, and a set of them all would only cost memory
    WHERE (toDate(%(from_day)s) = '1970-01-01' AND toDate(%(to_day)s) = '2149-06-06') OR (pile_id, connector, trade_no) IN (
        SELECT pile_id, connector, trade_no
        FROM bill_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND local_day >= toDate(%(from_day)s)
            AND local_day <= toDate(%(to_day)s))
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
),
counted AS
(
    SELECT
        if(has(kinds, 'day'), toString(current.local_day), '') AS day,
        if(has(kinds, 'month'), formatDateTime(current.local_day, '%%Y-%%m'), '') AS month,
        if(has(kinds, 'operator'), current.operator_id, 0) AS of_operator,
        if(has(kinds, 'station'), current.station_id, 0) AS of_station,
        if(hasAny(kinds, ['pile', 'vendor', 'model', 'firmware']), current.pile_id, 0) AS of_pile,
        firmwares.firmware AS firmware,
        if(current.quantum_e4kwh > 0, current.quantum_e4kwh, meters.quantum_e4kwh) >= 10000 AS whole_kwh,
        current.codes_raw AS codes_raw,
        current.codes AS codes,
        current.causes AS causes,
        arrayMap(hit -> (hit.code, hit.reason, hit.cause), arrayFilter(hit -> hit.reading = 'corrected', remaining.hits))
            AS remaining_hits,
        checked.step_faults AS step_faults,
        count() AS bills
    FROM current
    LEFT JOIN (SELECT pile_id, quantum_e4kwh FROM dim_piles) AS meters ON meters.pile_id = current.pile_id
    LEFT JOIN remaining ON remaining.pile_id = current.pile_id AND remaining.connector = current.connector
        AND remaining.trade_no = current.trade_no AND remaining.revision = current.revision
        AND remaining.inputs_digest = current.inputs_digest
    LEFT JOIN checked ON checked.pile_id = current.pile_id AND checked.connector = current.connector
        AND checked.trade_no = current.trade_no
    ASOF LEFT JOIN
    (
        SELECT pile_id, event_ms, firmware
        FROM charger_identities
        WHERE has(kinds, 'firmware')
        ORDER BY segment_id DESC, segment_offset DESC
        LIMIT 1 BY pile_id, event_ms
    ) AS firmwares ON firmwares.pile_id = current.pile_id AND firmwares.event_ms <= current.end_ms
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND current.status = 'final'
        AND current.local_day >= toDate(%(from_day)s)
        AND current.local_day <= toDate(%(to_day)s)
    GROUP BY
        day, month, of_operator, of_station, of_pile, firmware, whole_kwh, codes_raw, codes, causes, remaining_hits,
        step_faults
)
SELECT
    arrayMap(kind -> multiIf(
        kind = 'day', day,
        kind = 'month', month,
        kind = 'operator', if(operators.name = '', toString(of_operator), operators.name),
        kind = 'station', if(stations.name = '', toString(of_station), stations.name),
        kind = 'vendor', toString(piles.vendor),
        kind = 'model', arrayStringConcat(arrayDistinct([toString(piles.vendor), toString(piles.model)]), ' '),
        kind = 'firmware', concat(arrayStringConcat(arrayDistinct([toString(piles.vendor), toString(piles.model)]), ' '), ' ', if(firmware = '', '?', toString(firmware))),
        toString(piles.pile)), kinds) AS key,
    whole_kwh,
    codes_raw,
    codes,
    causes,
    remaining_hits,
    step_faults,
    sum(counted.bills) AS bills
FROM counted
LEFT JOIN (SELECT operator_id, name FROM dim_operators) AS operators ON operators.operator_id = counted.of_operator
LEFT JOIN (SELECT station_id, name FROM dim_stations) AS stations ON stations.station_id = counted.of_station
LEFT JOIN (SELECT pile_id, pile, vendor, model FROM dim_piles) AS piles ON piles.pile_id = counted.of_pile
GROUP BY key, whole_kwh, codes_raw, codes, causes, remaining_hits, step_faults
ORDER BY key, bills DESC, codes_raw, codes, causes, remaining_hits, step_faults
SETTINGS join_use_nulls = 0
