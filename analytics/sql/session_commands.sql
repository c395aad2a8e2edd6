-- When were these sessions ordered to start, and did the charger say yes?
SELECT wanted.number, min(sent_ms), max(outcome = 'ok')
FROM commands
INNER JOIN wanted ON commands.pile_id = wanted.pile_id AND commands.connector = wanted.connector
    AND commands.trade_no = wanted.trade_no
WHERE (commands.pile_id, commands.connector) IN (SELECT pile_id, connector FROM wanted)
    AND sent_ms >= %(from_ms)s
    AND command = 'remote_start'
GROUP BY wanted.number
