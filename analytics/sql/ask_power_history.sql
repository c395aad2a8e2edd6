-- How much power did the chargers give over time? One row per bucket: the energy accepted in it over its length.
-- What was accepted between two readings is spread evenly over the time between them, so that neither the rhythm of the
-- readings nor a silence looks like a dip with a spike behind it. What a charge had taken before its first reading is
-- spread over its minutes until then, and not counted when it was under way before the first bucket.
WITH
    reached AS
    (
        SELECT
            pile_id,
            connector,
            trade_hi,
            trade_lo,
            intDiv(event_ms, %(bucket_ms)s) AS bucket,
            min(event_ms) AS first_ms,
            max(event_ms) AS last_ms,
            toInt64(min(live_accepted_e4kwh)) AS lowest,
            toInt64(max(live_accepted_e4kwh)) AS highest,
            min(charge_minutes) AS minutes
        FROM readings
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND event_ms >= %(from_ms)s - %(bucket_ms)s AND event_ms < %(to_ms)s + %(bucket_ms)s
            AND (trade_hi, trade_lo) != (0, 0) AND state = 3
        GROUP BY pile_id, connector, trade_hi, trade_lo, bucket
    ),
    linked AS
    (
        SELECT
            *,
            lagInFrame(last_ms, 1, 0) OVER earlier AS previous_ms,
            lagInFrame(highest, 1, 0) OVER earlier AS previous
        FROM reached
        WINDOW earlier AS (PARTITION BY pile_id, connector, trade_hi, trade_lo ORDER BY bucket ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
    ),
    pieces AS
    (
        SELECT pile_id, connector, first_ms AS a_ms, last_ms AS b_ms, highest - lowest AS energy_e4kwh
        FROM linked
        UNION ALL
        SELECT
            pile_id,
            connector,
            if(previous_ms > 0, previous_ms, first_ms - toInt64(minutes) * 60000) AS a_ms,
            first_ms AS b_ms,
            if(previous_ms = 0 AND first_ms < %(from_ms)s + %(bucket_ms)s, 0, greatest(lowest - previous, 0)) AS energy_e4kwh
        FROM linked
    ),
    spread AS
    (
        SELECT
            pile_id,
            connector,
            arrayJoin(range(toUInt64(intDiv(a_ms, %(bucket_ms)s)), toUInt64(intDiv(b_ms, %(bucket_ms)s)) + 1)) AS bucket,
            least(b_ms, toInt64(bucket + 1) * %(bucket_ms)s) - greatest(a_ms, toInt64(bucket) * %(bucket_ms)s) AS inside_ms,
            if(b_ms > a_ms, intDiv(energy_e4kwh * inside_ms, b_ms - a_ms), energy_e4kwh) AS share_e4kwh
        FROM pieces
    )
SELECT
    toInt64(bucket * %(bucket_ms)s) AS from_ms,
    toInt64(intDiv(sum(share_e4kwh) * 360000, %(bucket_ms)s)) AS power_w,
    uniqExact(pile_id, connector) AS charging
FROM spread
WHERE bucket >= intDiv(%(from_ms)s, %(bucket_ms)s) AND bucket < intDiv(%(to_ms)s, %(bucket_ms)s)
GROUP BY bucket
ORDER BY bucket
