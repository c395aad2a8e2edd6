-- Where did a register go on between two charges although nobody was billed (anomaly-codes.md, code 11b)?
-- From the end of one charge to the begin of the next one of a connector whose registers are both trusted; what the charges
-- in between are known to have taken is taken off. UNBILLED_ENERGY: more than max(2q, 0.5 kWh) is missing, and the connector
-- can have delivered it in that time. REGISTER_REPLACED (information): it cannot, or the register fell.
WITH charges AS
(
    SELECT
        operator_id, station_id, pile_id, toString(pile) AS pile, connector, trade_no, toString(zone) AS zone, local_day,
        start_ms, end_ms, toInt64(pmax_w) AS pmax_w, greatest(2 * toInt64(quantum_e4kwh), 5000) AS least_e4kwh, register_digits,
        toInt64(ifNull(final_energy_e4kwh, best_e4kwh)) AS energy_e4kwh,
        multiIf(
            register_kind = 'lifetime' AND register_start_e4kwh > 0 AND register_end_e4kwh > 0 AND quality IN ('VALID', 'DERIVED'),
                (register_start_e4kwh, register_end_e4kwh),
            -- the registers of a record are trusted where its energy bears them out
            has_bill = 1 AND bill_meter_start_e4kwh > 0 AND bill_meter_end_e4kwh > 0
                AND abs(bill_meter_end_e4kwh - bill_meter_start_e4kwh - bill_energy_e4kwh)
                    <= greatest(2 * toInt64(quantum_e4kwh), 1000),
                (bill_meter_start_e4kwh, bill_meter_end_e4kwh),
            (toInt64(0), toInt64(0))) AS registers
    FROM sessions
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        -- a month earlier may lie the charge before the first one of the period
        AND local_day >= toDate(%(from_day)s) - least(31, toUInt16(toDate(%(from_day)s)))
        AND local_day <= toDate(%(to_day)s)
        AND life IN ('ended', 'ended_offline') AND start_ms > 0
),
counted AS
(
    SELECT *, sum(energy_e4kwh) OVER (PARTITION BY pile_id, connector ORDER BY start_ms, trade_no
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS total_e4kwh
    FROM charges
),
paired AS
(
    SELECT *, lagInFrame((trade_no, end_ms, registers.2, total_e4kwh)) OVER (PARTITION BY pile_id, connector
        ORDER BY start_ms, trade_no ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before
    FROM counted
    WHERE registers.1 > 0
),
compared AS
(
    SELECT
        *,
        total_e4kwh - energy_e4kwh - before.4 AS between_e4kwh,
        registers.1 - before.3 AS step_e4kwh,
        -- over its last digit it begins anew
        step_e4kwh - between_e4kwh + if(step_e4kwh < 0 AND register_digits > 0 AND before.3 > 9 * intExp10(register_digits + 3),
            toInt64(intExp10(register_digits + 4)), 0) AS missing_e4kwh,
        intDiv(pmax_w * greatest(0, start_ms - before.2), 360000) + least_e4kwh AS reach_e4kwh
    FROM paired
    WHERE before.1 != ''
)
SELECT
    if(missing_e4kwh > 0 AND missing_e4kwh <= reach_e4kwh, 'UNBILLED_ENERGY', 'REGISTER_REPLACED') AS finding,
    operator_id, station_id, pile, connector, zone,
    before.1 AS previous_trade_no, trade_no,
    before.2 AS from_ms, start_ms AS to_ms,
    before.3 AS previous_end_e4kwh, registers.1 AS next_start_e4kwh,
    between_e4kwh, missing_e4kwh, reach_e4kwh
FROM compared
WHERE abs(missing_e4kwh) > least_e4kwh AND local_day >= toDate(%(from_day)s)
ORDER BY to_ms DESC, pile, connector, trade_no
LIMIT %(limit)s
