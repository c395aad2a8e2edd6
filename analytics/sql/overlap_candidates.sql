-- Which records of other charges may lie in the time of these sessions: of the same connector, vehicle or card?
-- `shares` of `wanted` names these three, as far as they say anything. Any upload of a number counts here; which of several
-- is the record is asked afterwards (overlap_records.sql). Records meet sessions by quarters of a day, and a pair in the one
-- in which both have begun.
WITH spans AS
(
    SELECT number, pile_id, connector, trade_no, start_ms, end_ms, arrayJoin(shares) AS share,
        arrayJoin(range(intDiv(start_ms, 21600000), intDiv(end_ms, 21600000) + 1)) AS quarter
    FROM wanted
)
SELECT spans.number, record.pile_id, record.connector, record.trade_no
FROM
(
    SELECT
        pile_id,
        connector,
        trade_no,
        start_ms,
        end_ms,
        arrayJoin([concat(toString(pile_id), '/', toString(connector)), upper(vin), concat('card ', physical_card)]) AS share,
        arrayJoin(range(intDiv(start_ms, 21600000), intDiv(end_ms, 21600000) + 1)) AS quarter
    FROM pile_bill_uploads
    WHERE receive_ms BETWEEN %(from_ms)s - %(early_ms)s AND %(to_ms)s + %(kept_ms)s
        AND start_ms > 0 AND start_ms < %(to_ms)s
        AND end_ms > %(from_ms)s AND end_ms - start_ms BETWEEN 1 AND %(longest_ms)s
        AND ((pile_id, connector) IN (SELECT pile_id, connector FROM wanted)
            OR upper(vin) IN (SELECT arrayJoin(shares) FROM wanted)
            OR (%(cards)s = 1 AND concat('card ', physical_card) IN (SELECT arrayJoin(shares) FROM wanted)))
) AS record
INNER JOIN spans ON record.share = spans.share AND record.quarter = spans.quarter
WHERE record.start_ms < spans.end_ms AND record.end_ms > spans.start_ms
    AND (record.pile_id, record.connector, record.trade_no) != (spans.pile_id, spans.connector, spans.trade_no)
    AND record.quarter = intDiv(greatest(record.start_ms, spans.start_ms), 21600000)
GROUP BY spans.number, record.pile_id, record.connector, record.trade_no
ORDER BY spans.number, min(record.start_ms), record.pile_id, record.connector, record.trade_no
LIMIT %(most)s BY spans.number
