-- Which charges match the filters, one page of them, in the wanted order, and how many are there in all?
-- A charge belongs to the time of its start, or of its bill's arrival while the start is unknown. An empty list or text
-- leaves a filter out. The scope looks at the current revision. codes_any is looked for in the codes after correction, codes_raw_any in the raw ones.
WITH
    keys AS
    (
        SELECT DISTINCT pile_id, connector, trade_no
        FROM session_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND if(start_ms = 0, bill_receive_ms, start_ms) >= %(from_ms)s
            AND if(start_ms = 0, bill_receive_ms, start_ms) < %(to_ms)s
            AND (empty(%(trade_tail)s) OR endsWith(trade_no, %(trade_tail)s))
            AND (empty(%(pile)s) OR position(pile, %(pile)s) > 0)
    ),
    session AS
    (
        SELECT *
        FROM session_revisions
        WHERE (pile_id, connector, trade_no) IN (SELECT pile_id, connector, trade_no FROM keys)
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    ),
    bill AS
    (
        SELECT *
        FROM bill_revisions
        WHERE (pile_id, connector, trade_no) IN (SELECT pile_id, connector, trade_no FROM keys)
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    ),
    joined AS
    (
        SELECT
            session.pile_id AS pile_id,
            session.pile AS pile,
            session.connector AS connector,
            session.trade_no AS trade_no,
            session.operator_id AS operator_id,
            session.station_id AS station_id,
            session.life AS life,
            session.bill_state AS bill_state,
            session.zone AS zone,
            if(session.start_ms = 0, session.bill_receive_ms, session.start_ms) AS shown_start_ms,
            session.end_ms AS shown_end_ms,
            session.quality AS session_quality,
            session.best_e4kwh AS best_e4kwh,
            if(bill.status IS NULL, session.final_energy_e4kwh, bill.final_energy_e4kwh) AS shown_energy_e4kwh,
            if(session.has_bill = 1, session.bill_energy_e4kwh, NULL) AS pile_energy_e4kwh,
            if(session.start_mode = 0, if(session.start_command_ms > 0, 1, 0), session.start_mode) AS shown_start_mode,
            session.vin AS shown_vin,
            bill.amount_fen AS shown_amount_fen,
            ifNull(toString(bill.status), 'open') AS status,
            ifNull(bill.held, 0) AS held,
            bill.codes AS shown_codes,
            bill.codes_raw AS shown_codes_raw,
            bill.causes AS shown_causes
        FROM (SELECT * FROM session WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)) AS session
        LEFT JOIN
        (
            SELECT pile_id, connector, trade_no, toNullable(status) AS status, final_energy_e4kwh, amount_fen, toNullable(held) AS held, codes, codes_raw, causes
            FROM bill
            WHERE final_rule != 0 -- without a final rule the charge goes on
        ) AS bill ON bill.pile_id = session.pile_id AND bill.connector = session.connector AND bill.trade_no = session.trade_no
    )
SELECT
    joined.pile AS pile,
    joined.connector AS connector,
    joined.trade_no AS trade_no,
    joined.station_id AS station_id,
    stations.name AS station,
    stations.name_en AS station_en,
    operators.name AS operator,
    operators.name_en AS operator_en,
    joined.life AS life,
    joined.bill_state AS bill_state,
    joined.shown_start_ms AS start_ms,
    joined.shown_end_ms AS end_ms,
    toString(joined.session_quality) AS quality,
    joined.shown_energy_e4kwh AS energy_e4kwh,
    joined.best_e4kwh AS platform_energy_e4kwh,
    joined.pile_energy_e4kwh AS pile_energy_e4kwh,
    joined.shown_amount_fen AS amount_fen,
    joined.shown_start_mode AS start_mode,
    joined.shown_vin AS vin,
    joined.status AS status,
    joined.held AS held,
    joined.shown_codes AS codes,
    joined.shown_codes_raw AS codes_raw,
    joined.shown_causes AS causes,
    count() OVER () AS total
FROM joined
LEFT JOIN dim_stations AS stations ON stations.station_id = joined.station_id
LEFT JOIN dim_operators AS operators ON operators.operator_id = joined.operator_id
WHERE joined.shown_start_ms >= %(from_ms)s AND joined.shown_start_ms < %(to_ms)s
    AND (empty(%(station_ids)s) OR has(%(station_ids)s, joined.station_id))
    AND (empty(%(owner_ids)s) OR has(%(owner_ids)s, joined.operator_id))
    AND (empty(%(vin)s) OR position(upper(joined.shown_vin), upper(%(vin)s)) > 0)
    AND (empty(%(codes_any)s) OR hasAny(joined.shown_codes, %(codes_any)s))
    AND (empty(%(codes_raw_any)s) OR hasAny(joined.shown_codes_raw, %(codes_raw_any)s))
    AND (empty(%(start_modes)s) OR has(%(start_modes)s, joined.shown_start_mode))
    AND (empty(%(states)s)
        OR has(%(states)s, joined.status)
        OR (has(%(states)s, 'held') AND joined.held = 1)
        OR (has(%(states)s, 'abnormal') AND notEmpty(joined.shown_codes))
        OR (has(%(states)s, 'explained') AND notEmpty(joined.shown_codes_raw) AND empty(joined.shown_codes)))
ORDER BY
    if(%(descending)s, -1, 1) * multiIf(
        %(sort)s = 'end_ms', joined.shown_end_ms,
        %(sort)s = 'duration_ms', joined.shown_end_ms - joined.shown_start_ms,
        %(sort)s = 'energy_e4kwh', ifNull(joined.shown_energy_e4kwh, -1),
        %(sort)s = 'pile_energy_e4kwh', ifNull(joined.pile_energy_e4kwh, -1),
        %(sort)s = 'platform_energy_e4kwh', joined.best_e4kwh,
        %(sort)s = 'amount_fen', ifNull(joined.shown_amount_fen, -1),
        joined.shown_start_ms),
    joined.shown_start_ms DESC, joined.trade_no, joined.pile, joined.connector
LIMIT %(limit)s OFFSET %(offset)s
