-- Which charges were billed last?
-- The scope looks at the current revision: a charge that was assigned to another operator is no longer shown.
WITH
    keys AS
    (
        SELECT DISTINCT pile_id, connector, trade_no
        FROM bill_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND local_day >= toDate(%(day)s) - 1
    ),
    current AS
    (
        SELECT *
        FROM
        (
            SELECT *
            FROM bill_revisions
            WHERE (pile_id, connector, trade_no) IN (SELECT pile_id, connector, trade_no FROM keys)
            ORDER BY revision DESC, inputs_digest DESC
            LIMIT 1 BY pile_id, connector, trade_no
        )
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    )
SELECT
    current.pile AS pile,
    current.connector AS connector,
    current.trade_no AS trade_no,
    stations.name AS station,
    stations.name_en AS station_en,
    current.status AS status,
    current.end_ms AS end_ms,
    current.computed_ms AS computed_ms,
    current.final_energy_e4kwh AS final_energy_e4kwh,
    current.amount_fen AS amount_fen,
    current.codes AS codes,
    current.codes_raw AS codes_raw,
    current.held AS held
FROM current
LEFT JOIN dim_stations AS stations ON stations.station_id = current.station_id
WHERE current.final_rule != 0
ORDER BY current.end_ms DESC, current.trade_no DESC
LIMIT %(limit)s
