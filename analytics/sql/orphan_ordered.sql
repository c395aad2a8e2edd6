-- Which of these numbers did the platform itself give to a charge?
SELECT DISTINCT wanted.number
FROM commands
INNER JOIN wanted ON commands.pile_id = wanted.pile_id AND commands.connector = wanted.connector
    AND commands.trade_no = wanted.trade_no
WHERE (commands.pile_id, commands.connector) IN (SELECT pile_id, connector FROM wanted)
    AND command IN %(start_commands)s AND outcome != 'unasked'
