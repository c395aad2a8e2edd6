-- What did the platform make of the charges of these chargers: the current bill of each, and what was measured?
SELECT
    bill.pile,
    bill.trade_no,
    bill.final_energy_e4kwh,
    bill.low_e4kwh,
    bill.high_e4kwh,
    if(session.charging_readings > 0, session.naive_energy_e4kwh, NULL) AS naive_e4kwh,
    bill.quality,
    bill.held,
    bill.codes,
    bill.codes_raw,
    bill.final_rule,
    session.flags,
    bill.amount_fen
FROM
(
    SELECT *
    FROM bill_revisions
    WHERE pile_id IN (SELECT pile_id FROM piles)
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
) AS bill
INNER JOIN
(
    SELECT pile_id, connector, trade_no, revision, inputs_digest, charging_readings, naive_energy_e4kwh, flags
    FROM session_revisions
    WHERE pile_id IN (SELECT pile_id FROM piles)
) AS session USING (pile_id, connector, trade_no, revision, inputs_digest)
