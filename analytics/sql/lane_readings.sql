-- What did the connectors of these YKC chargers say, in the order in which it is stored?
-- Charging and idle alike, each row once and without a join: which charge a row belongs to, and what the connector showed after
-- that charge, is found from the columns. `live` = 0: the row is stored under another time than its receipt, because the
-- charger had kept it; such rows do not stand in the order of their receipt.
SELECT
    pile_id,
    connector,
    trade_hi,
    trade_lo,
    receive_ms,
    toUInt8(event_ms = receive_ms) AS live,
    told_energy_e4kwh AS counter_e4kwh,
    state,
    plugged,
    toInt32(intDiv(toUInt64(voltage_dv) * current_da, 100)) AS power_w,
    charge_minutes,
    seq
FROM readings
WHERE pile_id IN (SELECT pile_id FROM piles) AND event_ms BETWEEN %(from_ms)s AND %(to_ms)s AND protocol = 'ykc'
ORDER BY pile_id, connector, event_ms
LIMIT %(most_rows)s
