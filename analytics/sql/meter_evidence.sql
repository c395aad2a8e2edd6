-- What did the days of these connectors show of their meters? Of two looks at one day that by the newer rule counts, and of
-- one rule the later.
SELECT pile_id, connector, day, sessions, differences, divisible, power_kw, power_readings, restarted, continued,
    rollover_digits, highest_e4kwh
FROM meter_days
WHERE pile_id IN (SELECT pile_id FROM piles)
ORDER BY pile_id, connector, day, rule DESC, computed_ms DESC, readings DESC
LIMIT 1 BY pile_id, connector, day
