-- What is billed under these trade numbers, and why? One row per session; a charge under way has no bill yet,
-- or no longer: it went on after it had been given up.
SELECT
    session.trade_no AS trade_no,
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
        WHERE trade_no IN %(trade_nos)s
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s) AND life != 'other_number'
) AS session
LEFT JOIN
(
    SELECT *
    FROM bill_revisions
    WHERE trade_no IN %(trade_nos)s
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
) AS bill ON session.pile_id = bill.pile_id AND session.connector = bill.connector AND session.trade_no = bill.trade_no
LEFT JOIN
(
    SELECT pile_id, connector, trade_no, revision, inputs_digest, hits
    FROM session_codes
    WHERE trade_no IN %(trade_nos)s
    LIMIT 1 BY pile_id, connector, trade_no, revision, inputs_digest
) AS found ON found.pile_id = bill.pile_id AND found.connector = bill.connector AND found.trade_no = bill.trade_no
    AND found.revision = bill.revision AND found.inputs_digest = bill.inputs_digest
LEFT JOIN
(
    SELECT pile_id, connector, trade_no, arrayDistinct(extractAll(pattern, '[A-Z]+')) AS step_faults
    FROM conformance_checks
    WHERE trade_no IN %(trade_nos)s AND connection_id = 0
    ORDER BY check_id DESC
    LIMIT 1 BY pile_id, connector, trade_no
) AS checked ON checked.pile_id = session.pile_id AND checked.connector = session.connector
    AND checked.trade_no = session.trade_no
ORDER BY trade_no, start_ms, pile, connector
SETTINGS join_use_nulls = 0
