-- What did these chargers say that their charges took? One row a number; of a content that came several times the first counts.
-- `plain` = 0: there are several contents, or the record is not shared out over four classes as nearly all are.
SELECT
    pile_id,
    connector,
    trade_no,
    first_receive_ms AS bill_receive_ms,
    toInt64(told.1) AS start_ms,
    toInt64(told.2) AS end_ms,
    toInt64(told.3) AS energy_e4kwh,
    toInt64(told.4) AS amount_e4yuan,
    toInt64(told.5) AS meter_start_e4kwh,
    toInt64(told.6) AS meter_end_e4kwh,
    toInt64(told.7) AS loss_energy_e4kwh,
    toInt64(told.8) AS stored,
    toInt64(told.9) AS start_mode,
    toInt64(told.10) AS stop_reason,
    toInt64(told.11) AS duration_s,
    toInt64(told.12[1]) AS class_energy_0,
    toInt64(told.12[2]) AS class_energy_1,
    toInt64(told.12[3]) AS class_energy_2,
    toInt64(told.12[4]) AS class_energy_3,
    toInt64(told.13[1]) AS class_price_0,
    toInt64(told.13[2]) AS class_price_1,
    toInt64(told.13[3]) AS class_price_2,
    toInt64(told.13[4]) AS class_price_3,
    toUInt8(contents = 1 AND length(told.12) = 4 AND length(told.13) = 4 AND empty(told.14)) AS plain,
    told.15 AS vin,
    told.16 AS physical_card
FROM
(
    SELECT
        pile_id,
        connector,
        trade_no,
        uniqExact(content_digest) AS contents,
        min(receive_ms) AS first_receive_ms,
        argMin((start_ms, end_ms, energy_e4kwh, amount_e4yuan, meter_start_e4kwh, meter_end_e4kwh, loss_energy_e4kwh, stored,
            start_mode, stop_reason, duration_s, class_energy_e4kwh, class_price_e5yuan, half_hour_energy_e4kwh, vin,
            physical_card), receive_ms) AS told
    FROM pile_bill_uploads
    WHERE pile_id IN (SELECT pile_id FROM piles) AND receive_ms BETWEEN %(from_ms)s AND %(to_ms)s AND protocol = 'ykc'
    GROUP BY pile_id, connector, trade_no
)
