-- How much power did the chargers give over time? One row per bucket: the energy accepted in it over its length.
-- A session that was under way before the first bucket counts from its first reading in the window.
WITH
    reached AS
    (
        SELECT
            pile_id,
            connector,
            trade_hi,
            trade_lo,
            intDiv(event_ms, %(bucket_ms)s) AS bucket,
            min(live_accepted_e4kwh) AS lowest,
            max(live_accepted_e4kwh) AS highest
        FROM readings
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND event_ms >= %(from_ms)s AND event_ms < %(to_ms)s
            AND (trade_hi, trade_lo) != (0, 0) AND state = 3
        GROUP BY pile_id, connector, trade_hi, trade_lo, bucket
    ),
    gained AS
    (
        SELECT
            pile_id,
            connector,
            bucket,
            toInt64(highest) - lagInFrame(toInt64(highest), 1, if(bucket = intDiv(%(from_ms)s, %(bucket_ms)s), toInt64(lowest), 0))
                OVER (PARTITION BY pile_id, connector, trade_hi, trade_lo ORDER BY bucket ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS gain_e4kwh
        FROM reached
    )
SELECT
    bucket * %(bucket_ms)s AS from_ms,
    toInt64(intDiv(sum(greatest(gain_e4kwh, 0)) * 360000, %(bucket_ms)s)) AS power_w,
    uniqExact(pile_id, connector) AS charging
FROM gained
GROUP BY bucket
ORDER BY bucket
