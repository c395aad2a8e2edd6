-- What is billed for the sessions of one batch?
-- The only place where a bill's money is computed: final energy of each half-hour x price of its class in the tariff
-- version of that half-hour. A fee is rounded half up to 1e-5 yuan per half-hour, the total once to fen, and the
-- service fee is what the electricity fee leaves of it (core.tariff.price_slots is the same rule for the live figure).
-- An unknown energy or tariff gives null money, never 0. Held: metering.md, "Held and settled".
INSERT INTO bill_revisions
    (operator_id, station_id, pile_id, pile, connector, trade_no, revision, inputs_digest, batch_id, computed_ms, status,
     local_day, start_ms, end_ms, pile_energy_e4kwh, platform_energy_e4kwh, low_e4kwh, high_e4kwh, quality, final_rule,
     final_energy_e4kwh, slot_of_day, slot_energy_e4kwh, slot_class, slot_electricity_e5yuan, slot_service_e5yuan,
     class_energy_e4kwh, electricity_e5yuan, service_e5yuan, amount_fen, electricity_fen, service_fen,
     pile_amount_e4yuan, tariff_stale, held, codes_raw, codes, causes, vin, start_mode, quantum_e4kwh)
WITH
    (
        SELECT groupArray((tariff_version_id, slot_classes, electricity_price_e5yuan, service_price_e5yuan))
        FROM dim_tariff_versions
        WHERE tariff_version_id IN (
            SELECT arrayJoin(slot_tariff_version) FROM session_revisions WHERE batch_id = %(batch_id)s)
    ) AS versions,
    arrayMap(version -> version.1, versions) AS version_ids,
    -- position of each slot's version; 0 = a slot without a known tariff
    arrayMap(id -> indexOf(version_ids, id), slot_tariff_version) AS slot_version,
    has(slot_version, 0) = 0 AND ifNull(final_energy_e4kwh, -1) = arraySum(slot_energy_e4kwh) AS priced,
    arrayMap((version, slot) -> if(version = 0, 255, versions[version].2[slot + 1]), slot_version, slot_of_day)
        AS slot_class,
    arrayMap((version, class, energy) -> if(version = 0, 0,
        intDiv(toInt64(energy) * versions[version].3[class + 1] + 5000, 10000)),
        slot_version, slot_class, slot_energy_e4kwh) AS slot_electricity,
    arrayMap((version, class, energy) -> if(version = 0, 0,
        intDiv(toInt64(energy) * versions[version].4[class + 1] + 5000, 10000)),
        slot_version, slot_class, slot_energy_e4kwh) AS slot_service,
    toInt64(arraySum(slot_electricity)) AS electricity,
    toInt64(arraySum(slot_service)) AS service,
    intDiv(electricity + service + 500, 1000) AS amount,
    intDiv(electricity + 500, 1000) AS electricity_part
SELECT
    operator_id,
    station_id,
    pile_id,
    pile,
    connector,
    trade_no,
    revision,
    inputs_digest,
    batch_id,
    computed_ms,
    if(life NOT IN ('open', 'other_number') AND bill_state IN ('present', 'lost', 'lost_offline', 'not_expected'), 'final', 'provisional')
        AS status,
    local_day,
    start_ms,
    end_ms,
    if(has_bill = 1, bill_energy_e4kwh, NULL) AS pile_energy_e4kwh,
    best_e4kwh AS platform_energy_e4kwh,
    low_e4kwh,
    high_e4kwh,
    final_quality AS quality,
    final_rule,
    final_energy_e4kwh,
    slot_of_day,
    slot_energy_e4kwh,
    slot_class,
    slot_electricity AS slot_electricity_e5yuan,
    slot_service AS slot_service_e5yuan,
    arrayMap(class -> toInt64(arraySum((energy, of) -> if(of = class, energy, 0), slot_energy_e4kwh, slot_class)),
        [0, 1, 2, 3]) AS class_energy_e4kwh,
    electricity AS electricity_e5yuan,
    service AS service_e5yuan,
    if(priced, amount, NULL) AS amount_fen,
    if(priced, electricity_part, NULL) AS electricity_fen,
    if(priced, amount - electricity_part, NULL) AS service_fen,
    if(has_bill = 1, bill_amount_e4yuan, NULL) AS pile_amount_e4yuan,
    tariff_stale,
    -- nothing is to be decided by a person while the charge goes on, nor when a start failed and took nothing
    life NOT IN ('open', 'other_number') AND (
        (final_quality IN ('MISSING', 'QUESTIONABLE', 'ESTIMATED')
            AND NOT (life = 'failed_start' AND final_energy_e4kwh = 0))
        OR inside_physical_limit = 0 OR NOT priced OR hasAny(codes, [3, 4, 7, 8, 11])) AS held,
    codes_raw,
    codes,
    causes,
    vin,
    start_mode,
    quantum_e4kwh
FROM session_revisions AS session
INNER JOIN
(
    SELECT pile_id, connector, trade_no, revision, inputs_digest, codes_raw, codes, causes
    FROM session_codes
    WHERE batch_id = %(batch_id)s
) AS found USING (pile_id, connector, trade_no, revision, inputs_digest)
WHERE batch_id = %(batch_id)s
    -- a charge under way has no bill, unless one was made before it turned out to go on; neither has an order whose charge
    -- turned out to go by another number
    AND (life NOT IN ('open', 'other_number') OR (pile_id, connector, trade_no) IN (
        SELECT pile_id, connector, trade_no
        FROM bill_revisions
        WHERE pile_id IN (SELECT pile_id FROM session_revisions WHERE batch_id = %(batch_id)s AND life IN ('open', 'other_number'))))
    AND (pile_id, connector, trade_no, revision, inputs_digest) NOT IN (
        SELECT pile_id, connector, trade_no, revision, inputs_digest
        FROM bill_revisions
        WHERE batch_id = %(batch_id)s)
