-- What came again and again in these sessions, as runs of equal things of which none is further than the limit from the next?
-- Readings (kind 0: another state, 1: charging) stand at their arrival, since only that is ordered with the other frames;
-- those kept while the charger was away at the time that they tell. Other kinds are types of frames.
SELECT
    number,
    kind,
    stored,
    min(at_ms) AS first_ms,
    max(at_ms) AS last_ms,
    count() AS times,
    argMin((segment_id, segment_offset), (at_ms, segment_id, segment_offset)) AS first_key,
    argMax((segment_id, segment_offset), (at_ms, segment_id, segment_offset)) AS last_key,
    argMin(receive_ms, at_ms) AS first_receive_ms,
    argMax(receive_ms, (at_ms, segment_id, segment_offset)) AS last_receive_ms,
    argMin(connection_id, at_ms) AS connection_id,
    max(start_mode) AS start_mode
FROM
(
    SELECT
        *,
        sum(begins) OVER (PARTITION BY number, kind, stored ORDER BY at_ms, segment_id, segment_offset) AS run
    FROM
    (
        SELECT
            *,
            at_ms - lagInFrame(at_ms, 1, 0) OVER (
                PARTITION BY number, kind, stored ORDER BY at_ms, segment_id, segment_offset
                ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
            ) > %(gap_ms)s AS begins
        FROM
        (
            SELECT
                wanted.number AS number,
                toUInt16(readings.state = 3) AS kind,
                readings.stored AS stored,
                if(readings.stored = 1, readings.event_ms, readings.receive_ms) AS at_ms,
                readings.receive_ms AS receive_ms,
                readings.segment_id AS segment_id,
                readings.segment_offset AS segment_offset,
                readings.connection_id AS connection_id,
                readings.start_mode AS start_mode
            FROM readings
            INNER JOIN wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
                AND readings.trade_hi = wanted.trade_hi AND readings.trade_lo = wanted.trade_lo
            WHERE readings.pile_id IN (SELECT pile_id FROM wanted)
                AND readings.event_ms >= %(from_ms)s - %(hint_margin_ms)s AND readings.event_ms <= %(to_ms)s + %(hint_margin_ms)s
                AND (readings.trade_hi, readings.trade_lo) IN (SELECT trade_hi, trade_lo FROM wanted)
                AND at_ms <= wanted.to_ms
            UNION ALL
            SELECT
                wanted.number, frames.frame_type, toUInt8(0), frames.receive_ms, frames.receive_ms, frames.segment_id,
                frames.segment_offset, frames.connection_id, toUInt8(0)
            FROM frames
            INNER JOIN wanted ON frames.pile_id = wanted.pile_id AND frames.trade_no = wanted.trade_no
            WHERE frames.pile_id IN (SELECT pile_id FROM wanted)
                AND frames.receive_ms >= %(from_ms)s AND frames.receive_ms <= %(to_ms)s
                AND has(wanted.periodic_types, frames.frame_type)
                AND (frames.connector = wanted.connector OR frames.connector = 0)
        )
    )
)
GROUP BY number, kind, stored, run
ORDER BY number, kind, stored, first_ms
