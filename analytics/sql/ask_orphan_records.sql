-- Which records came under numbers that nothing else knows, and belong to no charge that was seen (anomaly-codes.md, code 1)?
SELECT
    operator_id, station_id, toString(pile) AS pile, connector, trade_no, start_ms, end_ms, bill_receive_ms AS receive_ms,
    bill_energy_e4kwh AS energy_e4kwh, toString(zone) AS zone
FROM sessions
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND has_bill = 1 AND bill_number = '' AND readings = 0 AND start_command_ms = 0
    AND local_day >= toDate(%(from_day)s)
    AND local_day <= toDate(%(to_day)s)
ORDER BY receive_ms DESC, pile, connector, trade_no
LIMIT %(limit)s
