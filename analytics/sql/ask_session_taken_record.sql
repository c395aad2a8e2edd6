-- Which charge took the record that came under this number?
SELECT pile, connector, trade_no, start_ms, end_ms, zone
FROM sessions
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s AND bill_number = %(trade_no)s
ORDER BY start_ms
LIMIT 1
