-- What do chargers of the AAF5 family read and bill? Columns beside those of YKC; the frames themselves are in `frames`.
ALTER TABLE readings
    ADD COLUMN session_no LowCardinality(String) CODEC(ZSTD) COMMENT 'number of the session where it is not 32 hex digits; trade_hi and trade_lo are then its digest',
    ADD COLUMN register_e4kwh UInt64 CODEC(DoubleDelta, ZSTD) COMMENT 'absolute register of the meter, 0 = absent (YKC 0x13 has none)',
    ADD COLUMN register_before_e4kwh UInt64 CODEC(ZSTD) COMMENT 'the register at the begin of the session, as the charger says; 0 = absent',
    ADD COLUMN start_ms Int64 CODEC(Delta, ZSTD) COMMENT 'begin of the session by the charger clock, 0 = absent',
    ADD COLUMN duration_s UInt32 CODEC(Delta, ZSTD) COMMENT 'charging time by the charger, 0 = absent',
    ADD COLUMN work_state UInt8 CODEC(ZSTD) COMMENT 'AAF5 work_state as it came; `state` is what it means',
    ADD COLUMN start_mode UInt8 CODEC(ZSTD) COMMENT 'AAF5: 0 card, 1 platform, 2 local administrator',
    ADD COLUMN alarm UInt32 CODEC(ZSTD) COMMENT 'AAF5: highest alarm, 0 = none';

ALTER TABLE readings MODIFY COLUMN trade_no String
    ALIAS if(session_no != '', toString(session_no), concat(leftPad(hex(trade_hi), 16, '0'), leftPad(hex(trade_lo), 16, '0')));

ALTER TABLE readings ADD COLUMN uncertainty_ms UInt32 ALIAS if(stored = 1 AND protocol = 'ykc', 60000, 0)
    COMMENT 'event_ms is right within so much';

ALTER TABLE pile_bill_uploads
    ADD COLUMN protocol Enum8('ykc' = 1, 'aaf5' = 2),
    ADD COLUMN stored UInt8 COMMENT '1: the charger had kept it while it was away',
    ADD COLUMN duration_s UInt32 COMMENT 'AAF5: as the charger says, 0 = absent',
    ADD COLUMN half_hour_energy_e4kwh Array(UInt32) COMMENT 'AAF5: 48 half-hours of the local day; empty for YKC',
    ADD COLUMN plate String,
    ADD COLUMN record_index UInt32 COMMENT 'AAF5: place in the memory of the charger, used again',
    ADD COLUMN soc_start UInt8,
    ADD COLUMN soc_end UInt8;

ALTER TABLE pile_bill_uploads MODIFY COLUMN stop_reason UInt32;
ALTER TABLE pile_bill_uploads MODIFY COLUMN start_mode UInt8 COMMENT 'YKC: 1 app, 2 card, 4 offline card, 5 VIN; AAF5: 0 card, 1 platform, 2 local administrator';

DROP VIEW pile_bills;

-- Which different bills did chargers upload, each once? More than one row per trade number is itself a finding.
CREATE VIEW pile_bills AS
SELECT
    pile_id,
    connector,
    trade_no,
    content_digest,
    min(receive_ms) AS first_receive_ms,
    count() AS uploads,
    argMin(protocol, receive_ms) AS protocol,
    argMin(operator_id, receive_ms) AS operator_id,
    argMin(start_ms, receive_ms) AS start_ms,
    argMin(end_ms, receive_ms) AS end_ms,
    argMin(trade_time_ms, receive_ms) AS trade_time_ms,
    argMin(stored, receive_ms) AS stored,
    argMin(duration_s, receive_ms) AS duration_s,
    argMin(class_price_e5yuan, receive_ms) AS class_price_e5yuan,
    argMin(class_energy_e4kwh, receive_ms) AS class_energy_e4kwh,
    argMin(class_amount_e4yuan, receive_ms) AS class_amount_e4yuan,
    argMin(half_hour_energy_e4kwh, receive_ms) AS half_hour_energy_e4kwh,
    argMin(meter_start_e4kwh, receive_ms) AS meter_start_e4kwh,
    argMin(meter_end_e4kwh, receive_ms) AS meter_end_e4kwh,
    argMin(energy_e4kwh, receive_ms) AS energy_e4kwh,
    argMin(loss_energy_e4kwh, receive_ms) AS loss_energy_e4kwh,
    argMin(amount_e4yuan, receive_ms) AS amount_e4yuan,
    argMin(vin, receive_ms) AS vin,
    argMin(plate, receive_ms) AS plate,
    argMin(start_mode, receive_ms) AS start_mode,
    argMin(stop_reason, receive_ms) AS stop_reason,
    argMin(physical_card, receive_ms) AS physical_card
FROM pile_bill_uploads
GROUP BY pile_id, connector, trade_no, content_digest;

ALTER TABLE session_revisions MODIFY COLUMN bill_stop_reason UInt32;
