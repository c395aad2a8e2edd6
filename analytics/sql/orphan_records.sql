-- Which records of these connectors tell of about the time of these charges, under other numbers?
-- `start_ms` and `end_ms` of a charge are by the clock of its charger. Any upload of a number counts here. Records meet
-- charges by the hour in which they began.
SELECT DISTINCT uploads.pile_id, uploads.connector, uploads.trade_no
FROM pile_bill_uploads AS uploads
INNER JOIN
(
    SELECT pile_id, connector, trade_no, start_ms, end_ms,
        arrayJoin(range(intDiv(start_ms - %(apart_ms)s, 3600000), intDiv(start_ms + %(apart_ms)s, 3600000) + 1)) AS hour
    FROM wanted
) AS wanted ON uploads.pile_id = wanted.pile_id AND uploads.connector = wanted.connector
    AND intDiv(uploads.start_ms, 3600000) = wanted.hour
WHERE (uploads.pile_id, uploads.connector) IN (SELECT pile_id, connector FROM wanted)
    AND uploads.receive_ms BETWEEN %(from_ms)s AND %(to_ms)s
    AND uploads.trade_no != wanted.trade_no
    AND abs(uploads.start_ms - wanted.start_ms) <= %(apart_ms)s
    AND abs(uploads.end_ms - wanted.end_ms) <= %(apart_ms)s
