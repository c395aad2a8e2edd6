-- What is known of a charge whose meter is an absolute register, whatever was kept by the charger while it was away,
-- and how it was started, in one word for every protocol?
ALTER TABLE session_revisions
    ADD COLUMN protocol LowCardinality(String) DEFAULT 'ykc',
    ADD COLUMN register_kind LowCardinality(String) DEFAULT 'session' COMMENT 'what the readings count: lifetime, session, boot',
    ADD COLUMN register_digits UInt8 COMMENT 'digits of the register before the decimal point, 0 = unknown',
    ADD COLUMN register_start_e4kwh Int64 COMMENT 'absolute register at the begin, as accepted; 0 = not known',
    ADD COLUMN register_end_e4kwh Int64 COMMENT 'absolute register at the end, as accepted; 0 = not known',
    ADD COLUMN previous_end_e4kwh Int64 COMMENT 'absolute register of the connector before this charge, 0 = not known or not asked for',
    ADD COLUMN previous_end_ms Int64 DEFAULT -1 COMMENT 'when that was read; -1 = it was not asked for, 0 = there was none',
    ADD COLUMN stored_readings UInt32 COMMENT 'readings that the charger had kept while it was away',
    ADD COLUMN bill_stored UInt8 COMMENT '1: the charger had kept its record while it was away',
    ADD COLUMN bill_duration_s UInt32 COMMENT 'charging time on the record, 0 = it has none',
    ADD COLUMN bill_half_hour_e4kwh Array(UInt32) COMMENT 'energy of the 48 half-hours of the local day on the record; empty = it has none',
    ADD COLUMN bill_half_hour_mask UInt64 DEFAULT 281474976710655 COMMENT 'bit i: the record touches half-hour i of the day, 30 minutes either side included; all 48 = not known',
    ADD COLUMN start_method LowCardinality(String) COMMENT 'app, card, offline_card, vin, local_admin; empty = not known';

ALTER TABLE session_revisions MODIFY COLUMN start_mode UInt8 COMMENT 'as on the record; its meaning depends on the protocol, see start_method';
ALTER TABLE session_revisions MODIFY COLUMN slot_method LowCardinality(String) COMMENT 'bill_half_hours, bill_classes, measured, linear, none';

DROP VIEW sessions;

-- What does the platform know of each charge now?
CREATE VIEW sessions AS
SELECT *
FROM session_revisions
ORDER BY revision DESC, inputs_digest DESC
LIMIT 1 BY pile_id, connector, trade_no;
