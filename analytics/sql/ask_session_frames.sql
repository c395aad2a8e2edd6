-- Which frames of a charge are stored, one page of them, in the order of arrival, and how many are there in all?
-- Realtime frames stand in `readings` as columns; every other frame, and a realtime frame that its columns do not
-- reproduce, stands in `frames` with its bytes; what an AAF5 status says is told by its row in `readings`. What comes
-- again and again (heartbeats, readings, a vehicle's demand), by far the most, is left out unless `every` is 1. Frames
-- without a trade number count by connector and time;
-- those with one up to two days outside the charge's window, and around every upload of its record, which may be days late.
-- record_no: the number under which the record came.
-- key_ms finds a row by the key of its table.
WITH
    (
        SELECT (min(receive_ms), max(receive_ms), count())
        FROM pile_bill_uploads
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND pile_id = %(pile_id)s AND (connector = %(connector)s OR connector = 0)
            AND trade_no IN (%(trade_no)s, %(record_no)s)
    ) AS uploads,
    if(uploads.3 = 0, %(from_ms)s, least(%(from_ms)s, uploads.1)) - 172800000 AS first_ms,
    if(uploads.3 = 0, %(to_ms)s, greatest(%(to_ms)s, uploads.2)) + 172800000 AS last_ms
SELECT
    receive_ms,
    key_ms,
    direction,
    protocol,
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
        toString(protocol) AS protocol,
        toUInt16(frame_type) AS frame_type,
        seq,
        toString(verdict) AS verdict,
        segment_id,
        segment_offset,
        'frames' AS source,
        if(said.is_reading = 1, said.state, 255) AS state,
        said.energy_e4kwh AS energy_e4kwh,
        said.power_w AS power_w,
        said.soc AS soc
    FROM frames
    LEFT JOIN
    (
        SELECT
            1 AS is_reading,
            segment_id AS said_segment,
            segment_offset AS said_offset,
            state,
            energy_e4kwh,
            toInt64(intDiv(toUInt64(voltage_dv) * current_da, 100)) AS power_w,
            soc
        FROM readings
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND %(every)s AND protocol = 'aaf5' AND pile_id = %(pile_id)s AND connector = %(connector)s
            AND receive_ms >= first_ms AND receive_ms <= last_ms
    ) AS said ON said.said_segment = frames.segment_id AND said.said_offset = frames.segment_offset
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND receive_ms >= first_ms AND receive_ms <= last_ms
        AND ((trade_no IN (%(trade_no)s, %(record_no)s) AND (connector = %(connector)s OR connector = 0))
            OR (receive_ms >= %(from_ms)s AND receive_ms <= %(to_ms)s AND trade_no = '' AND (connector = %(connector)s OR connector = 0)))
    UNION ALL
    SELECT
        receive_ms,
        event_ms AS key_ms,
        'up' AS direction,
        toString(protocol) AS protocol,
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
WHERE %(every)s OR (protocol, frame_type) NOT IN
    (
        ('ykc', 0x03), ('ykc', 0x04), ('ykc', 0x13), ('ykc', 0x23), ('ykc', 0x25),
        ('aaf5', 101), ('aaf5', 102), ('aaf5', 103), ('aaf5', 104)
    )
ORDER BY receive_ms, segment_id, segment_offset
LIMIT %(limit)s OFFSET %(offset)s
