-- Which stations and operators are there to choose from?
SELECT DISTINCT
    stations.station_id AS station_id,
    stations.name AS station,
    stations.name_en AS station_en,
    owned.operator_id AS operator_id,
    operators.name AS operator,
    operators.name_en AS operator_en
FROM
(
    SELECT DISTINCT pile_id, operator_id
    FROM dim_pile_owners
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
) AS owned
INNER JOIN dim_piles AS piles ON piles.pile_id = owned.pile_id
INNER JOIN dim_stations AS stations ON stations.station_id = piles.station_id
LEFT JOIN dim_operators AS operators ON operators.operator_id = owned.operator_id
ORDER BY operator_id, station_id
