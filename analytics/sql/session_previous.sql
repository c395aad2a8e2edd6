-- Where did the registers of these connectors stand before the sessions began, and when was that read?
-- A record tells its end by the charger's clock, which the session's first reading shows to be `behind_ms` behind; the
-- record of the next charge must not look like one from before. Of a reading only its receipt counts: the time that it is
-- stored under depends on what a gateway had seen. Readings meet the sessions by the day.
-- `absolute`: the readings hold the absolute register beside the counter; `by_record`: so do the records.
-- `over`: within a minute of it a record, or a connector that did not charge, told that the charge before was over.
SELECT
    number,
    max(at_ms),
    argMax(register, (at_ms, register)),
    maxIf(at_ms, is_over = 1) >= max(at_ms) - 60000 AS over
FROM
(
    SELECT
        wanted.number AS number,
        receive_ms AS at_ms,
        if(wanted.absolute = 1, toInt64(register_e4kwh), told_energy_e4kwh) AS register,
        toUInt8(state != 3) AS is_over
    FROM readings
    INNER JOIN
    (
        SELECT number, pile_id, connector, trade_hi, trade_lo, from_ms, absolute,
            arrayJoin(range(intDiv(from_ms - %(look_back_ms)s, 86400000), intDiv(from_ms, 86400000) + 1)) AS day
        FROM wanted
    ) AS wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
        AND intDiv(readings.receive_ms, 86400000) = wanted.day
    WHERE pile_id IN (SELECT pile_id FROM wanted)
        AND event_ms BETWEEN %(from_ms)s - %(longest_charge_ms)s AND %(to_ms)s
        AND receive_ms >= wanted.from_ms - %(look_back_ms)s
        AND receive_ms < wanted.from_ms
        AND (trade_hi != wanted.trade_hi OR trade_lo != wanted.trade_lo)
        AND register > 0
    UNION ALL
    SELECT
        wanted.number AS number,
        if(uploads.end_ms > 0, least(uploads.end_ms + wanted.behind_ms, uploads.receive_ms), uploads.receive_ms) AS at_ms,
        toInt64(meter_end_e4kwh) AS register,
        toUInt8(1) AS is_over
    FROM pile_bill_uploads AS uploads
    INNER JOIN wanted ON uploads.pile_id = wanted.pile_id AND uploads.connector = wanted.connector
    WHERE (uploads.pile_id, uploads.connector) IN (SELECT pile_id, connector FROM wanted)
        AND at_ms >= wanted.from_ms - %(look_back_ms)s
        AND at_ms < wanted.from_ms
        AND uploads.trade_no != wanted.trade_no
        AND wanted.by_record = 1 AND meter_end_e4kwh > 0
)
GROUP BY number
