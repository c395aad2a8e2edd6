-- What did the platform know of one charge, revision by revision, the newest first?
SELECT * EXCEPT (its_station, its_operator, its_pile)
FROM session_revisions
LEFT JOIN (SELECT station_id AS its_station, name AS station, name_en AS station_en FROM dim_stations) AS stations
    ON its_station = session_revisions.station_id
LEFT JOIN (SELECT operator_id AS its_operator, name AS operator, name_en AS operator_en FROM dim_operators) AS operators
    ON its_operator = session_revisions.operator_id
LEFT JOIN (SELECT pile_id AS its_pile, vendor, model, rated_power_w, register_kind FROM dim_piles) AS piles
    ON its_pile = session_revisions.pile_id
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile = %(pile)s AND connector = %(connector)s AND trade_no = %(trade_no)s
ORDER BY revision DESC, inputs_digest DESC
