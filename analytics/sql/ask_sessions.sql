-- Which charges match the filters, one page of them, in the wanted order, and how many are there in all?
-- A charge belongs to the time of its start, or of its bill's arrival while the start is unknown. An empty list or text
-- leaves a filter out. The scope looks at the current revision. codes_any is looked for in the codes after correction, codes_raw_any in the raw ones.
-- The one revision of a charge under way stands still; its end, energy and money are those of its last reading within
-- window_ms, as in ask_unbilled_now.sql, and unknown without one.
-- Partitions: the revisions of a charge lie between 2 days before the day of its start and a month after it.
-- Both tables are read and joined in the order of their key, so that millions of charges need little memory.
WITH
    toDate32(least(greatest(intDiv(%(from_ms)s, 86400000) - 2, 0), 90000)) AS first_day,
    toDate32(least(greatest(intDiv(%(to_ms)s, 86400000) + 31, 0), 90000)) AS last_day,
    live AS
    (
        SELECT
            pile_id,
            connector,
            if(any(session_no) != '', toString(any(session_no)), concat(leftPad(hex(trade_hi), 16, '0'), leftPad(hex(trade_lo), 16, '0'))) AS trade_no,
            max(if(state = 3, event_ms, 0)) AS charging_ms,
            argMax((toInt64(live_accepted_e4kwh), toInt64(live_amount_fen)), (event_ms, segment_id, segment_offset)) AS seen
        FROM readings
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND event_ms > %(now_ms)s - %(window_ms)s AND event_ms <= %(now_ms)s + 60000
            AND (trade_hi, trade_lo) != (0, 0) AND (protocol = 'ykc' OR state = 3)
        GROUP BY pile_id, connector, trade_hi, trade_lo
    ),
    joined AS
    (
        SELECT
            session.pile_id AS pile_id,
            session.pile AS pile,
            session.connector AS connector,
            session.trade_no AS trade_no,
            session.operator_id AS operator_id,
            session.station_id AS station_id,
            session.life AS life,
            session.bill_state AS bill_state,
            if(session.start_ms = 0, session.bill_receive_ms, session.start_ms) AS start_ms,
            session.end_ms AS decided_end_ms,
            session.quality AS quality,
            session.best_e4kwh AS decided_e4kwh,
            if(bill.status IS NULL, session.final_energy_e4kwh, bill.final_energy_e4kwh) AS billed_e4kwh,
            if(session.has_bill = 1, session.bill_energy_e4kwh, NULL) AS pile_energy_e4kwh,
            -- the numbers of YKC stand for every protocol, and 9 for what it has none for
            multiIf(
                session.protocol = 'aaf5',
                    transform(toString(session.start_method), ['app', 'card', 'local_admin'], [1, 2, 9], 0),
                session.start_mode = 0 AND session.start_command_ms > 0, 1,
                session.start_mode) AS start_mode,
            session.vin AS vin,
            bill.amount_fen AS billed_fen,
            if(session.life = 'open', 'open', ifNull(toString(bill.status), 'open')) AS status,
            if(session.life = 'open', 0, bill.held) AS held,
            if(session.life = 'open', [], bill.codes) AS codes,
            if(session.life = 'open', [], bill.codes_raw) AS codes_raw,
            if(session.life = 'open', [], bill.causes) AS causes
        FROM
        (
            SELECT *
            FROM session_revisions
            WHERE local_day >= first_day AND local_day <= last_day
                AND (empty(%(trade_tail)s) OR endsWith(trade_no, %(trade_tail)s))
                AND (empty(%(pile)s) OR position(pile, %(pile)s) > 0)
            ORDER BY pile_id, connector, trade_no, revision DESC, inputs_digest DESC
            LIMIT 1 BY pile_id, connector, trade_no
        ) AS session
        LEFT JOIN
        (
            SELECT
                pile_id,
                connector,
                trade_no,
                if(final_rule = 0, NULL, status) AS status, -- without a final rule the charge goes on
                if(final_rule = 0, NULL, final_energy_e4kwh) AS final_energy_e4kwh,
                if(final_rule = 0, NULL, amount_fen) AS amount_fen,
                if(final_rule = 0, 0, held) AS held,
                if(final_rule = 0, [], codes) AS codes,
                if(final_rule = 0, [], codes_raw) AS codes_raw,
                if(final_rule = 0, [], causes) AS causes
            FROM
            (
                SELECT *
                FROM bill_revisions
                WHERE local_day >= first_day AND local_day <= last_day
                    AND (empty(%(trade_tail)s) OR endsWith(trade_no, %(trade_tail)s))
                    AND (empty(%(pile)s) OR position(pile, %(pile)s) > 0)
                ORDER BY pile_id, connector, trade_no, revision DESC, inputs_digest DESC
                LIMIT 1 BY pile_id, connector, trade_no
            )
        ) AS bill ON bill.pile_id = session.pile_id AND bill.connector = session.connector AND bill.trade_no = session.trade_no
        WHERE (%(all_operators)s OR session.operator_id IN %(operator_ids)s) AND session.life != 'other_number'
        SETTINGS join_algorithm = 'full_sorting_merge'
    ),
    page AS
    (
        SELECT
            joined.* EXCEPT (decided_end_ms, decided_e4kwh, billed_e4kwh, billed_fen),
            if(life = 'open', greatest(live.charging_ms, decided_end_ms) * (live.charging_ms > 0), decided_end_ms) AS end_ms,
            multiIf(life != 'open', decided_e4kwh, live.trade_no = '', NULL, live.seen.1) AS platform_energy_e4kwh,
            multiIf(life != 'open', billed_e4kwh, live.trade_no = '', NULL, live.seen.1) AS energy_e4kwh,
            multiIf(life != 'open', billed_fen, live.trade_no = '', NULL, live.seen.2) AS amount_fen,
            count() OVER () AS total,
            if(%(descending)s, -1, 1) * multiIf(
                %(sort)s = 'end_ms', end_ms,
                %(sort)s = 'duration_ms', end_ms - joined.start_ms,
                %(sort)s = 'energy_e4kwh', ifNull(energy_e4kwh, -1),
                %(sort)s = 'pile_energy_e4kwh', ifNull(joined.pile_energy_e4kwh, -1),
                %(sort)s = 'platform_energy_e4kwh', ifNull(platform_energy_e4kwh, -1),
                %(sort)s = 'amount_fen', ifNull(amount_fen, -1),
                joined.start_ms) AS place
        FROM joined
        LEFT JOIN live ON live.pile_id = joined.pile_id AND live.connector = joined.connector AND live.trade_no = joined.trade_no
        WHERE joined.start_ms >= %(from_ms)s AND joined.start_ms < %(to_ms)s
            AND (empty(%(station_ids)s) OR has(%(station_ids)s, joined.station_id))
            AND (empty(%(owner_ids)s) OR has(%(owner_ids)s, joined.operator_id))
            AND (empty(%(vin)s) OR position(upper(joined.vin), upper(%(vin)s)) > 0)
            AND (empty(%(codes_any)s) OR hasAny(joined.codes, %(codes_any)s))
            AND (empty(%(codes_raw_any)s) OR hasAny(joined.codes_raw, %(codes_raw_any)s))
            AND (empty(%(start_modes)s) OR has(%(start_modes)s, joined.start_mode))
            AND (empty(%(states)s)
                OR has(%(states)s, joined.status)
                OR (has(%(states)s, 'held') AND joined.held = 1)
                OR (has(%(states)s, 'abnormal') AND notEmpty(joined.codes))
                OR (has(%(states)s, 'explained') AND notEmpty(joined.codes_raw) AND empty(joined.codes)))
        ORDER BY
            place,
            joined.start_ms DESC, joined.trade_no, joined.pile, joined.connector
        LIMIT %(limit)s OFFSET %(offset)s
    )
SELECT
    page.* EXCEPT (pile_id, operator_id, place, quality),
    toString(page.quality) AS quality,
    stations.name AS station,
    stations.name_en AS station_en,
    operators.name AS operator,
    operators.name_en AS operator_en
FROM page
LEFT JOIN dim_stations AS stations ON stations.station_id = page.station_id
LEFT JOIN dim_operators AS operators ON operators.operator_id = page.operator_id
ORDER BY page.place, page.start_ms DESC, page.trade_no, page.pile, page.connector
