-- What is known of each connector's meter that nobody configured? Learned of closed days; a row holds from its moment on
-- until the next one of the same connector, and is never changed.
CREATE TABLE meter_profiles
(
    profile_id UInt64,
    pile_id UInt32,
    connector UInt8,
    valid_from_ms Int64 COMMENT 'a session that begins then or later is measured by it',
    learned_from_day Date COMMENT 'first local day whose readings speak',
    learned_to_day Date COMMENT 'last one, closed',
    register_kind LowCardinality(String) COMMENT 'lifetime, session, boot; empty = not learned',
    quantum_e4kwh UInt32 COMMENT '0 = not learned',
    pmax_w UInt32 COMMENT '0 = not learned',
    register_digits UInt8 COMMENT '0 = not learned',
    sessions UInt32 COMMENT 'that it was learned of',
    differences UInt64 COMMENT 'of the register, between readings',
    reasons Array(String) COMMENT 'what each value was learned from, in words',
    computed_ms Int64
)
ENGINE = MergeTree
ORDER BY (pile_id, connector, valid_from_ms, profile_id)
SETTINGS non_replicated_deduplication_window = 1000;

-- Where do the values come from that a session was measured by, and which other charges lie in its time?
ALTER TABLE session_revisions
    ADD COLUMN meter_profile_id UInt64 COMMENT 'the row of meter_profiles in force at its start, 0 = none',
    ADD COLUMN quantum_source LowCardinality(String) COMMENT 'configured, learned, session (its own readings), default',
    ADD COLUMN pmax_source LowCardinality(String) COMMENT 'configured, learned, default',
    ADD COLUMN register_source LowCardinality(String) COMMENT 'of register kind and digits: configured, learned, default',
    ADD COLUMN overlaps Array(Tuple(pile_id UInt32, connector UInt8, trade_no String, overlap_ms Int64, kind String)) COMMENT 'records of other charges in its time; kind: connector, vin, card, dual_gun (information only)',
    ADD COLUMN bill_number String COMMENT 'the number under which its record came, empty = its own',
    ADD COLUMN bill_loss_energy_e4kwh Int64 COMMENT 'energy with losses added by the charger, 0 = none told or none added';

DROP VIEW sessions;

-- What does the platform know of each charge now?
CREATE VIEW sessions AS
SELECT *
FROM
(
    SELECT *
    FROM session_revisions
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
WHERE life != 'other_number';

ALTER TABLE bill_revisions ADD COLUMN quantum_e4kwh UInt32 COMMENT 'smallest step of the meter it was measured by, 0 = not said (older revisions)';

DROP VIEW bills;

-- What is billed for each charge now?
CREATE VIEW bills AS
SELECT *
FROM bill_revisions
ORDER BY revision DESC, inputs_digest DESC
LIMIT 1 BY pile_id, connector, trade_no;
