-- Which anomaly codes do the sessions of one batch carry, raw and after correction, and why?
-- Rules and defaults: anomaly-codes.md. A rule is one tuple (code, reading, reason, cause, observed, threshold, unit,
-- fires); reading 'both' means that the raw and the corrected reading are the same rule. Codes 1, 2 and 11 stand
-- alone (requirement S18).
-- The steps are nested and not a list of aliases, because ClickHouse analyses an alias anew wherever it is used.
INSERT INTO session_codes
    (operator_id, pile_id, connector, trade_no, revision, inputs_digest, batch_id, codes_raw, codes, causes, hits)
WITH
facts AS
(
    SELECT
        *,
        has_bill = 1 AND bill_energy_e4kwh != 0 AS bill_has_energy,
        has_bill = 1 AND bill_start_ms > 0 AND bill_end_ms > 0 AS bill_has_times,
        bill_end_ms - bill_start_ms AS bill_span_ms,
        charging_readings > 0 AS measured,
        if(current_kind = 'ac', %(energy_max_ac_e4kwh)s, %(energy_max_dc_e4kwh)s) AS energy_max_e4kwh,
        if(current_kind = 'ac', %(duration_max_ac_ms)s, %(duration_max_dc_ms)s) AS duration_max_ms,
        -- the parts of an AAF5 record are its half-hours; one without any has no parts to compare
        protocol = 'aaf5' AND arraySum(bill_half_hour_e4kwh) = 0 AS lacks_parts,
        toInt64(if(protocol = 'aaf5', arraySum(bill_half_hour_e4kwh), arraySum(bill_class_energy_e4kwh)))
            AS parts_e4kwh,
        greatest(%(parts_e4kwh)s, intDiv(bill_energy_e4kwh * %(parts_share_e4)s, 10000)) AS parts_tolerance_e4kwh,
        toInt64(arraySum((energy, class) -> if(bitTest(bill_class_mask, class), 0, energy),
            arrayResize(bill_class_energy_e4kwh, 4), [0, 1, 2, 3]))
            + toInt64(arraySum((energy, slot) -> if(bitTest(bill_half_hour_mask, slot), 0, energy),
                arrayResize(bill_half_hour_e4kwh, 48), range(48))) AS outside_e4kwh,
        bill_start_ms - start_ms AS start_shift_ms,
        bill_end_ms - end_ms AS end_shift_ms,
        greatest(%(energy_tolerance_e4kwh)s, intDiv(bill_energy_e4kwh * %(energy_tolerance_share_e4)s, 10000))
            AS energy_tolerance,
        bill_energy_e4kwh - naive_energy_e4kwh AS naive_difference_e4kwh,
        multiIf(bill_energy_e4kwh < low_e4kwh, bill_energy_e4kwh - low_e4kwh,
            bill_energy_e4kwh > high_e4kwh, bill_energy_e4kwh - high_e4kwh, 0) AS difference_e4kwh,
        greatest(%(duration_tolerance_ms)s,
            intDiv(toInt64(abs(bill_end_ms - bill_start_ms)) * %(duration_tolerance_share_e4)s, 10000))
            AS duration_tolerance,
        bill_end_ms - bill_start_ms - naive_span_ms AS span_difference_ms,
        -- an unplug that was not observed may have come right after the last plugged reading
        if(unplugged_ms > 0 AND unplugged_ms - greatest(plugged_until_ms, occupancy_from_ms) <= %(occupancy_gap_ms)s,
            unplugged_ms, plugged_until_ms) - occupancy_from_ms AS occupancy_ms,
        greatest(toInt64(quantum_e4kwh), %(lost_energy_e4kwh)s) AS lost_energy_limit_e4kwh,
        has_bill = 1 AND (bill_energy_e4kwh = 0 OR (bill_meter_start_e4kwh > 0 AND bill_meter_end_e4kwh = 0))
            AS bill_lacks_energy,
        power_over_1kw_ms >= %(lost_energy_power_ms)s AS evidence_by_power,
        -- a record that begins at zero bills the whole register; else one off by a power of ten against the platform's figure
        multiIf(register_kind != 'session' AND bill_meter_start_e4kwh = 0 AND register_start_e4kwh > 0
            AND bill_energy_e4kwh > high_e4kwh AND abs(bill_energy_e4kwh - register_end_e4kwh) <= energy_tolerance,
            'ZERO_BASELINE', best_e4kwh > 0 AND arrayExists(
            factor -> abs(bill_energy_e4kwh - best_e4kwh * factor) <= intDiv(best_e4kwh * factor, 100)
                OR abs(bill_energy_e4kwh * factor - best_e4kwh) <= intDiv(best_e4kwh, 100),
            [10, 100, 1000]), 'SCALE', '') AS bill_cause
    FROM session_revisions
    WHERE batch_id = %(batch_id)s
        AND (pile_id, connector, trade_no, revision, inputs_digest) NOT IN (
            SELECT pile_id, connector, trade_no, revision, inputs_digest
            FROM session_codes
            WHERE batch_id = %(batch_id)s)
),
compared AS
(
    SELECT
        *,
        bill_has_times AND bill_span_ms > 0 AS bill_times_usable,
        -- how long energy can have flowed: by the bill, else by what was seen and what was not
        if(bill_has_times AND bill_span_ms > 0, bill_span_ms, end_high_ms - start_ms + unobserved_start_ms) AS flow_ms,
        intDiv((bill_energy_e4kwh - quantum_e4kwh) * 360000, greatest(toInt64(pmax_w), 1)) AS least_span_ms,
        -- both ends of the bill lie off to the same side of what was seen: its clock, not its length, is wrong
        if(bill_has_times AND bill_span_ms > 0 AND charging_readings > 1 AND unobserved_start_ms <= 60000
            AND unobserved_end_ms <= 60000 AND sign(start_shift_ms) = sign(end_shift_ms),
            toInt64(least(abs(start_shift_ms), abs(end_shift_ms))), 0) AS clock_shift_ms,
        arrayMax(other -> if(other.kind = 'connector', other.overlap_ms, 0), overlaps) AS connector_overlap_ms,
        arrayMax(other -> if(other.kind = 'vin', other.overlap_ms, 0), overlaps) AS vin_overlap_ms,
        arrayMax(other -> if(other.kind = 'card', other.overlap_ms, 0), overlaps) AS card_overlap_ms,
        -- as far as each is above its own limit
        arrayMax(other -> multiIf(
            other.kind = 'connector_clock', if(other.overlap_ms > %(overlap_ms)s, other.overlap_ms, 0),
            other.kind = 'vin_clock', if(other.overlap_ms > %(vin_overlap_ms)s, other.overlap_ms, 0),
            other.kind = 'card_clock' AND %(card_overlap_ms)s >= 0,
                if(other.overlap_ms > %(card_overlap_ms)s, other.overlap_ms, 0), 0), overlaps) AS clock_overlap_ms,
        low_e4kwh >= lost_energy_limit_e4kwh AS evidence_by_register,
        duration_tolerance + unobserved_start_ms + unobserved_end_ms + outage_ms AS duration_allowance_ms,
        difference_e4kwh != 0 AND abs(difference_e4kwh) > energy_tolerance
            AND quality NOT IN ('MISSING', 'QUESTIONABLE') AS energy_differs,
        abs(span_difference_ms) > duration_tolerance + unobserved_start_ms + unobserved_end_ms + outage_ms
            AS span_differs,
        multiIf(outage_ms > 0, 'PLATFORM_OUTAGE', clock_step_ms > %(clock_ms)s, 'CLOCK_STEP', 'OFFLINE') AS span_cause,
        -- the first that applies explains why the naive figure differs (anomaly-codes.md, root-cause layer)
        multiIf(
            has(flags, 'ZERO_BASELINE'), 'ZERO_BASELINE',
            has(flags, 'LATE_BASELINE') OR has(flags, 'BASELINE_PREV_END'), 'LATE_BASELINE',
            has(flags, 'SPIKE') OR has(flags, 'JUMP'), 'REGISTER_JUMP',
            has(flags, 'ROLLBACK') OR has(flags, 'RESET'), 'REGISTER_RESET',
            has(flags, 'ROLLOVER'), 'ROLLOVER',
            has(flags, 'FROZEN'), 'FROZEN',
            has(flags, 'ZERO_READ') OR has(flags, 'MISSING_DATA'), 'RS485_LOSS',
            outage_ms > 0, 'PLATFORM_OUTAGE',
            has(flags, 'TAIL_GAP') OR has(flags, 'GAP') OR unobserved_end_ms > 60000, 'OFFLINE',
            unobserved_start_ms > 60000, 'LATE_BASELINE',
            has(flags, 'OUT_OF_ORDER'), 'OUT_OF_ORDER',
            abs(best_e4kwh - naive_energy_e4kwh) > energy_tolerance AND naive_energy_e4kwh < low_e4kwh,
                'LATE_BASELINE',
            'RESOLUTION') AS measuring_cause
    FROM facts
),
judged AS
(
    SELECT
        operator_id, pile_id, connector, trade_no, revision, inputs_digest, different_bills, tariff_stale, life,
        arrayFilter(rule -> rule.fires, CAST([
            (1, 'both', 'NO_BILL', if(life = 'ended_offline', 'OFFLINE', ''), 0, %(bill_lost_ms)s, 'ms',
                bill_state = 'lost'),
            (2, 'both', 'NO_BILL_OFFLINE', 'OFFLINE', 0, %(offline_ms)s, 'ms', bill_state = 'lost_offline'),

            (3, 'both', 'TIME_MISSING', '', 0, 0, 'ms', has_bill = 1 AND NOT bill_has_times),
            (3, 'both', 'END_BEFORE_START', '', bill_span_ms, 0, 'ms', bill_has_times AND bill_span_ms < 0),
            (3, 'both', 'END_IN_FUTURE', '', bill_end_ms - bill_receive_ms, %(bill_future_ms)s, 'ms',
                has_bill = 1 AND bill_end_ms > bill_receive_ms + %(bill_future_ms)s),
            (3, 'both', 'START_BEFORE_ORDER', '', bill_start_ms - order_created_ms, -%(before_order_ms)s, 'ms',
                bill_has_times AND order_created_ms > 0 AND bill_start_ms < order_created_ms - %(before_order_ms)s),
            (3, 'both', 'START_LONG_AFTER_ORDER', '', bill_start_ms - order_created_ms, %(after_order_ms)s, 'ms',
                bill_has_times AND order_created_ms > 0 AND bill_start_ms > order_created_ms + %(after_order_ms)s),
            (3, 'both', 'BEFORE_COMMISSIONING', '', bill_start_ms - commissioned_ms, 0, 'ms',
                bill_has_times AND commissioned_ms > 0 AND bill_start_ms < commissioned_ms),
            (3, 'both', 'CLOCK_STEP', 'CLOCK_STEP', clock_step_ms, %(clock_ms)s, 'ms',
                has_bill = 1 AND clock_step_ms > %(clock_ms)s),
            (3, 'both', 'CLOCK_OFF', '', clock_offset_ms, %(clock_ms)s, 'ms',
                has_bill = 1 AND abs(clock_offset_ms) > %(clock_ms)s AND clock_step_ms <= %(clock_ms)s),
            (3, 'both', 'CLOCK_SHIFT', '', toInt64(sign(end_shift_ms) * clock_shift_ms), %(clock_ms)s, 'ms',
                clock_shift_ms > %(clock_ms)s AND abs(clock_offset_ms) <= %(clock_ms)s),

            (4, 'both', 'NEGATIVE', '', bill_energy_e4kwh, 0, 'e4kwh', bill_has_energy AND bill_energy_e4kwh < 0),
            (4, 'both', 'OVER_PHYSICAL_LIMIT', bill_cause, bill_energy_e4kwh,
                intDiv(toInt64(pmax_w) * flow_ms, 360000) + quantum_e4kwh, 'e4kwh',
                bill_has_energy AND flow_ms > 0
                AND bill_energy_e4kwh > intDiv(toInt64(pmax_w) * flow_ms, 360000) + quantum_e4kwh),
            (4, 'both', 'OVER_MAXIMUM', bill_cause, bill_energy_e4kwh, energy_max_e4kwh, 'e4kwh',
                bill_has_energy AND bill_energy_e4kwh > energy_max_e4kwh),
            (4, 'both', 'PARTS_DIFFER', '', parts_e4kwh - bill_energy_e4kwh, parts_tolerance_e4kwh, 'e4kwh',
                bill_has_energy AND NOT lacks_parts
                AND abs(parts_e4kwh - bill_energy_e4kwh) > parts_tolerance_e4kwh),
            (4, 'both', 'PART_OUTSIDE', '', outside_e4kwh, 0, 'e4kwh',
                bill_has_energy AND bill_times_usable AND outside_e4kwh > 0),
            (4, 'both', 'TOO_LITTLE', '', bill_energy_e4kwh, %(tiny_energy_e4kwh)s, 'e4kwh',
                bill_has_energy AND bill_energy_e4kwh < %(tiny_energy_e4kwh)s
                AND power_over_1kw_ms >= %(tiny_energy_power_ms)s),

            (5, 'both', 'NEGATIVE', '', bill_span_ms, 0, 'ms', bill_has_times AND bill_span_ms < 0),
            (5, 'both', 'NO_DURATION', '', 0, 0, 'ms',
                bill_has_times AND bill_span_ms = 0 AND bill_energy_e4kwh > quantum_e4kwh),
            (5, 'both', 'TOO_LONG', '', bill_span_ms, duration_max_ms, 'ms',
                bill_has_times AND bill_span_ms > duration_max_ms),
            (5, 'both', 'DURATION_FIELD', '', toInt64(bill_duration_s) * 1000 - bill_span_ms, %(duration_field_ms)s, 'ms',
                bill_has_times AND bill_duration_s > 0
                AND abs(toInt64(bill_duration_s) * 1000 - bill_span_ms) > %(duration_field_ms)s),
            (5, 'both', 'TOO_SHORT', bill_cause, bill_span_ms, least_span_ms, 'ms',
                bill_times_usable AND bill_span_ms < least_span_ms),

            (7, 'both', 'SAME_CONNECTOR', '', connector_overlap_ms, %(overlap_ms)s, 'ms',
                connector_overlap_ms > %(overlap_ms)s),
            (7, 'both', 'SAME_VEHICLE', '', vin_overlap_ms, %(vin_overlap_ms)s, 'ms', vin_overlap_ms > %(vin_overlap_ms)s),
            (7, 'both', 'SAME_CARD', '', card_overlap_ms, %(card_overlap_ms)s, 'ms',
                %(card_overlap_ms)s >= 0 AND card_overlap_ms > %(card_overlap_ms)s),
            -- one of the two records came before its own end: only its clock makes them overlap
            (7, 'raw', 'BY_CLOCK', 'CLOCK_STEP', clock_overlap_ms, 0, 'ms', clock_overlap_ms > 0),

            (8, 'raw', 'NAIVE_DIFFERENCE', if(energy_differs, bill_cause, measuring_cause), naive_difference_e4kwh,
                energy_tolerance, 'e4kwh',
                bill_has_energy AND measured AND abs(naive_difference_e4kwh) > energy_tolerance),
            (8, 'corrected', if(difference_e4kwh > 0, 'BILL_ABOVE', 'BILL_BELOW'), bill_cause, difference_e4kwh,
                energy_tolerance, 'e4kwh', bill_has_energy AND energy_differs),

            (9, 'raw', if(span_difference_ms > 0, 'BILL_LONGER', 'BILL_SHORTER'), if(span_differs, '', span_cause),
                span_difference_ms, duration_tolerance, 'ms',
                bill_has_times AND measured AND abs(span_difference_ms) > duration_tolerance),
            (9, 'corrected', if(span_difference_ms > 0, 'BILL_LONGER', 'BILL_SHORTER'), '', span_difference_ms,
                duration_allowance_ms, 'ms', bill_has_times AND measured AND span_differs),

            (11, 'both', if(bill_energy_e4kwh = 0, 'NO_ENERGY', 'NO_END_REGISTER'),
                if(has(flags, 'ZERO_READ'), 'RS485_LOSS', ''), if(evidence_by_register, low_e4kwh, power_over_1kw_ms),
                if(evidence_by_register, lost_energy_limit_e4kwh, %(lost_energy_power_ms)s),
                if(evidence_by_register, 'e4kwh', 'ms'),
                bill_lacks_energy AND (evidence_by_register OR evidence_by_power)),

            (6, 'both', if(unplugged_ms > 0, 'UNPLUGGED_LATE', 'AT_LEAST'), '', occupancy_ms, occupancy_grace_ms, 'ms',
                occupancy_decided = 1 AND occupancy_grace_ms >= 0 AND plugged_until_ms > 0 AND fault_after_end = 0
                AND life != 'failed_start' AND occupancy_ms > occupancy_grace_ms)
        ], 'Array(Tuple(code UInt8, reading String, reason String, cause String, observed Int64, threshold Int64, unit String, fires UInt8))'))
            AS fired
    FROM compared
),
exclusive AS
(
    SELECT
        *,
        arrayFilter(rule -> rule.code IN (1, 2, 11), fired) AS alone,
        if(notEmpty(alone), alone, fired) AS kept
    FROM judged
),
told AS
(
    SELECT
        *,
        arrayMap(rule -> (rule.code, 'raw', rule.reason, rule.cause, rule.observed, rule.threshold, rule.unit),
            arrayFilter(rule -> rule.reading IN ('raw', 'both'), kept)) AS raw_hits,
        arrayMap(rule -> (rule.code, 'corrected', rule.reason, rule.cause, rule.observed, rule.threshold, rule.unit),
            arrayFilter(rule -> rule.reading IN ('corrected', 'both'), kept)) AS corrected_hits
    FROM exclusive
)
SELECT
    operator_id,
    pile_id,
    connector,
    trade_no,
    revision,
    inputs_digest,
    %(batch_id)s AS batch_id,
    arrayFilter(code -> has(raw_hits.1, code), [1, 2, 3, 4, 5, 7, 8, 9, 11, 6]) AS codes_raw,
    arrayFilter(code -> has(corrected_hits.1, code), [1, 2, 3, 4, 5, 7, 8, 9, 11, 6]) AS codes,
    arraySort(arrayDistinct(arrayConcat(
        arrayFilter(cause -> cause != '', arrayConcat(raw_hits.4, corrected_hits.4)),
        if(different_bills > 0, ['DUPLICATE_BILL'], []),
        if(tariff_stale = 1, ['TARIFF_STALE'], []),
        if(life = 'failed_start', ['START_FAILED'], [])))) AS causes,
    arrayConcat(raw_hits, corrected_hits) AS hits
FROM told
SETTINGS use_variant_as_common_type = 0
