-- Who started a charge, or tried to, and by which frame is that known?
CREATE TABLE session_starts
(
    operator_id UInt32,
    pile_id UInt32,
    connector UInt8,
    trade_no String COMMENT 'empty = the charger had none yet',
    event_ms Int64 CODEC(Delta, ZSTD),
    method LowCardinality(String) COMMENT 'app, card, offline_card, vin, password, local_admin, unknown',
    account String COMMENT 'card, VIN or account',
    source LowCardinality(String) COMMENT 'request (of the charger), order (of the platform), record, status',
    granted UInt8,
    reason LowCardinality(String) COMMENT 'why it was refused',
    frame String COMMENT 'frame bytes',
    reply String COMMENT 'frame bytes, empty without an answer',
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(event_ms, 'UTC'))
ORDER BY (pile_id, connector, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- What did a charger say of itself when it logged in?
CREATE TABLE charger_identities
(
    operator_id UInt32,
    pile_id UInt32,
    connection_id UInt64,
    event_ms Int64 CODEC(Delta, ZSTD),
    protocol LowCardinality(String),
    protocol_version LowCardinality(String),
    firmware LowCardinality(String),
    connectors UInt8,
    current_kind LowCardinality(String),
    sim String,
    boot_count UInt32,
    record_count UInt32,
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
ORDER BY (pile_id, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- What should a person look at?
CREATE TABLE alarms
(
    operator_id UInt32,
    pile_id UInt32 COMMENT '0 = no charger of ours',
    connector UInt8 COMMENT '0 = the whole charger',
    event_ms Int64 CODEC(Delta, ZSTD),
    kind LowCardinality(String) COMMENT 'duplicate_login, takeover, login_flood, clock_off, tariff_mismatch, silent, register_not_continued, ...',
    detail String,
    peer String,
    connection_id UInt64,
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(event_ms, 'UTC'))
ORDER BY (pile_id, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

ALTER TABLE commands ADD COLUMN attempts UInt8 DEFAULT 1 COMMENT 'how often the frame was sent';
