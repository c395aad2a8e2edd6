-- What does a record bill that takes the whole register of a meter for its charge? AAF5 tells up to 42,949,672.95 kWh and yuan,
-- more than 32 bits hold in 1e-4.
ALTER TABLE pile_bill_uploads
    MODIFY COLUMN energy_e4kwh UInt64,
    MODIFY COLUMN amount_e4yuan UInt64;

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
