-- What did a charger say a charge took and cost? One row per upload of a record (YKC 0x3B); chargers repeat uploads.
CREATE TABLE pile_bill_uploads
(
    operator_id UInt32,
    pile_id UInt32,
    connector UInt8,
    trade_no String,
    receive_ms Int64 CODEC(Delta, ZSTD),
    start_ms Int64 COMMENT 'charger clock; 0 = unknown or unusable',
    end_ms Int64 COMMENT 'charger clock; 0 = unknown or unusable',
    trade_time_ms Int64,
    class_price_e5yuan Array(UInt32) COMMENT 'sharp, peak, flat, valley: electricity + service',
    class_energy_e4kwh Array(UInt32) COMMENT 'sharp, peak, flat, valley',
    class_loss_energy_e4kwh Array(UInt32),
    class_amount_e4yuan Array(UInt32),
    meter_start_e4kwh UInt64 COMMENT 'absolute register, 0 = absent',
    meter_end_e4kwh UInt64 COMMENT 'absolute register, 0 = absent',
    energy_e4kwh UInt32,
    loss_energy_e4kwh UInt32,
    amount_e4yuan UInt32,
    vin String,
    start_mode UInt8 COMMENT '1 app, 2 card, 4 offline card, 5 VIN',
    stop_reason UInt8,
    physical_card String,
    content_digest UInt64 COMMENT 'of the frame body; equal for a repeated upload',
    connection_id UInt64,
    segment_id UInt64,
    segment_offset UInt64,
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(receive_ms, 'UTC'))
ORDER BY (pile_id, connector, trade_no, receive_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;

-- Which different bills did chargers upload, each once? More than one row per trade number is itself a finding.
CREATE VIEW pile_bills AS
SELECT
    pile_id,
    connector,
    trade_no,
    content_digest,
    min(receive_ms) AS first_receive_ms,
    count() AS uploads,
    argMin(operator_id, receive_ms) AS operator_id,
    argMin(start_ms, receive_ms) AS start_ms,
    argMin(end_ms, receive_ms) AS end_ms,
    argMin(trade_time_ms, receive_ms) AS trade_time_ms,
    argMin(class_price_e5yuan, receive_ms) AS class_price_e5yuan,
    argMin(class_energy_e4kwh, receive_ms) AS class_energy_e4kwh,
    argMin(class_amount_e4yuan, receive_ms) AS class_amount_e4yuan,
    argMin(meter_start_e4kwh, receive_ms) AS meter_start_e4kwh,
    argMin(meter_end_e4kwh, receive_ms) AS meter_end_e4kwh,
    argMin(energy_e4kwh, receive_ms) AS energy_e4kwh,
    argMin(loss_energy_e4kwh, receive_ms) AS loss_energy_e4kwh,
    argMin(amount_e4yuan, receive_ms) AS amount_e4yuan,
    argMin(vin, receive_ms) AS vin,
    argMin(start_mode, receive_ms) AS start_mode,
    argMin(stop_reason, receive_ms) AS stop_reason,
    argMin(physical_card, receive_ms) AS physical_card
FROM pile_bill_uploads
GROUP BY pile_id, connector, trade_no, content_digest;
