-- Which stored charges are about to be ordinary, and are not? Each statement makes some charges odd in its own way.
-- A second content under one number, and the same one once more.
INSERT INTO pile_bill_uploads
SELECT * REPLACE (energy_e4kwh + 300 AS energy_e4kwh, content_digest + 1000000 AS content_digest, receive_ms + 5000 AS receive_ms)
FROM pile_bill_uploads
WHERE trade_no LIKE '%03';

INSERT INTO pile_bill_uploads
SELECT * REPLACE (receive_ms + 60000 AS receive_ms)
FROM pile_bill_uploads
WHERE trade_no LIKE '%14';

-- Another record of the same connector in the time of a charge.
INSERT INTO pile_bill_uploads
SELECT * REPLACE (replaceOne(trade_no, '2510', '2511') AS trade_no, content_digest + 2000000 AS content_digest,
    start_ms + 400000 AS start_ms)
FROM pile_bill_uploads
WHERE trade_no LIKE '%27';

-- And one of the same vehicle at the other charger.
INSERT INTO pile_bill_uploads
SELECT * REPLACE (3 - pile_id AS pile_id, replaceOne(trade_no, '2510', '2512') AS trade_no, 'LSVAA49J888332044' AS vin,
    content_digest + 3000000 AS content_digest)
FROM pile_bill_uploads
WHERE trade_no LIKE '%31';

-- Readings that the charger had kept: of the charge itself, and of one of which nothing else tells.
INSERT INTO readings (* EXCEPT inserted_ms)
SELECT * EXCEPT inserted_ms REPLACE (receive_ms + 1200000 AS receive_ms, toUInt16(seq + 1) AS seq)
FROM readings
WHERE hex(trade_lo) LIKE '%40' AND charge_minutes = 9 AND connector = 1;

INSERT INTO readings (* EXCEPT inserted_ms)
SELECT * EXCEPT inserted_ms REPLACE (receive_ms + 2000000 AS receive_ms, trade_lo + 4096 AS trade_lo)
FROM readings
WHERE hex(trade_lo) LIKE '%44' AND charge_minutes = 12 AND connector = 1;

-- A number that stays while nothing is charged, a fault after the end.
INSERT INTO readings (* EXCEPT inserted_ms)
SELECT * EXCEPT inserted_ms REPLACE (2 AS state, receive_ms + 7000 AS receive_ms, event_ms + 7000 AS event_ms)
FROM readings
WHERE hex(trade_lo) LIKE '%50' AND charge_minutes = 3;

INSERT INTO readings (* EXCEPT inserted_ms)
SELECT * EXCEPT inserted_ms REPLACE (1 AS state, 1 AS plugged, receive_ms + 1000 AS receive_ms, event_ms + 1000 AS event_ms)
FROM readings
WHERE state = 2 AND receive_ms % 7 = 0;

-- Clocks that are off, a tariff of which the platform does not know, an order that was refused before it was taken.
INSERT INTO clock_offsets (operator_id, pile_id, event_ms, offset_ms, source)
SELECT 2, pile_id, start_ms + 60000, 90000 - start_ms % 300000, 'login'
FROM pile_bill_uploads
WHERE trade_no LIKE '%5';

INSERT INTO tariff_acks (operator_id, pile_id, event_ms, model_no, tariff_version_id, source)
SELECT 2, 2, max(start_ms) - 36000000, '0009', 9, 'tariff_reply'
FROM pile_bill_uploads;

INSERT INTO commands
SELECT * REPLACE (sent_ms - 90000 AS sent_ms, 'refused' AS outcome)
FROM commands
WHERE trade_no LIKE '%61';
