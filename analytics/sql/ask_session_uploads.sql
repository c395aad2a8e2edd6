-- What did the charger say a charge took and cost? One row per different record, with how often it was sent.
SELECT
    content_digest,
    count() AS uploads,
    min(receive_ms) AS first_receive_ms,
    max(receive_ms) AS last_receive_ms,
    argMin(uploaded.start_ms, receive_ms) AS bill_start_ms,
    argMin(uploaded.end_ms, receive_ms) AS bill_end_ms,
    argMin(uploaded.energy_e4kwh, receive_ms) AS bill_energy_e4kwh,
    argMin(uploaded.amount_e4yuan, receive_ms) AS bill_amount_e4yuan,
    argMin(uploaded.class_energy_e4kwh, receive_ms) AS bill_class_energy_e4kwh,
    argMin(uploaded.class_amount_e4yuan, receive_ms) AS bill_class_amount_e4yuan,
    argMin(uploaded.class_price_e5yuan, receive_ms) AS bill_class_price_e5yuan,
    argMin(uploaded.meter_start_e4kwh, receive_ms) AS bill_meter_start_e4kwh,
    argMin(uploaded.meter_end_e4kwh, receive_ms) AS bill_meter_end_e4kwh,
    argMin(uploaded.start_mode, receive_ms) AS bill_start_mode,
    argMin(uploaded.stop_reason, receive_ms) AS bill_stop_reason,
    argMin(uploaded.physical_card, receive_ms) AS bill_physical_card,
    argMin(uploaded.vin, receive_ms) AS bill_vin
FROM pile_bill_uploads AS uploaded
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
GROUP BY content_digest
ORDER BY first_receive_ms
