-- Which sessions go by this number, and what is known of each now?
SELECT * EXCEPT (its_station, its_operator, its_pile)
FROM
(
    SELECT *
    FROM
    (
        SELECT *
        FROM session_revisions
        WHERE trade_no = %(trade_no)s
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
) AS session
LEFT JOIN (SELECT station_id AS its_station, name AS station, name_en AS station_en FROM dim_stations) AS stations
    ON its_station = session.station_id
LEFT JOIN (SELECT operator_id AS its_operator, name AS operator, name_en AS operator_en FROM dim_operators) AS operators
    ON its_operator = session.operator_id
LEFT JOIN (SELECT pile_id AS its_pile, vendor, model FROM dim_piles) AS piles
    ON its_pile = session.pile_id
ORDER BY start_ms, pile, connector
