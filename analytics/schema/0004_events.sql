-- Who connected, from where, and how did each connection end?
CREATE TABLE connection_events
(
    operator_id UInt32,
    pile_id UInt32 COMMENT '0 while the charger is not known',
    connection_id UInt64,
    event_ms Int64 CODEC(Delta, ZSTD),
    event LowCardinality(String) COMMENT 'opened, login, login_refused, replaced, closed',
    detail LowCardinality(String) COMMENT 'why: unknown_pile, idle, garbage, peer, shutdown, ...',
    peer String,
    pile String COMMENT 'the id that the charger gave',
    bytes_in UInt64,
    frames_in UInt64,
    quarantined_bytes UInt64,
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(event_ms, 'UTC'))
ORDER BY (pile_id, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- When was a charger heard? One row per connection and minute in which it sent anything.
CREATE TABLE presence
(
    operator_id UInt32 CODEC(ZSTD),
    pile_id UInt32 CODEC(ZSTD),
    connection_id UInt64 CODEC(ZSTD),
    first_ms Int64 CODEC(Delta, ZSTD),
    last_ms Int64 CODEC(Delta, ZSTD),
    frames UInt32 CODEC(ZSTD),
    heartbeats UInt32 CODEC(ZSTD),
    bytes UInt32 CODEC(ZSTD),
    segment_id UInt64 CODEC(ZSTD),
    segment_offset UInt64 CODEC(Delta, ZSTD),
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(first_ms, 'UTC'))
ORDER BY (pile_id, first_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- When did a connector change its state, and when was it plugged or unplugged?
CREATE TABLE connector_events
(
    operator_id UInt32,
    pile_id UInt32,
    connector UInt8,
    event_ms Int64 CODEC(Delta, ZSTD),
    event LowCardinality(String) COMMENT 'plugged, unplugged, started, charging, stopped, billed, fault, recovered, first_seen, violation',
    state UInt8 COMMENT 'as in readings',
    plugged UInt8,
    trade_no String COMMENT 'empty = no session',
    detail LowCardinality(String),
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(event_ms, 'UTC'))
ORDER BY (pile_id, connector, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- How far off was a charger's clock?
CREATE TABLE clock_offsets
(
    operator_id UInt32,
    pile_id UInt32,
    event_ms Int64 CODEC(Delta, ZSTD),
    pile_ms Int64 COMMENT 'the charger clock in that frame',
    offset_ms Int64 COMMENT 'charger minus platform',
    source LowCardinality(String) COMMENT 'time_sync_reply, record',
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(event_ms, 'UTC'))
ORDER BY (pile_id, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- What was a charger told to do, and what did it answer?
CREATE TABLE commands
(
    operator_id UInt32,
    pile_id UInt32,
    connector UInt8,
    command LowCardinality(String) COMMENT 'message name of the order: remote_start, remote_stop, time_sync, ...',
    trade_no String,
    sent_ms Int64 CODEC(Delta, ZSTD),
    answered_ms Int64 COMMENT '0 = no answer',
    outcome LowCardinality(String) COMMENT 'ok, refused, timeout, connection_lost, replaced (by a newer order of its kind)',
    detail String COMMENT 'reason given by the charger',
    request String COMMENT 'frame bytes',
    reply String COMMENT 'frame bytes, empty without an answer',
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(sent_ms, 'UTC'))
ORDER BY (pile_id, connector, sent_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- Which tariff version did a charger last say it holds?
CREATE TABLE tariff_acks
(
    operator_id UInt32,
    pile_id UInt32,
    event_ms Int64 CODEC(Delta, ZSTD),
    model_no String COMMENT '4 BCD digits as the charger gave them',
    tariff_version_id UInt32 COMMENT '0 = no version of the platform has this number',
    source LowCardinality(String) COMMENT 'tariff_check, tariff_reply, tariff_set_reply',
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
ORDER BY (pile_id, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- When could the platform itself not hear? Such time counts against nobody.
CREATE TABLE platform_outages
(
    node LowCardinality(String),
    from_ms Int64,
    to_ms Int64,
    cause LowCardinality(String) COMMENT 'stopped, crashed',
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
ORDER BY (from_ms, node)
SETTINGS non_replicated_deduplication_window = 10000;
