-- What did the connectors of these sessions show after the last charging reading, until 24 h later?
-- `from_ms` is that reading; what comes after `to_ms`, where a next charge is known to have begun, matters no more. Readings
-- meet the sessions by the hour: a connector has many charges in a month, and a few hours of each matter.
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
        readings.event_ms AS at_ms,
        receive_ms,
        state,
        plugged,
        intDiv(toInt64(voltage_dv) * current_da, 100) AS power_w,
        state = 3 AND (trade_hi != wanted.trade_hi OR trade_lo != wanted.trade_lo) AND (trade_hi != 0 OR trade_lo != 0)
            AS charges_again
    FROM readings
    INNER JOIN hours AS wanted ON readings.pile_id = wanted.pile_id AND readings.connector = wanted.connector
        AND intDiv(readings.event_ms, 3600000) = wanted.hour
    WHERE pile_id IN (SELECT pile_id FROM wanted)
        AND event_ms > %(from_ms)s
        AND event_ms <= %(to_ms)s
        AND event_ms > wanted.from_ms
        -- the session's own readings: some may be stored under a later time than they turned out to be of
        AND NOT (state = 3 AND trade_hi = wanted.trade_hi AND trade_lo = wanted.trade_lo
            AND (trade_hi != 0 OR trade_lo != 0))
        AND event_ms <= wanted.to_ms
),
ends AS
(
    SELECT
        number,
        min(at_ms) AS after_ms,
        argMin(state, (at_ms, receive_ms)) AS after_state,
        minIf(at_ms, charges_again) AS next_start_ms,
        minIf(at_ms, NOT charges_again AND plugged = 0) AS unplugged,
        if(next_start_ms > 0, next_start_ms, 9223372036854775807) AS edge,
        if(unplugged > 0, least(unplugged, edge), edge) AS stop
    FROM shown
    GROUP BY number
)
SELECT
    number,
    any(ends.after_ms),
    any(ends.after_state),
    any(ends.next_start_ms),
    any(if(ends.unplugged > 0 AND ends.unplugged < ends.edge, ends.unplugged, 0)) AS unplugged_ms,
    maxIf(at_ms, plugged = 1 AND at_ms < ends.stop AND NOT charges_again) AS plugged_until_ms,
    maxIf(at_ms, power_w > %(balancing_w)s AND at_ms < ends.stop AND NOT charges_again) AS power_until_ms,
    max(state IN (0, 1) AND at_ms < ends.stop AND NOT charges_again) AS fault
FROM shown
INNER JOIN ends ON shown.number = ends.number
GROUP BY number
