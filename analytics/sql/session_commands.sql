-- When were these sessions ordered to start, and did the charger say yes?
-- A charger of `start_ms` above 0 need not take over the number of the order (aaf5.md, cmd 7): there an order that was
-- sent at most `order_before_ms` before that moment counts as well, and `by_time` says so: the last one that was accepted,
-- else the last one. What has no number is an answer alone, whose order was not seen: it stands in only where no order does.
-- On a port such an answer is `unasked`: of a charge that is known otherwise it says when, and proves nothing.
SELECT
    wanted.number,
    commands.trade_no != wanted.trade_no AS by_time,
    if(by_time, (max((commands.trade_no != '', outcome = 'ok', sent_ms, commands.trade_no)) AS chosen).3, min(sent_ms)),
    chosen.2,
    chosen.4
FROM commands
INNER JOIN wanted ON commands.pile_id = wanted.pile_id AND commands.connector = wanted.connector
WHERE (commands.pile_id, commands.connector) IN (SELECT pile_id, connector FROM wanted)
    AND sent_ms >= %(from_ms)s
    AND command IN %(start_commands)s
    AND (commands.trade_no = wanted.trade_no
        OR (wanted.from_ms > 0 AND outcome != 'unasked' AND sent_ms BETWEEN wanted.from_ms - %(order_before_ms)s AND wanted.from_ms))
GROUP BY wanted.number, by_time
