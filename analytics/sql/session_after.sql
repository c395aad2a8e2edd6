-- What did the connectors of these sessions show after the last charging reading, until 24 h later?
-- `from_ms` is that reading; what comes after `to_ms`, where a next charge is known to have been heard, matters no more.
-- Readings meet the sessions by the hour: a connector has many charges in a month, and a few hours of each matter.
-- Only when a reading was received counts, and not the time it is stored under: that depends on what a gateway had seen. A
-- next charge began when it was first heard, or so long before as one of its readings of the next ten minutes counts: it may
-- have been kept while the charger was away.
-- An idle charger may say the same every 3 s. So nothing is collected: first comes the moment up to which it stood there,
-- unplugged or charging again, and then what was seen before that moment.
WITH hours AS
(
    SELECT
        number, pile_id, connector, trade_hi, trade_lo, from_ms, to_ms,
        arrayJoin(range(intDiv(from_ms, 3600000), intDiv(to_ms, 3600000) + 1)) AS hour
    FROM wanted
),
shown AS
(
    SELECT
        wanted.number AS number,
        wanted.from_ms AS from_ms,
        receive_ms AS at_ms,
        state,
        plugged,
        intDiv(toInt64(voltage_dv) * current_da, 100) AS power_w,
        receive_ms - if(protocol = 'aaf5', toInt64(duration_s) * 1000, toInt64(charge_minutes) * 60000) AS told_ms,
        state = 3 AND (trade_hi != wanted.trade_hi OR trade_lo != wanted.trade_lo) AND (trade_hi != 0 OR trade_lo != 0)
            AS charges_again
    FROM readings
    INNER JOIN hours AS wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
        AND intDiv(readings.receive_ms, 3600000) = wanted.hour
    WHERE pile_id IN (SELECT pile_id FROM wanted)
        AND event_ms BETWEEN %(from_ms)s - %(longest_charge_ms)s AND %(to_ms)s
        AND receive_ms BETWEEN %(from_ms)s AND %(to_ms)s
        -- of few sessions among many: what is of no use is left out before its columns are read
        AND (readings.pile_id, readings.connector, intDiv(readings.receive_ms, 3600000)) IN (SELECT pile_id, connector, hour FROM hours)
        AND receive_ms > wanted.from_ms
        AND receive_ms <= wanted.to_ms
        -- the session's own readings: some may have been received later than they turned out to be of
        AND NOT (state = 3 AND trade_hi = wanted.trade_hi AND trade_lo = wanted.trade_lo
            AND (trade_hi != 0 OR trade_lo != 0))
),
ends AS
(
    SELECT
        number,
        groupArraySortedIf(512)((at_ms, told_ms), charges_again) AS again,
        if(empty(again), 9223372036854775807,
            arrayMin(reading -> if(reading.2 > any(from_ms) AND reading.2 < again[1].1 - 120000
                AND reading.1 <= again[1].1 + 600000, reading.2, again[1].1), again)) AS edge,
        minIf(at_ms, NOT charges_again) AS not_charging,
        argMinIf(state, (at_ms, state), NOT charges_again) AS not_charging_state,
        minIf(at_ms, NOT charges_again AND plugged = 0) AS unplugged,
        if(unplugged > 0, least(unplugged, edge), edge) AS stop
    FROM shown
    GROUP BY number
)
SELECT
    number,
    any(if(ends.not_charging > 0, least(ends.not_charging, ends.edge), ends.edge)) AS after_ms,
    any(if(ends.not_charging > 0 AND ends.not_charging < ends.edge, ends.not_charging_state, 3)) AS after_state,
    any(if(empty(ends.again), 0, ends.edge)) AS next_start_ms,
    any(if(ends.unplugged > 0 AND ends.unplugged < ends.edge, ends.unplugged, 0)) AS unplugged_ms,
    maxIf(at_ms, plugged = 1 AND at_ms < ends.stop AND NOT charges_again) AS plugged_until_ms,
    maxIf(at_ms, power_w > %(balancing_w)s AND at_ms < ends.stop AND NOT charges_again) AS power_until_ms,
    max(state IN (0, 1) AND at_ms < ends.stop AND NOT charges_again) AS fault
FROM shown
INNER JOIN ends ON shown.number = ends.number
GROUP BY number
