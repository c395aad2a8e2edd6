-- When were these sessions ordered to start, and did the charger say yes?
-- Only what was sent from `since_ms` to `until_ms` of a session can be its order. A charger of `start_ms` above 0 need not
-- take over the number of the order (aaf5.md, cmd 7): there an order that was sent at most `order_before_ms` before that
-- moment counts as well, and `by_time` says so: the last one that was accepted, else the last one. What has no number is an
-- answer alone, whose order was not seen: it stands in only where no order does. On a port such an answer is `unasked`: of a
-- charge that is known otherwise it says when, and proves nothing.
SELECT
    number,
    by_time,
    if(by_time, (max((trade_no != '', accepted, sent_ms, trade_no)) AS chosen).3, min(sent_ms)),
    chosen.2,
    chosen.4
FROM
(
    SELECT wanted.number AS number, 0 AS by_time, sent_ms, outcome = 'ok' AS accepted, commands.trade_no AS trade_no
    FROM commands
    INNER JOIN wanted ON commands.pile_id = wanted.pile_id AND commands.connector = wanted.connector
        AND commands.trade_no = wanted.trade_no
    WHERE (commands.pile_id, commands.connector) IN (SELECT pile_id, connector FROM wanted)
        AND sent_ms BETWEEN %(from_ms)s AND %(to_ms)s
        AND command IN %(start_commands)s
        AND sent_ms BETWEEN wanted.since_ms AND wanted.until_ms
    UNION ALL
    SELECT wanted.number AS number, 1 AS by_time, sent_ms, outcome = 'ok' AS accepted, commands.trade_no AS trade_no
    FROM commands
    INNER JOIN
    (
        SELECT number, pile_id, connector, trade_no, start_ms,
            arrayJoin(range(intDiv(start_ms - %(order_before_ms)s, 3600000), intDiv(start_ms, 3600000) + 1)) AS hour
        FROM wanted
        WHERE start_ms > 0
    ) AS wanted ON commands.pile_id = wanted.pile_id AND commands.connector = wanted.connector
        AND intDiv(commands.sent_ms, 3600000) = wanted.hour
    WHERE (commands.pile_id, commands.connector) IN (SELECT pile_id, connector FROM wanted)
        AND sent_ms BETWEEN %(from_ms)s AND %(to_ms)s
        AND command IN %(start_commands)s
        AND commands.trade_no != wanted.trade_no AND outcome != 'unasked'
        AND sent_ms BETWEEN wanted.start_ms - %(order_before_ms)s AND wanted.start_ms
)
GROUP BY number, by_time
