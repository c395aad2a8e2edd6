-- Which steps do chargers get wrong, and in how many sessions, by charger, firmware, vendor, model or kind of start?
SELECT
    multiIf(
        %(by)s = 'pile', toString(checked.pile),
        %(by)s = 'firmware', concat(arrayStringConcat(arrayDistinct([toString(vendor), toString(model)]), ' '), ' ', if(firmware = '', '?', toString(firmware))),
        %(by)s = 'vendor', toString(vendor),
        %(by)s = 'model', arrayStringConcat(arrayDistinct([toString(vendor), toString(model)]), ' '),
        toString(checked.flow)) AS name,
    deviation.step AS step,
    deviation.kind AS kind,
    count() AS times
FROM
(
    SELECT pile_id, connector, trade_no, connection_id, check_id, step, kind
    FROM session_deviations
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND party = 'charger'
) AS deviation
INNER JOIN
(
    SELECT *
    FROM
    (
        SELECT *
        FROM conformance_checks
        WHERE (pile_id, connector, trade_no, connection_id) IN
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
GROUP BY name, step, kind
ORDER BY name, times DESC, step, kind
