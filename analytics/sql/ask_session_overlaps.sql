-- Which other charges lie in the time of one charge, and what is known of them now?
-- One that lies outside the scope is counted with its overlap, but neither named nor described.
SELECT
    kind,
    overlap_ms,
    other.pile AS pile,
    connector,
    if(other.pile = '', '', trade_no) AS trade_no,
    other.start_ms AS start_ms,
    other.end_ms AS end_ms,
    other.final_energy_e4kwh AS final_energy_e4kwh,
    other.zone AS zone
FROM
(
    SELECT
        overlap.pile_id AS pile_id,
        overlap.connector AS connector,
        overlap.trade_no AS trade_no,
        overlap.overlap_ms AS overlap_ms,
        overlap.kind AS kind
    FROM
    (
        SELECT overlaps
        FROM session_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1
    )
    ARRAY JOIN overlaps AS overlap
) AS found
LEFT JOIN
(
    SELECT
        pile_id,
        connector,
        trade_no,
        toString(pile) AS pile,
        start_ms,
        end_ms,
        final_energy_e4kwh,
        toString(zone) AS zone
    FROM
    (
        SELECT *
        FROM session_revisions
        WHERE (pile_id, connector, trade_no) IN
        (
            SELECT arrayJoin(overlaps).pile_id, arrayJoin(overlaps).connector, arrayJoin(overlaps).trade_no
            FROM session_revisions
            WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
                AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
        )
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
) AS other USING (pile_id, connector, trade_no)
ORDER BY overlap_ms DESC, pile, connector, trade_no
LIMIT 50
