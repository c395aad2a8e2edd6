-- Up to which moment of insertion has the biller seen every fact?
CREATE TABLE biller_progress
(
    watermark_ms Int64 COMMENT 'inserted_ms, by the clock of the server',
    decided_ms Int64 COMMENT 'up to which moment sessions were decided, by the clock of the biller',
    written_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3))
)
ENGINE = MergeTree
ORDER BY watermark_ms
TTL fromUnixTimestamp64Milli(written_ms, 'UTC')::DateTime('UTC') + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 100;
