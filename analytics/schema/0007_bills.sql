-- Which anomaly codes does a revision of a session carry, raw and after correction, and why?
CREATE TABLE session_codes
(
    operator_id UInt32,
    pile_id UInt32,
    connector UInt8,
    trade_no String,
    revision UInt32,
    inputs_digest UInt64,
    batch_id UInt64,
    codes_raw Array(UInt8) COMMENT 'in the order 1,2,3,4,5,7,8,9,11,6',
    codes Array(UInt8) COMMENT 'after correction, same order',
    causes Array(LowCardinality(String)) COMMENT 'named causes of codes that vanished or stayed',
    hits Array(Tuple(code UInt8, reading LowCardinality(String), reason LowCardinality(String), cause LowCardinality(String), observed Int64, threshold Int64, unit LowCardinality(String))) COMMENT 'reading: raw or corrected; cause empty = not known; unit: e4kwh, ms or w',
    INDEX batch batch_id TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
ORDER BY (pile_id, connector, trade_no, revision)
SETTINGS non_replicated_deduplication_window = 1000;

-- What is billed for a charge? A chain of revisions that never change.
CREATE TABLE bill_revisions
(
    operator_id UInt32,
    station_id UInt32,
    pile_id UInt32,
    pile LowCardinality(String),
    connector UInt8,
    trade_no String,
    revision UInt32,
    inputs_digest UInt64,
    batch_id UInt64,
    computed_ms Int64,
    status Enum8('provisional' = 1, 'final' = 2),
    local_day Date,
    start_ms Int64,
    end_ms Int64,
    pile_energy_e4kwh Nullable(Int64) COMMENT 'what the charger said',
    platform_energy_e4kwh Int64 COMMENT 'what the platform measured',
    low_e4kwh Int64,
    high_e4kwh Int64,
    quality Enum8('MISSING' = 1, 'QUESTIONABLE' = 2, 'ESTIMATED' = 3, 'DERIVED' = 4, 'VALID' = 5, 'MANUAL' = 6, 'VERIFIED' = 7) COMMENT 'of the final figure; that of the measurement is in sessions',
    final_rule UInt8,
    final_energy_e4kwh Nullable(Int64) COMMENT 'what is billed; null = nothing is known',
    slot_of_day Array(UInt8),
    slot_energy_e4kwh Array(UInt32),
    slot_class Array(UInt8),
    slot_electricity_e5yuan Array(Int64),
    slot_service_e5yuan Array(Int64),
    class_energy_e4kwh Array(Int64) COMMENT 'sharp, peak, flat, valley',
    electricity_e5yuan Int64,
    service_e5yuan Int64,
    amount_fen Nullable(Int64) COMMENT 'rounded once',
    electricity_fen Nullable(Int64),
    service_fen Nullable(Int64) COMMENT 'amount_fen - electricity_fen',
    pile_amount_e4yuan Nullable(Int64),
    tariff_stale UInt8,
    held UInt8 COMMENT '1 = waits for a person; final_* are a proposal',
    codes_raw Array(UInt8),
    codes Array(UInt8),
    causes Array(LowCardinality(String)),
    vin String,
    start_mode UInt8,
    INDEX batch batch_id TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(local_day)
ORDER BY (pile_id, connector, trade_no, revision)
SETTINGS non_replicated_deduplication_window = 1000;

-- What is billed for each charge now?
CREATE VIEW bills AS
SELECT *
FROM bill_revisions
ORDER BY revision DESC, inputs_digest DESC
LIMIT 1 BY pile_id, connector, trade_no;
