-- Which frames of a charge are stored, one page of them, in the order of arrival, and how many are there in all?
-- Realtime frames stand in `readings` as columns; every other frame, and a realtime frame that its columns do not
-- reproduce, stands in `frames` with its bytes. Frames without a trade number count by connector and time;
-- those with one up to two days outside the charge's window, and around every upload of its record, which may be days late.
-- key_ms finds a row by the key of its table.
WITH
    (
        SELECT (min(receive_ms), max(receive_ms), count())
        FROM pile_bill_uploads
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0) AND trade_no = %(trade_no)s
    ) AS uploads,
    if(uploads.3 = 0, %(from_ms)s, least(%(from_ms)s, uploads.1)) - 172800000 AS first_ms,
    if(uploads.3 = 0, %(to_ms)s, greatest(%(to_ms)s, uploads.2)) + 172800000 AS last_ms
SELECT
    receive_ms,
    key_ms,
    direction,
    frame_type,
    seq,
    verdict,
    segment_id,
    segment_offset,
    source,
    state,
    energy_e4kwh,
    power_w,
    soc,
    count() OVER () AS total
FROM
(
    SELECT
        receive_ms,
        receive_ms AS key_ms,
        toString(direction) AS direction,
        toUInt16(frame_type) AS frame_type,
        seq,
        toString(verdict) AS verdict,
        segment_id,
        segment_offset,
        'frames' AS source,
        toUInt8(255) AS state,
        toUInt32(0) AS energy_e4kwh,
        toInt64(0) AS power_w,
        toUInt8(0) AS soc
    FROM frames
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND receive_ms >= first_ms AND receive_ms <= last_ms
        AND ((trade_no = %(trade_no)s AND (connector = %(connector)s OR connector = 0))
            OR (receive_ms >= %(from_ms)s AND receive_ms <= %(to_ms)s AND trade_no = '' AND (connector = %(connector)s OR connector = 0)))
    UNION ALL
    SELECT
        receive_ms,
        event_ms AS key_ms,
        'up' AS direction,
        toUInt16(0x13) AS frame_type,
        seq,
        if(stored = 1, 'stored', 'ok') AS verdict,
        segment_id,
        segment_offset,
        'readings' AS source,
        state,
        energy_e4kwh,
        toInt64(intDiv(toUInt64(voltage_dv) * current_da, 100)) AS power_w,
        soc
    FROM readings
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND connector = %(connector)s
        AND event_ms >= %(from_ms)s - 172800000 AND event_ms <= %(to_ms)s + 172800000
        AND trade_hi = %(trade_hi)s AND trade_lo = %(trade_lo)s AND exact = 1
)
WHERE empty(%(kinds)s) OR has(%(kinds)s, frame_type)
ORDER BY receive_ms, segment_id, segment_offset
LIMIT %(limit)s OFFSET %(offset)s
