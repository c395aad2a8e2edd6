-- Where did a charger leave the order of steps that its protocol prescribes? One row per deviation of a session or of
-- a login; a login has the number of its connection and no trade number. Only the rows of the newest check count.
CREATE TABLE session_deviations
(
    operator_id UInt32,
    station_id UInt32,
    pile_id UInt32,
    pile LowCardinality(String),
    connector UInt8,
    trade_no String,
    connection_id UInt64 COMMENT 'of a login; 0 = a session',
    check_id UInt64 COMMENT 'the check that found it',
    event_ms Int64 COMMENT 'when it was seen, or was due',
    flow LowCardinality(String) COMMENT 'remote_start, local_start, offline_start, ...',
    step LowCardinality(String) COMMENT 'the step of the protocol, by the name of its message',
    kind LowCardinality(String) COMMENT 'missing, repeated, out_of_order, late, never_answered',
    party LowCardinality(String) COMMENT 'who should have acted: charger or platform',
    detail String,
    observed_ms Int64 COMMENT 'how long it took, 0 = it never came',
    allowed_ms Int64 COMMENT '0 = no limit in time',
    times UInt32 COMMENT 'how often it was seen',
    evidence Array(Tuple(segment_id UInt64, segment_offset UInt64)) COMMENT 'the frames that show it'
)
ENGINE = MergeTree
ORDER BY (pile_id, connector, trade_no, connection_id, check_id, event_ms)
SETTINGS non_replicated_deduplication_window = 1000;

-- Which sessions and logins were checked, when, and against what? The newest check of each counts.
CREATE TABLE conformance_checks
(
    operator_id UInt32,
    station_id UInt32,
    pile_id UInt32,
    pile LowCardinality(String),
    connector UInt8,
    trade_no String,
    connection_id UInt64 COMMENT 'of a login; 0 = a session',
    check_id UInt64,
    checked_ms Int64,
    batch_id UInt64 COMMENT 'of the revision of the session that was checked; 0 = a login',
    rule_version UInt16,
    inputs_digest UInt64 COMMENT 'of the steps that were seen; equal inputs append nothing',
    local_day Date,
    end_ms Int64,
    protocol LowCardinality(String),
    flow LowCardinality(String),
    vendor LowCardinality(String),
    model LowCardinality(String),
    firmware LowCardinality(String) COMMENT 'at the begin of the session, empty = not known',
    steps_expected UInt16,
    steps_kept UInt16,
    deviations UInt16 COMMENT 'of the charger',
    platform_deviations UInt16,
    step_order String COMMENT 'the steps of the charger in their order, by number: 1 3 4 5',
    pattern LowCardinality(String) COMMENT 'what is wrong with it: SKIP(2), SWAP(2,3), REPEAT(2x3)'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(local_day)
ORDER BY (pile_id, connector, trade_no, connection_id, check_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- What came of the newest check of each session and login?
CREATE VIEW conformance AS
SELECT *
FROM conformance_checks
ORDER BY check_id DESC
LIMIT 1 BY pile_id, connector, trade_no, connection_id;
