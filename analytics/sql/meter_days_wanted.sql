-- Of which closed days of these chargers is it not known yet what their readings show of the meter?
-- A day is that of the receipt, so that it is complete when it is over. Rows only ever come, so that a day with as many
-- charging readings as were looked at has none that were not. A day that was looked at by an older rule waits as well.
SELECT pile_id, connector, stored.day, stored.readings
FROM
(
    SELECT pile_id, connector, toDate(fromUnixTimestamp64Milli(receive_ms, %(zone)s)) AS day, count() AS readings
    FROM readings
    WHERE pile_id IN (SELECT pile_id FROM piles)
        AND receive_ms >= %(from_ms)s AND receive_ms < %(until_ms)s
        AND event_ms >= %(from_ms)s - %(longest_kept_ms)s AND event_ms < %(until_ms)s
        AND state = 3
    GROUP BY pile_id, connector, day
) AS stored
LEFT JOIN
(
    SELECT pile_id, connector, day, argMax(readings, (meter_days.rule, computed_ms, readings)) AS readings,
        max(meter_days.rule) AS rule
    FROM meter_days
    WHERE pile_id IN (SELECT pile_id FROM piles)
    GROUP BY pile_id, connector, day
) AS known USING (pile_id, connector, day)
WHERE stored.readings != known.readings OR known.rule < %(rule)s
ORDER BY stored.day, pile_id, connector
