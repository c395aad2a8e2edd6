-- How did this session keep to the order of steps, by its newest check?
SELECT flow, steps_expected, steps_kept, step_order, pattern, vendor, model, firmware, checked_ms
FROM
(
    SELECT *
    FROM conformance_checks
    WHERE pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s AND connection_id = 0
    ORDER BY check_id DESC
    LIMIT 1
)
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
