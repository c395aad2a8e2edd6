-- Where did this session, or all of these days, leave the order of steps, and which frames show it? The newest first.
SELECT
    checked.pile AS pile,
    if(stations.zone = '', 'Asia/Shanghai', toString(stations.zone)) AS zone,
    checked.pile_id AS pile_id,
    checked.connector AS connector,
    checked.trade_no AS trade_no,
    checked.connection_id AS connection_id,
    checked.flow AS flow,
    checked.vendor AS vendor,
    checked.model AS model,
    checked.firmware AS firmware,
    checked.step_order AS step_order,
    checked.pattern AS pattern,
    deviation.event_ms AS event_ms,
    deviation.step AS step,
    deviation.kind AS kind,
    deviation.party AS party,
    deviation.detail AS detail,
    deviation.observed_ms AS observed_ms,
    deviation.allowed_ms AS allowed_ms,
    deviation.times AS times,
    deviation.evidence AS evidence
FROM
(
    SELECT *
    FROM session_deviations
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND (%(trade_no)s = '' OR trade_no = %(trade_no)s)
) AS deviation
INNER JOIN
(
    SELECT *
    FROM
    (
        SELECT *
        FROM conformance_checks
        WHERE (%(trade_no)s = '' OR trade_no = %(trade_no)s) AND (%(pile)s = '' OR pile = %(pile)s)
            AND (pile_id, connector, trade_no, connection_id) IN
            (
                SELECT pile_id, connector, trade_no, connection_id
                FROM conformance_checks
                WHERE local_day >= %(from_day)s AND local_day <= %(to_day)s
            )
        ORDER BY check_id DESC
        LIMIT 1 BY pile_id, connector, trade_no, connection_id
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND local_day >= %(from_day)s AND local_day <= %(to_day)s
) AS checked
    ON deviation.pile_id = checked.pile_id AND deviation.connector = checked.connector
    AND deviation.trade_no = checked.trade_no AND deviation.connection_id = checked.connection_id
    AND deviation.check_id = checked.check_id
LEFT JOIN (SELECT station_id, zone FROM dim_stations) AS stations ON stations.station_id = checked.station_id
ORDER BY event_ms DESC, pile, connector, trade_no, step, kind
LIMIT %(limit)s
