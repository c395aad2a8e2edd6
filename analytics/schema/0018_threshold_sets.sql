-- By which thresholds were sessions decided? Every set that was ever used, under the digest that stands on their revisions.
CREATE TABLE threshold_sets
(
    thresholds_digest UInt64,
    limits Map(String, Int64) COMMENT 'the thresholds of analytics.thresholds under their names',
    noted_ms Int64 COMMENT 'when it was used first'
)
ENGINE = MergeTree
ORDER BY thresholds_digest
SETTINGS non_replicated_deduplication_window = 1000;
