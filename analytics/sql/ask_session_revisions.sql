-- What did the platform know of one charge, revision by revision, the newest first?
-- The scope looks at the current revision: whoever may see that one may see how it came about.
-- energy_tolerance_e4kwh, energy_tolerance_share_e4 and efficiency_e4: by which the record was compared, null = not kept.
SELECT * EXCEPT (its_station, its_operator, its_pile, its_limits)
FROM session_revisions
LEFT JOIN (SELECT station_id AS its_station, name AS station, name_en AS station_en FROM dim_stations) AS stations
    ON its_station = session_revisions.station_id
LEFT JOIN (SELECT operator_id AS its_operator, name AS operator, name_en AS operator_en FROM dim_operators) AS operators
    ON its_operator = session_revisions.operator_id
LEFT JOIN (SELECT pile_id AS its_pile, vendor, model, rated_power_w FROM dim_piles) AS piles
    ON its_pile = session_revisions.pile_id
LEFT JOIN
(
    SELECT
        thresholds_digest AS its_limits,
        toNullable(any(limits)['energy_tolerance_e4kwh']) AS energy_tolerance_e4kwh,
        toNullable(any(limits)['energy_tolerance_share_e4']) AS energy_tolerance_share_e4,
        toNullable(any(limits)['efficiency_e4']) AS efficiency_e4
    FROM threshold_sets
    GROUP BY thresholds_digest
) AS sets ON its_limits = session_revisions.thresholds_digest
WHERE pile = %(pile)s AND connector = %(connector)s AND trade_no = %(trade_no)s
    AND (pile_id, connector, trade_no) IN
    (
        SELECT pile_id, connector, trade_no
        FROM
        (
            SELECT pile_id, connector, trade_no, operator_id
            FROM session_revisions
            WHERE pile = %(pile)s AND connector = %(connector)s AND trade_no = %(trade_no)s
            ORDER BY revision DESC, inputs_digest DESC
            LIMIT 1 BY pile_id, connector, trade_no
        )
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    )
ORDER BY revision DESC, inputs_digest DESC
