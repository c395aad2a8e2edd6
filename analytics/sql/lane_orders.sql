-- When were charges of these chargers ordered by their number, and did the charger ever say yes? One row a number.
SELECT pile_id, connector, trade_no, min(sent_ms) AS first_sent_ms, max(sent_ms) AS last_sent_ms, max(outcome = 'ok') AS accepted
FROM commands
WHERE pile_id IN (SELECT pile_id FROM piles) AND sent_ms BETWEEN %(from_ms)s AND %(to_ms)s AND command IN %(start_commands)s
    AND trade_no != ''
GROUP BY pile_id, connector, trade_no
