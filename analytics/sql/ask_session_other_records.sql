-- Which records may belong to this charge, or which charges may have this record, and what became of each?
-- A record here is one under a number of which no reading tells. Begins are at most an hour apart (a clock may be off) and
-- lengths four minutes: wider than the rule by which a record is taken (two minutes at either end), so that what was left
-- waiting is seen too. `holder` is the charge that has the record, under another number or the same record once more.
WITH
known AS
(
    SELECT
        toString(pile) AS pile, connector, trade_no, toString(zone) AS zone, toString(life) AS life, bill_number, has_bill,
        readings, start_command_ms, bill_start_ms, bill_end_ms, bill_energy_e4kwh, bill_meter_start_e4kwh,
        bill_meter_end_e4kwh, best_e4kwh,
        has_bill = 1 AND readings = 0 AND start_command_ms = 0 AS is_record,
        if(is_record, bill_start_ms, start_ms) AS from_ms,
        if(is_record, bill_end_ms, end_ms) AS until_ms,
        (bill_start_ms, bill_end_ms, bill_energy_e4kwh, bill_meter_start_e4kwh, bill_meter_end_e4kwh) AS content
    FROM
    (
        SELECT *
        FROM session_revisions
        WHERE pile_id = %(pile_id)s AND connector = %(connector)s
        ORDER BY revision DESC, inputs_digest DESC
        LIMIT 1 BY pile_id, connector, trade_no
    )
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
),
own AS (SELECT * FROM known WHERE trade_no = %(trade_no)s),
holders AS (SELECT trade_no, bill_number, content FROM known WHERE has_bill = 1 AND life != 'other_number')
SELECT
    other.pile AS pile,
    other.connector AS connector,
    other.trade_no AS trade_no,
    other.is_record AS is_record,
    other.from_ms AS start_ms,
    other.until_ms AS end_ms,
    if(other.is_record, other.bill_energy_e4kwh, other.best_e4kwh) AS energy_e4kwh,
    other.from_ms - own.from_ms AS start_apart_ms,
    other.until_ms - own.until_ms AS end_apart_ms,
    other.zone AS zone,
    if(other.is_record, by_number.trade_no, '') AS taker,
    if(other.is_record AND other.life = 'other_number' AND taker = '', by_content.holder, '') AS repeated,
    multiIf(
        other.is_record AND taker != '', 'taken',
        repeated != '', 'again',
        other.is_record AND other.life = 'other_number', 'other',
        other.is_record, 'waits',
        other.bill_number = own.trade_no, 'took',
        other.has_bill = 1 AND other.content = own.content AND own.bill_meter_end_e4kwh > 0, 'same',
        other.bill_number != '', 'took_other',
        own.has_bill = 0, 'numbered',
        other.has_bill = 1, 'own',
        'none'
    ) AS fate,
    if(taker != '', taker, repeated) AS holder
FROM own
CROSS JOIN known AS other
LEFT JOIN (SELECT trade_no, bill_number FROM holders WHERE bill_number != '') AS by_number
    ON by_number.bill_number = other.trade_no
LEFT JOIN (SELECT content, min(trade_no) AS holder FROM holders GROUP BY content) AS by_content
    ON by_content.content = other.content
WHERE other.trade_no != own.trade_no
    AND (
        own.life = 'other_number' AND own.has_bill = 0 AND own.start_command_ms > 0
            AND other.life != 'other_number' AND other.start_command_ms = own.start_command_ms
        OR (own.is_record OR other.is_record)
            AND (other.is_record OR other.readings > 0 AND other.life NOT IN ('other_number', 'open'))
            AND abs(start_apart_ms) <= 3600000 AND abs(end_apart_ms - start_apart_ms) <= 240000
    )
ORDER BY abs(start_apart_ms) + abs(end_apart_ms), trade_no
LIMIT 20
