-- What did the chargers say these sessions took? One row per different content, the first received first.
SELECT
    wanted.number,
    content_digest,
    min(uploads.receive_ms) AS first_receive_ms,
    argMin((start_ms, end_ms, energy_e4kwh, amount_e4yuan, class_energy_e4kwh, meter_start_e4kwh, meter_end_e4kwh,
        stop_reason, start_mode, vin, physical_card, class_price_e5yuan, duration_s, half_hour_energy_e4kwh, stored,
        loss_energy_e4kwh),
        uploads.receive_ms) AS content
FROM pile_bill_uploads AS uploads
INNER JOIN wanted ON uploads.pile_id = wanted.pile_id AND uploads.connector = wanted.connector
    AND uploads.trade_no = wanted.trade_no
WHERE uploads.receive_ms BETWEEN %(from_ms)s AND %(to_ms)s
    AND (uploads.pile_id, uploads.connector, uploads.trade_no) IN (SELECT pile_id, connector, trade_no FROM wanted)
GROUP BY wanted.number, content_digest
ORDER BY wanted.number, first_receive_ms, content_digest
