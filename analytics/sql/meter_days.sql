-- What do the charging readings of these days show of the meter of each connector?
-- Innermost: the readings of a session on one day, each once, in the order of their receipt; zeros show nothing of a meter.
-- Then what they show by themselves. Values and times are each put in order and a tenth of them left out at either end, so
-- that spikes weigh nothing; power that the register does not bear out within a quarter is no evidence.
-- A register that is off the power by more than a factor of four counts in another unit, or does not count (metering.md,
-- "unit change"): it teaches neither steps nor power nor digits. An honest one of whole quanta is never so far off once it
-- rose by two. An alternating current is told for one phase of one or of three, hence two fifths to five times.
-- Then beside the session before on the same connector and in the same unit, which may be of the day before: the register restarted where it
-- can have come from 0 and fell by more than any quantum, it went on where it cannot. Outermost: the sum of the day.
-- 66667 e4kWh a minute are 400 kW, more than any connector delivers; 500000 (50 kWh) are no step between two readings, so
-- that a register which comes from just below 10^n kWh to just above 0 rolled over.
INSERT INTO meter_days (pile_id, connector, day, readings, sessions, differences, divisible, power_kw, power_readings,
    restarted, continued, rollover_digits, highest_e4kwh, computed_ms, rule)
SELECT
    wanted.pile_id, wanted.connector, wanted.day, wanted.readings,
    shown.sessions, shown.differences, if(empty(shown.divisible), [0, 0, 0, 0], shown.divisible), shown.powers.1, shown.powers.2,
    shown.restarted, shown.continued, shown.rollover_digits, shown.highest_e4kwh,
    %(computed_ms)s, %(rule)s
FROM wanted
LEFT JOIN
(
    SELECT
        pile_id, connector, day,
        count() AS sessions,
        sum(length(taught)) AS differences,
        [
            sum(arrayCount(step -> step %% 10000 = 0, taught)), sum(arrayCount(step -> step %% 1000 = 0, taught)),
            sum(arrayCount(step -> step %% 100 = 0, taught)), sum(arrayCount(step -> step %% 10 = 0, taught))
        ] AS divisible,
        sumMap(kilowatts, arrayWithConstant(length(kilowatts), toUInt64(1))) AS powers,
        countIf(has_before AND NOT rolled AND from_zero AND first_value + 20000 < before_value) AS restarted,
        countIf(has_before AND NOT from_zero AND first_value + 20000 >= before_value
            AND toInt64(first_value) - toInt64(before_value)
                <= 20000 + 66667 * (2 + intDiv(greatest(first_ms - before_ms, 0), 60000))) AS continued,
        maxIf(greatest(digits_inside, rolled ? digits_before : 0), off = 0) AS rollover_digits,
        maxIf(highest, off = 0) AS highest_e4kwh
    FROM
    (
        SELECT
            *,
            lagInFrame(last_value) OVER in_turn AS before_value,
            lagInFrame(last_ms) OVER in_turn AS before_ms,
            lagInFrame(off) OVER in_turn = off AS same_unit,
            before_value > 0 AND same_unit AND (lagInFrame(trade_hi) OVER in_turn != trade_hi OR lagInFrame(trade_lo) OVER in_turn != trade_lo)
                AS has_before,
            first_value <= 66667 * (2 + toUInt64(first_minutes)) AS from_zero,
            arrayFirstIndex(modulus -> before_value < modulus, moduli) AS place,
            same_unit AND place > 0 AND first_value + moduli[place] - before_value <= 500000 AS rolled,
            place + 3 AS digits_before
        FROM
        (
            SELECT
                pile_id, connector, trade_hi, trade_lo, day,
                arrayMap(digits -> toUInt64(exp10(digits + 4)), range(4, 11)) AS moduli,
                length(seen) AS size,
                seen[1].1 AS first_ms, seen[-1].1 AS last_ms,
                seen[1].2 AS first_value, seen[-1].2 AS last_value,
                seen[1].4 AS first_minutes,
                arraySort(seen.2) AS in_order,
                arrayFilter(step -> step <= 500000, arrayPopFront(arrayDifference(arrayDistinct(in_order)))) AS steps,
                intDiv(size, 10) + 1 AS low_place,
                size - intDiv(size, 10) AS high_place,
                arraySlice(arraySort(seen.3), low_place, high_place - low_place + 1) AS usual_powers,
                intDiv(intDiv(arraySum(usual_powers), length(usual_powers)) * lasted_ms, 360000) AS could_rise,
                toInt64(arraySum(steps)) * 20 AS rose_twenty_times,
                multiIf(
                    could_rise <= 0, 0,
                    rose_twenty_times < could_rise * if(is_ac, 8, 5), -1,
                    rose_twenty_times > could_rise * if(is_ac, 100, 80), 1,
                    0
                ) AS off,
                if(off = 0, steps, []) AS taught,
                in_order[high_place] AS highest,
                highest - in_order[low_place] AS risen,
                seen[high_place].1 - seen[low_place].1 AS elapsed_ms,
                arraySlice(seen.3, low_place, high_place - low_place + 1) AS powers_between,
                intDiv(intDiv(arraySum(powers_between), length(powers_between)) * elapsed_ms, 360000) AS flowed,
                size >= 20 AND elapsed_ms >= 300000 AND risen >= 40000 AS is_long,
                intDiv(risen * 360000, greatest(elapsed_ms, 1)) AS risen_w,
                multiIf(
                    off != 0, [],
                    is_long AND abs(toInt64(risen) - toInt64(flowed)) * 4 <= flowed,
                        arrayMap(power_w -> toUInt16(intDiv(power_w + 999, 1000)), arrayFilter(power_w -> power_w BETWEEN 1 AND 1000000, seen.3)),
                    is_long AND is_ac AND risen_w <= 100000,
                        arrayWithConstant(size, toUInt16(intDiv(risen_w + 999, 1000))),
                    []
                ) AS kilowatts,
                arrayMax(
                    (before, after) -> if(
                        arrayFirstIndex(modulus -> before.2 < modulus, moduli) AS inside > 0
                            AND after.2 + moduli[inside] - before.2 <= 500000,
                        inside + 3, 0),
                    arrayPushFront(arrayPopBack(seen), seen[1]), seen
                ) AS digits_inside
            FROM
            (
                SELECT
                    pile_id, connector, trade_hi, trade_lo,
                    toDate(fromUnixTimestamp64Milli(receive_ms, %(zone)s)) AS day,
                    pile_id IN (SELECT pile_id FROM piles WHERE is_ac = 1) AS is_ac,
                    max(event_ms) - min(event_ms) AS lasted_ms,
                    arraySort(groupUniqArray((
                        receive_ms,
                        if(pile_id IN (SELECT pile_id FROM piles WHERE absolute = 1), register_e4kwh, toUInt64(told_energy_e4kwh)) AS value,
                        intDiv(toInt64(voltage_dv) * current_da, 100),
                        charge_minutes
                    ))) AS seen
                FROM readings
                WHERE pile_id IN (SELECT pile_id FROM piles)
                    AND receive_ms >= %(from_ms)s AND receive_ms < %(until_ms)s
                    AND event_ms >= %(from_ms)s - %(longest_kept_ms)s AND event_ms < %(until_ms)s
                    AND state = 3 AND (trade_hi != 0 OR trade_lo != 0) AND value > 0
                GROUP BY pile_id, connector, trade_hi, trade_lo, day
            )
        )
        WINDOW in_turn AS
        (
            PARTITION BY pile_id, connector ORDER BY first_ms, trade_hi, trade_lo, day
            ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
        )
    )
    GROUP BY pile_id, connector, day
) AS shown ON wanted.pile_id = shown.pile_id AND wanted.connector = shown.connector AND wanted.day = shown.day
