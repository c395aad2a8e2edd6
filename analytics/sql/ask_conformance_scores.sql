-- How many of the steps that they owed did chargers keep, by charger, firmware, vendor, model or kind of start?
SELECT
    multiIf(
        %(by)s = 'pile', toString(pile),
        %(by)s = 'firmware', concat(arrayStringConcat(arrayDistinct([toString(vendor), toString(model)]), ' '), ' ', if(firmware = '', '?', toString(firmware))),
        %(by)s = 'vendor', toString(vendor),
        %(by)s = 'model', arrayStringConcat(arrayDistinct([toString(vendor), toString(model)]), ' '),
        toString(flow)) AS name,
    count() AS sessions,
    countIf(deviations = 0) AS clean,
    sum(steps_expected) AS due,
    sum(steps_kept) AS kept
FROM
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
)
GROUP BY name
ORDER BY name
