-- What did the readings of each closed day show of a connector's meter that nobody configured?
-- One row per connector and local day on which readings were received; a later row of the same day takes its place (its
-- readings came by a capture that was replayed). `meter_profiles` is made of these rows.
CREATE TABLE meter_days
(
    pile_id UInt32,
    connector UInt8,
    day Date COMMENT 'of the receipt, in the zone of the station',
    readings UInt64 COMMENT 'charging readings of that day, as they are stored',
    sessions UInt32,
    differences UInt64 COMMENT 'between the register values of a session, each value once',
    divisible Array(UInt64) COMMENT 'so many of them are multiples of 1, 0.1, 0.01 and 0.001 kWh',
    power_kw Array(UInt16) COMMENT 'powers that the register bears out, rounded up to whole kW',
    power_readings Array(UInt64) COMMENT 'so many readings showed each',
    restarted UInt32 COMMENT 'sessions whose register began near 0 although the one before ended higher',
    continued UInt32 COMMENT 'sessions whose register went on where the one before ended',
    rollover_digits UInt8 COMMENT 'whole-kWh digits of a register that rolled over, 0 = none did',
    highest_e4kwh UInt64 COMMENT 'the register stood that high and went on',
    computed_ms Int64
)
ENGINE = MergeTree
ORDER BY (pile_id, connector, day, computed_ms)
SETTINGS non_replicated_deduplication_window = 1000;

-- Where can the most that a connector delivers come from?
ALTER TABLE session_revisions
    COMMENT COLUMN pmax_source 'configured, learned, session (its own readings prove more), default';
