-- Which anomaly codes do the sessions of one batch carry, raw and after correction, and why?
-- Rules and defaults: anomaly-codes.md. A rule is one tuple (code, reading, reason, cause, observed, threshold, unit,
-- fires); reading 'both' means that the raw and the corrected reading are the same rule. Codes 1, 2 and 11 stand
-- alone (requirement S18). `limits` holds every set of thresholds that a session of the batch was decided by, each under
-- its own name with limit_ before it.
-- The steps are nested and not a list of aliases, because ClickHouse analyses an alias anew wherever it is used.
INSERT INTO session_codes
    (operator_id, pile_id, connector, trade_no, revision, inputs_digest, batch_id, codes_raw, codes, causes, hits)
WITH
facts AS
(
    SELECT
        *,
        -- one that belongs to a charge under another number says nothing here
        has_bill = 1 AND life != 'other_number' AS has_record,
        has_record AND bill_energy_e4kwh != 0 AS bill_has_energy,
        has_record AND bill_start_ms > 0 AND bill_end_ms > 0 AS bill_has_times,
        bill_end_ms - bill_start_ms AS bill_span_ms,
        charging_readings > 0 AS measured,
        if(current_kind = 'ac', limit_energy_max_ac_e4kwh, limit_energy_max_dc_e4kwh) AS energy_max_e4kwh,
        if(current_kind = 'ac', limit_duration_max_ac_ms, limit_duration_max_dc_ms) AS duration_max_ms,
        -- the parts of an AAF5 record are its half-hours; one without any has no parts to compare
        protocol = 'aaf5' AND arraySum(bill_half_hour_e4kwh) = 0 AS lacks_parts,
        toInt64(if(protocol = 'aaf5', arraySum(bill_half_hour_e4kwh), arraySum(bill_class_energy_e4kwh)))
            AS parts_e4kwh,
        greatest(limit_parts_e4kwh, intDiv(bill_energy_e4kwh * limit_parts_share_e4, 10000)) AS parts_tolerance_e4kwh,
        toInt64(arraySum((energy, class) -> if(bitTest(bill_class_mask, class), 0, energy),
            arrayResize(bill_class_energy_e4kwh, 4), [0, 1, 2, 3]))
            + toInt64(arraySum((energy, slot) -> if(bitTest(bill_half_hour_mask, slot), 0, energy),
                arrayResize(bill_half_hour_e4kwh, 48), range(48))) AS outside_e4kwh,
        bill_start_ms - start_ms AS start_shift_ms,
        bill_end_ms - end_ms AS end_shift_ms,
        greatest(limit_energy_tolerance_e4kwh, intDiv(bill_net_e4kwh * limit_energy_tolerance_share_e4, 10000))
            AS energy_tolerance,
        bill_energy_e4kwh - naive_energy_e4kwh AS naive_difference_e4kwh,
        -- what the record counted without losses: they only add, in whichever of its two fields they stand
        if(bill_loss_energy_e4kwh > 0, least(bill_energy_e4kwh, bill_loss_energy_e4kwh), bill_energy_e4kwh) AS bill_net_e4kwh,
        -- what the record's meter can have counted of it, where that one sits behind the rectifier
        intDiv(low_e4kwh * (10000 - limit_efficiency_e4), 10000) AS behind_low_e4kwh,
        intDiv(high_e4kwh * (10000 - limit_efficiency_e4), 10000) AS behind_high_e4kwh,
        intDiv(best_e4kwh * (10000 - limit_efficiency_e4), 10000) AS behind_best_e4kwh,
        multiIf(bill_net_e4kwh < behind_low_e4kwh, bill_net_e4kwh - behind_low_e4kwh,
            bill_net_e4kwh > behind_high_e4kwh, bill_net_e4kwh - behind_high_e4kwh, 0) AS difference_e4kwh,
        greatest(limit_duration_tolerance_ms, intDiv(toInt64(abs(bill_span_ms)) * limit_duration_tolerance_share_e4, 10000))
            AS duration_tolerance,
        bill_span_ms - naive_span_ms AS span_difference_ms,
        -- an unplug that was not observed may have come right after the last plugged reading
        if(unplugged_ms > 0 AND unplugged_ms - greatest(plugged_until_ms, occupancy_from_ms) <= limit_occupancy_gap_ms,
            unplugged_ms, plugged_until_ms) - occupancy_from_ms AS occupancy_ms,
        arrayMax(other -> if(other.kind = 'connector', other.overlap_ms, 0), overlaps) AS connector_overlap_ms,
        arrayMax(other -> if(other.kind = 'vin', other.overlap_ms, 0), overlaps) AS vin_overlap_ms,
        arrayMax(other -> if(other.kind = 'card', other.overlap_ms, 0), overlaps) AS card_overlap_ms,
        -- only a wrong clock makes these overlap: one of the two records came before its own end
        arrayMax(other -> if(other.kind = 'connector_clock', other.overlap_ms, 0), overlaps) AS connector_clock_ms,
        arrayMax(other -> if(other.kind = 'vin_clock', other.overlap_ms, 0), overlaps) AS vin_clock_ms,
        greatest(toInt64(quantum_e4kwh), limit_lost_energy_e4kwh) AS lost_energy_limit_e4kwh,
        has_record AND bill_energy_e4kwh = 0 AS bill_without_energy,
        has_record AND bill_meter_start_e4kwh > 0 AND bill_meter_end_e4kwh = 0 AS bill_without_end,
        -- a meter that counts in whole steps shows nothing of less than one
        power_over_1kw_ms >= limit_lost_energy_power_ms AND intDiv(power_energy_e4kwh * 95, 100) >= quantum_e4kwh
            AS evidence_by_power,
        quality NOT IN ('MISSING', 'QUESTIONABLE') AS figure_stands
    FROM session_revisions
    INNER JOIN limits ON session_revisions.thresholds_digest = limits.limit_digest
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
        low_e4kwh >= lost_energy_limit_e4kwh AS evidence_by_register,
        duration_tolerance + unobserved_start_ms + unobserved_end_ms + outage_ms AS duration_allowance_ms,
        abs(difference_e4kwh) > energy_tolerance AND figure_stands AS energy_differs,
        abs(span_difference_ms) > duration_tolerance + unobserved_start_ms + unobserved_end_ms + outage_ms
            AS span_differs,
        multiIf(outage_ms > 0, 'PLATFORM_OUTAGE', clock_step_ms > limit_clock_ms, 'CLOCK_STEP', 'OFFLINE') AS span_cause,
        -- the tolerance of a comparison with what the record would say, had it been right
        greatest(limit_energy_tolerance_e4kwh, intDiv(behind_best_e4kwh * limit_energy_tolerance_share_e4, 10000)) AS own_tolerance,
        -- a record that begins at zero bills the whole register; what is left above the true begin is the charge
        figure_stands AND bill_meter_start_e4kwh = 0 AND bill_energy_e4kwh > behind_high_e4kwh AND bill_meter_end_e4kwh > 0
            AND abs(bill_energy_e4kwh - bill_meter_end_e4kwh) <= greatest(quantum_e4kwh, 100)
            AND if(register_start_e4kwh > 0,
                bill_energy_e4kwh - register_start_e4kwh BETWEEN behind_low_e4kwh - own_tolerance
                    AND behind_high_e4kwh + own_tolerance,
                register_kind = 'session' AND quality IN ('VALID', 'DERIVED')) AS begins_at_zero,
        -- the first that applies explains why the naive figure differs (anomaly-codes.md, root-cause layer)
        multiIf(
            has(flags, 'ZERO_BASELINE'), 'ZERO_BASELINE',
            has(flags, 'LATE_BASELINE') OR has(flags, 'BASELINE_PREV_END') OR has(flags, 'BASELINE_BACKCAST'), 'LATE_BASELINE',
            has(flags, 'SCALE'), 'SCALE',
            has(flags, 'SPIKE') OR has(flags, 'JUMP'), 'REGISTER_JUMP',
            has(flags, 'ROLLBACK') OR has(flags, 'RESET'), 'REGISTER_RESET',
            has(flags, 'ROLLOVER'), 'ROLLOVER',
            has(flags, 'FROZEN') OR has(flags, 'STANDSTILL'), 'FROZEN',
            has(flags, 'ZERO_READ') OR has(flags, 'MISSING_DATA'), 'RS485_LOSS',
            outage_ms > 0, 'PLATFORM_OUTAGE',
            has(flags, 'TAIL_GAP') OR has(flags, 'GAP') OR unobserved_end_ms > 60000, 'OFFLINE',
            unobserved_start_ms > 60000, 'LATE_BASELINE',
            has(flags, 'OUT_OF_ORDER'), 'OUT_OF_ORDER',
            bill_net_e4kwh != bill_energy_e4kwh, 'LOSS_RATIO',
            -- where the greater part is missing: before the first reading, or later, when the register was not read anew
            abs(best_e4kwh - naive_energy_e4kwh) > energy_tolerance AND naive_energy_e4kwh < low_e4kwh,
                if(2 * begin_missed_e4kwh >= best_e4kwh - naive_energy_e4kwh, 'LATE_BASELINE', 'RS485_LOSS'),
            limit_efficiency_e4 != 0, 'EFFICIENCY',
            'RESOLUTION') AS measuring_cause
    FROM facts
),
explained AS
(
    SELECT
        *,
        -- one off by a power of ten against the platform's figure, at the record's side of the rectifier, is in another unit
        multiIf(begins_at_zero, 'ZERO_BASELINE',
            behind_best_e4kwh > 0 AND arrayExists(
                factor -> abs(bill_net_e4kwh - behind_best_e4kwh * factor) <= intDiv(behind_best_e4kwh * factor, 100)
                    OR abs(bill_net_e4kwh * factor - behind_best_e4kwh) <= intDiv(behind_best_e4kwh, 100),
                [10, 100, 1000]), 'SCALE', '') AS bill_cause,
        -- the end register of the record is a true zero, or was lost alone: its energy is the one that was measured
        bill_without_end AND bill_has_energy AND figure_stands AND NOT energy_differs AS end_register_alone,
        multiIf(has(flags, 'ROLLOVER') OR (register_digits > 0 AND bill_meter_start_e4kwh > 9 * intExp10(register_digits + 3)),
                'ROLLOVER',
            has(flags, 'RESET') OR has(flags, 'ROLLBACK') OR has(flags, 'REGISTER_REPLACED'), 'REGISTER_RESET',
            'RS485_LOSS') AS end_register_cause
    FROM compared
),
judged AS
(
    SELECT
        operator_id, pile_id, connector, trade_no, revision, inputs_digest, different_bills, tariff_stale, life,
        arrayFilter(rule -> rule.fires, CAST([
            (1, 'both', 'NO_BILL', if(life = 'ended_offline', 'OFFLINE', ''), 0, limit_bill_lost_ms, 'ms',
                bill_state = 'lost'),
            (2, 'both', 'NO_BILL_OFFLINE', 'OFFLINE', 0, limit_offline_ms, 'ms', bill_state = 'lost_offline'),

            (3, 'both', 'TIME_MISSING', '', 0, 0, 'ms', has_record AND NOT bill_has_times),
            (3, 'both', 'END_BEFORE_START', '', bill_span_ms, 0, 'ms', bill_has_times AND bill_span_ms < 0),
            (3, 'both', 'END_IN_FUTURE', '', bill_end_ms - bill_receive_ms, limit_bill_future_ms, 'ms',
                has_record AND bill_end_ms > bill_receive_ms + limit_bill_future_ms),
            (3, 'both', 'START_BEFORE_ORDER', '', bill_start_ms - order_created_ms, -limit_before_order_ms, 'ms',
                bill_has_times AND order_created_ms > 0 AND bill_start_ms < order_created_ms - limit_before_order_ms),
            (3, 'both', 'START_LONG_AFTER_ORDER', '', bill_start_ms - order_created_ms, limit_after_order_ms, 'ms',
                bill_has_times AND order_created_ms > 0 AND bill_start_ms > order_created_ms + limit_after_order_ms),
            (3, 'both', 'BEFORE_COMMISSIONING', '', bill_start_ms - commissioned_ms, 0, 'ms',
                bill_has_times AND commissioned_ms > 0 AND bill_start_ms < commissioned_ms),
            (3, 'both', 'CLOCK_STEP', 'CLOCK_STEP', clock_step_ms, limit_clock_ms, 'ms',
                has_record AND clock_step_ms > limit_clock_ms),
            (3, 'both', 'CLOCK_OFF', '', clock_offset_ms, limit_clock_ms, 'ms',
                has_record AND abs(clock_offset_ms) > limit_clock_ms AND clock_step_ms <= limit_clock_ms),
            (3, 'both', 'CLOCK_SHIFT', '', toInt64(sign(end_shift_ms) * clock_shift_ms), limit_clock_ms, 'ms',
                has_record AND clock_shift_ms > limit_clock_ms AND abs(clock_offset_ms) <= limit_clock_ms),

            (4, 'both', 'NEGATIVE', '', bill_energy_e4kwh, 0, 'e4kwh', bill_has_energy AND bill_energy_e4kwh < 0),
            (4, if(begins_at_zero, 'raw', 'both'), 'OVER_PHYSICAL_LIMIT', bill_cause, bill_energy_e4kwh,
                intDiv(toInt64(pmax_w) * flow_ms, 360000) + quantum_e4kwh, 'e4kwh',
                bill_has_energy AND flow_ms > 0
                AND bill_energy_e4kwh > intDiv(toInt64(pmax_w) * flow_ms, 360000) + quantum_e4kwh),
            (4, if(begins_at_zero, 'raw', 'both'), 'OVER_MAXIMUM', bill_cause, bill_energy_e4kwh, energy_max_e4kwh, 'e4kwh',
                bill_has_energy AND bill_energy_e4kwh > energy_max_e4kwh),
            (4, if(begins_at_zero, 'raw', 'both'), 'PARTS_DIFFER', if(begins_at_zero, 'ZERO_BASELINE', ''),
                parts_e4kwh - bill_energy_e4kwh, parts_tolerance_e4kwh, 'e4kwh',
                bill_has_energy AND NOT lacks_parts
                AND abs(parts_e4kwh - bill_energy_e4kwh) > parts_tolerance_e4kwh),
            (4, 'both', 'PART_OUTSIDE', '', outside_e4kwh, 0, 'e4kwh',
                bill_has_energy AND bill_times_usable AND outside_e4kwh > 0),
            (4, 'both', 'TOO_LITTLE', '', bill_energy_e4kwh, limit_tiny_energy_e4kwh, 'e4kwh',
                bill_has_energy AND bill_energy_e4kwh < limit_tiny_energy_e4kwh
                AND power_over_1kw_ms >= limit_tiny_energy_power_ms),

            (5, 'both', 'NEGATIVE', '', bill_span_ms, 0, 'ms', bill_has_times AND bill_span_ms < 0),
            (5, 'both', 'NO_DURATION', '', 0, 0, 'ms',
                bill_has_times AND bill_span_ms = 0 AND bill_energy_e4kwh > quantum_e4kwh),
            (5, 'both', 'TOO_LONG', '', bill_span_ms, duration_max_ms, 'ms',
                bill_has_times AND bill_span_ms > duration_max_ms),
            (5, 'both', 'DURATION_FIELD', '', toInt64(bill_duration_s) * 1000 - bill_span_ms, limit_duration_field_ms, 'ms',
                bill_has_times AND bill_duration_s > 0
                AND abs(toInt64(bill_duration_s) * 1000 - bill_span_ms) > limit_duration_field_ms),
            (5, if(begins_at_zero, 'raw', 'both'), 'TOO_SHORT', bill_cause, bill_span_ms, least_span_ms, 'ms',
                bill_times_usable AND bill_span_ms < least_span_ms),

            (7, 'both', 'SAME_CONNECTOR', '', connector_overlap_ms, limit_overlap_ms, 'ms',
                has_record AND connector_overlap_ms > limit_overlap_ms),
            (7, 'both', 'SAME_VEHICLE', '', vin_overlap_ms, limit_vin_overlap_ms, 'ms',
                has_record AND vin_overlap_ms > limit_vin_overlap_ms),
            (7, 'both', 'SAME_CARD', '', card_overlap_ms, limit_card_overlap_ms, 'ms',
                has_record AND limit_card_overlap_ms >= 0 AND card_overlap_ms > limit_card_overlap_ms),
            (7, 'raw', 'SAME_CONNECTOR', 'CLOCK_STEP', connector_clock_ms, limit_overlap_ms, 'ms',
                has_record AND connector_clock_ms > limit_overlap_ms),
            (7, 'raw', 'SAME_VEHICLE', 'CLOCK_STEP', vin_clock_ms, limit_vin_overlap_ms, 'ms',
                has_record AND vin_clock_ms > limit_vin_overlap_ms),

            (8, 'raw', 'NAIVE_DIFFERENCE', if(energy_differs OR begins_at_zero, bill_cause, measuring_cause),
                naive_difference_e4kwh, energy_tolerance, 'e4kwh',
                bill_has_energy AND measured AND abs(naive_difference_e4kwh) > energy_tolerance),
            (8, 'corrected', if(difference_e4kwh > 0, 'BILL_ABOVE', 'BILL_BELOW'), bill_cause, difference_e4kwh,
                energy_tolerance, 'e4kwh', bill_has_energy AND energy_differs AND NOT begins_at_zero),

            (9, 'raw', if(span_difference_ms > 0, 'BILL_LONGER', 'BILL_SHORTER'), if(span_differs, '', span_cause),
                span_difference_ms, duration_tolerance, 'ms',
                bill_has_times AND measured AND abs(span_difference_ms) > duration_tolerance),
            (9, 'corrected', if(span_difference_ms > 0, 'BILL_LONGER', 'BILL_SHORTER'), '', span_difference_ms,
                duration_allowance_ms, 'ms', bill_has_times AND measured AND span_differs),

            (11, 'both', 'NO_ENERGY', if(has(flags, 'ZERO_READ'), 'RS485_LOSS', ''),
                if(evidence_by_register, low_e4kwh, power_over_1kw_ms),
                if(evidence_by_register, lost_energy_limit_e4kwh, limit_lost_energy_power_ms),
                if(evidence_by_register, 'e4kwh', 'ms'),
                bill_without_energy AND (evidence_by_register OR evidence_by_power)),
            (11, if(end_register_alone, 'raw', 'both'), 'NO_END_REGISTER',
                if(end_register_alone, end_register_cause, if(has(flags, 'ZERO_READ'), 'RS485_LOSS', '')),
                if(evidence_by_register, low_e4kwh, power_over_1kw_ms),
                if(evidence_by_register, lost_energy_limit_e4kwh, limit_lost_energy_power_ms),
                if(evidence_by_register, 'e4kwh', 'ms'),
                bill_without_end AND NOT bill_without_energy AND (evidence_by_register OR evidence_by_power)),

            (6, 'both', if(unplugged_ms > 0, 'UNPLUGGED_LATE', 'AT_LEAST'), '', occupancy_ms, occupancy_grace_ms, 'ms',
                occupancy_decided = 1 AND occupancy_grace_ms >= 0 AND plugged_until_ms > 0 AND fault_after_end = 0
                AND life NOT IN ('failed_start', 'other_number') AND occupancy_ms > occupancy_grace_ms)
        ], 'Array(Tuple(code UInt8, reading String, reason String, cause String, observed Int64, threshold Int64, unit String, fires UInt8))'))
            AS fired
    FROM explained
),
exclusive AS
(
    -- each reading by itself: a code that stands alone and is explained leaves room for the others after correction
    SELECT
        *,
        arrayFilter(rule -> rule.reading IN ('raw', 'both'), fired) AS raw_fired,
        arrayFilter(rule -> rule.reading IN ('corrected', 'both'), fired) AS corrected_fired,
        if(hasAny(raw_fired.1, [1, 2, 11]), arrayFilter(rule -> rule.1 IN (1, 2, 11), raw_fired), raw_fired) AS raw_kept,
        if(hasAny(corrected_fired.1, [1, 2, 11]), arrayFilter(rule -> rule.1 IN (1, 2, 11), corrected_fired), corrected_fired)
            AS corrected_kept
    FROM judged
),
told AS
(
    SELECT
        *,
        arrayMap(rule -> (rule.1, 'raw', rule.3, rule.4, rule.5, rule.6, rule.7), raw_kept) AS raw_hits,
        arrayMap(rule -> (rule.1, 'corrected', rule.3, rule.4, rule.5, rule.6, rule.7), corrected_kept) AS corrected_hits
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
