-- What do sessions that were heard lately and have no bill yet hold so far, by station and by whether they still charge?
-- A revision without a final rule says that the charge goes on: it is no bill yet.
-- The figures are those that the gateway's calculator accepted with its last reading of each session. An AAF5 charger
-- that does not charge repeats its last session, however old: such readings only say that it does not charge.
WITH heard AS
(
    SELECT
        pile_id,
        connector,
        if(any(session_no) != '', toString(any(session_no)), concat(leftPad(hex(trade_hi), 16, '0'), leftPad(hex(trade_lo), 16, '0'))) AS number,
        max(event_ms) AS last_ms,
        argMax(state, (event_ms, segment_id, segment_offset)) AS last_state,
        argMaxIf((live_accepted_e4kwh, live_amount_fen), (event_ms, segment_id, segment_offset),
            protocol = 'ykc' OR state = 3) AS seen
    FROM readings
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND event_ms > %(now_ms)s - %(window_ms)s AND event_ms <= %(now_ms)s + 60000
        AND (trade_hi, trade_lo) != (0, 0)
    GROUP BY pile_id, connector, trade_hi, trade_lo
    HAVING max(protocol = 'ykc' OR state = 3)
)
SELECT
    piles.station_id AS station_id,
    last_state = 3 AND last_ms > %(now_ms)s - %(quiet_ms)s AS charging,
    count() AS sessions,
    sum(seen.1) AS energy_e4kwh,
    sum(seen.2) AS amount_fen
FROM heard
LEFT JOIN dim_piles AS piles ON piles.pile_id = heard.pile_id
WHERE (heard.pile_id, connector, number) NOT IN
(
    SELECT pile_id, connector, trade_no
    FROM
    (
        SELECT pile_id, connector, trade_no, final_rule
        FROM bill_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND local_day >= toDate(%(day)s) - 1
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE final_rule != 0
)
GROUP BY station_id, charging
ORDER BY station_id, charging
