-- What is billed under these trade numbers, and why? One row per session; a charge under way has no bill yet,
-- or no longer: it went on after it had been given up. A number that is no charge of its own leads to the charge that goes by
-- another one: its record came under that number, or once more, or the order bore it (`life` other_number).
WITH
others AS
(
    SELECT
        pile_id, connector, trade_no, has_bill, bill_start_ms, bill_end_ms, bill_energy_e4kwh, bill_meter_start_e4kwh,
        bill_meter_end_e4kwh, start_command_ms
    FROM
    (
        SELECT *
        FROM session_revisions
        WHERE trade_no IN %(trade_nos)s
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND life = 'other_number'
),
followed AS
(
    SELECT pile_id, connector, charge.trade_no AS trade_no, groupUniqArray(others.trade_no) AS numbers
    FROM
    (
        SELECT
            pile_id, connector, trade_no, life, has_bill, bill_start_ms, bill_end_ms, bill_energy_e4kwh,
            bill_meter_start_e4kwh, bill_meter_end_e4kwh, start_command_ms
        FROM session_revisions
        WHERE (pile_id, connector) IN (SELECT pile_id, connector FROM others)
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    ) AS charge
    INNER JOIN others ON charge.pile_id = others.pile_id AND charge.connector = others.connector
    WHERE charge.life != 'other_number'
        AND if(others.has_bill = 1,
            charge.has_bill = 1 AND charge.bill_start_ms = others.bill_start_ms AND charge.bill_end_ms = others.bill_end_ms
                AND charge.bill_energy_e4kwh = others.bill_energy_e4kwh
                AND charge.bill_meter_start_e4kwh = others.bill_meter_start_e4kwh
                AND charge.bill_meter_end_e4kwh = others.bill_meter_end_e4kwh,
            others.start_command_ms > 0 AND charge.start_command_ms = others.start_command_ms)
    GROUP BY pile_id, connector, trade_no
),
numbers AS
(
    SELECT trade_no FROM followed
    UNION DISTINCT
    SELECT trade_no FROM session_revisions WHERE trade_no IN %(trade_nos)s
)
SELECT
    session.trade_no AS trade_no,
    arraySort(followed.numbers) AS other_numbers,
    session.bill_number AS bill_number,
    session.pile AS pile,
    session.connector AS connector,
    session.zone AS zone,
    session.start_ms AS start_ms,
    session.end_ms AS end_ms,
    session.life AS life,
    if(session.has_bill = 1, session.bill_energy_e4kwh, NULL) AS pile_energy_e4kwh,
    session.best_e4kwh AS platform_energy_e4kwh,
    session.low_e4kwh AS low_e4kwh,
    session.high_e4kwh AS high_e4kwh,
    if(bill.revision = 0, session.quality, bill.quality) AS bill_quality,
    if(session.life = 'open', NULL, bill.final_energy_e4kwh) AS final_energy_e4kwh,
    if(session.life = 'open', NULL, bill.amount_fen) AS amount_fen,
    session.life != 'open' AND bill.held = 1 AS held,
    if(session.life = 'open', [], bill.codes_raw) AS codes_raw,
    if(session.life = 'open', [], bill.codes) AS codes,
    if(session.life = 'open', [], bill.causes) AS causes,
    if(session.life = 'open', [], arrayMap(hit -> (hit.code, hit.reason, hit.cause),
        arrayFilter(hit -> hit.reading = 'corrected', found.hits))) AS remaining_hits,
    checked.step_faults AS step_faults
FROM
(
    SELECT *
    FROM
    (
        SELECT *
        FROM session_revisions
        WHERE trade_no IN (SELECT trade_no FROM numbers)
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND life != 'other_number'
) AS session
LEFT JOIN followed ON followed.pile_id = session.pile_id AND followed.connector = session.connector
    AND followed.trade_no = session.trade_no
LEFT JOIN
(
    SELECT *
    FROM bill_revisions
    WHERE trade_no IN (SELECT trade_no FROM numbers)
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
) AS bill ON session.pile_id = bill.pile_id AND session.connector = bill.connector AND session.trade_no = bill.trade_no
LEFT JOIN
(
    SELECT pile_id, connector, trade_no, revision, inputs_digest, hits
    FROM session_codes
    WHERE trade_no IN (SELECT trade_no FROM numbers)
    LIMIT 1 BY pile_id, connector, trade_no, revision, inputs_digest
) AS found ON found.pile_id = bill.pile_id AND found.connector = bill.connector AND found.trade_no = bill.trade_no
    AND found.revision = bill.revision AND found.inputs_digest = bill.inputs_digest
LEFT JOIN
(
    SELECT pile_id, connector, trade_no, arrayDistinct(extractAll(pattern, '[A-Z]+')) AS step_faults
    FROM conformance_checks
    WHERE trade_no IN (SELECT trade_no FROM numbers) AND connection_id = 0
    ORDER BY check_id DESC
    LIMIT 1 BY pile_id, connector, trade_no
) AS checked ON checked.pile_id = session.pile_id AND checked.connector = session.connector
    AND checked.trade_no = session.trade_no
WHERE session.trade_no IN %(trade_nos)s OR notEmpty(followed.numbers)
ORDER BY trade_no, start_ms, pile, connector
SETTINGS join_use_nulls = 0
