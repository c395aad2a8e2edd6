-- What did the platform know of one charge, revision by revision, the newest first?
-- The scope looks at the current revision: whoever may see that one may see how it came about.
SELECT * EXCEPT (its_station, its_operator, its_pile)
FROM session_revisions
LEFT JOIN (SELECT station_id AS its_station, name AS station, name_en AS station_en FROM dim_stations) AS stations
    ON its_station = session_revisions.station_id
LEFT JOIN (SELECT operator_id AS its_operator, name AS operator, name_en AS operator_en FROM dim_operators) AS operators
    ON its_operator = session_revisions.operator_id
LEFT JOIN (SELECT pile_id AS its_pile, vendor, model, rated_power_w FROM dim_piles) AS piles
    ON its_pile = session_revisions.pile_id
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
