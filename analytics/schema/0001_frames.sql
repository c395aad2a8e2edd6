-- Which bytes did a charger send or get, when, over which connection, and what became of them?
-- A realtime frame that its row in `readings` reproduces to the byte is not stored here again.
CREATE TABLE frames
(
    operator_id UInt32,
    pile_id UInt32 COMMENT '0 while the charger is not known',
    connection_id UInt64,
    receive_ms Int64 CODEC(Delta, ZSTD),
    direction Enum8('up' = 1, 'down' = 2),
    protocol Enum8('ykc' = 1, 'aaf5' = 2),
    verdict LowCardinality(String) COMMENT 'ok, variant, unknown_type, or the reason of quarantine: garbage, bad_length, bad_checksum, encrypted, not_logged_in, foreign_pile',
    frame_type UInt16,
    seq UInt16 COMMENT 'the two wire bytes, little-endian',
    connector UInt8,
    trade_no String,
    bytes String CODEC(ZSTD(3)),
    segment_id UInt64,
    segment_offset UInt64 CODEC(Delta, ZSTD),
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(receive_ms, 'UTC'))
ORDER BY (pile_id, receive_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;
