-- What does the difference of the registers come to, for each charge? The least that ClickHouse must read for any bill.
SELECT count(), sum(naive_e4kwh)
FROM
(
    SELECT max(energy_e4kwh) - min(energy_e4kwh) AS naive_e4kwh
    FROM readings
    WHERE state = 3
    GROUP BY pile_id, connector, trade_hi, trade_lo
)
