-- What do these records say of when they charged whom? Of several under one number the first that was received counts.
SELECT
    wanted.number,
    argMin((start_ms, end_ms, uploads.receive_ms, vin, physical_card, energy_e4kwh, meter_start_e4kwh, meter_end_e4kwh), (uploads.receive_ms, content_digest)) AS record
FROM pile_bill_uploads AS uploads
INNER JOIN wanted ON uploads.pile_id = wanted.pile_id AND uploads.connector = wanted.connector
    AND uploads.trade_no = wanted.trade_no
WHERE (uploads.pile_id, uploads.connector, uploads.trade_no) IN (SELECT pile_id, connector, trade_no FROM wanted)
GROUP BY wanted.number
