-- What was billed on a local day, by station: bills, energy and money, how many carry codes and how many wait for a person?
-- The scope looks at the current revision: a charge that was assigned to another operator is no longer shown.
-- A revision without a final rule says that the charge goes on: it is no bill yet.
WITH
    keys AS
    (
        SELECT DISTINCT pile_id, connector, trade_no
        FROM bill_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND local_day = toDate(%(day)s)
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
    station_id,
    countIf(current.status = 'final') AS bills,
    countIf(current.status = 'final' AND notEmpty(current.codes)) AS abnormal,
    countIf(current.status = 'final' AND notEmpty(current.codes_raw)) AS abnormal_raw,
    countIf(current.status = 'final' AND current.held = 1) AS held,
    countIf(current.status = 'provisional') AS provisional,
    sumIf(ifNull(current.final_energy_e4kwh, 0), current.status = 'provisional') AS provisional_e4kwh,
    sumIf(ifNull(current.amount_fen, 0), current.status = 'provisional') AS provisional_fen,
    sumIf(ifNull(current.final_energy_e4kwh, 0), current.status = 'final') AS energy_e4kwh,
    sumIf(ifNull(current.final_energy_e4kwh, 0), current.status = 'final' AND current.held = 1) AS held_energy_e4kwh,
    sumIf(ifNull(current.amount_fen, 0), current.status = 'final') AS amount_fen,
    sumIf(ifNull(current.electricity_fen, 0), current.status = 'final') AS electricity_fen,
    sumIf(ifNull(current.service_fen, 0), current.status = 'final') AS service_fen,
    sumIf(ifNull(current.amount_fen, 0), current.status = 'final' AND current.held = 1) AS held_amount_fen
FROM current
WHERE local_day = toDate(%(day)s) AND final_rule != 0
GROUP BY station_id
ORDER BY station_id
