-- Which bytes of which spool segment were brought here, and does ClickHouse have all that the segment holds?
-- A row of `spool_pieces` is written before the rows of its piece are inserted: what is not announced here was never sent.
CREATE TABLE spool_pieces
(
    segment_id UInt64,
    start_offset UInt64,
    end_offset UInt64 COMMENT 'exclusive',
    spool LowCardinality(String) COMMENT 'folder below the spool: the worker, empty for the root',
    lane Enum8('facts' = 1, 'telemetry' = 2),
    records UInt32,
    tables Array(LowCardinality(String)),
    rows Array(UInt64) COMMENT 'of each table',
    announced_ms Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(announced_ms, 'UTC'))
ORDER BY (segment_id, start_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- What did the segment hold, what was inserted, and what does ClickHouse have? Row by row of each comparison.
CREATE TABLE spool_checks
(
    segment_id UInt64,
    start_offset UInt64,
    end_offset UInt64 COMMENT 'exclusive',
    spool LowCardinality(String),
    lane Enum8('facts' = 1, 'telemetry' = 2),
    frames_up UInt64 COMMENT 'records of the segment by kind',
    frames_down UInt64,
    quarantined UInt64,
    events UInt64,
    damaged_bytes UInt64 COMMENT 'no record: set aside beside the segment',
    undecodable_events UInt64 COMMENT 'likewise',
    tables Array(LowCardinality(String)),
    held_rows Array(UInt64) COMMENT 'rows that the segment becomes, by table',
    held_digest Array(UInt64),
    inserted_rows Array(UInt64) COMMENT 'sent by this loader, repeats and repairs included; 0 for what an earlier run sent',
    found_rows Array(UInt64) COMMENT 'what ClickHouse has',
    found_digest Array(UInt64) COMMENT 'sum(intHash64(bitXor(intHash64(segment_offset), content)))',
    verdict Enum8('equal' = 1, 'repaired' = 2, 'different' = 3) COMMENT 'repaired: rows were missing and were inserted again',
    checked_ms Int64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(checked_ms, 'UTC'))
ORDER BY (segment_id, start_offset, checked_ms)
SETTINGS non_replicated_deduplication_window = 10000;
