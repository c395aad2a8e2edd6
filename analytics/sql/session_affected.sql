-- Which known sessions does a fact touch that does not carry their trade number?
-- `changes`: facts of a pile (tariff, clock) or of a connector (readings of another session or of none; `begins`: a charge,
-- its record or an order, which may show that an order of an AAF5 charger and a charge are one, or which charge a record
-- under another number belongs to).
SELECT DISTINCT pile_id, connector, trade_no,
    multiIf(charging_readings > 0, start_ms, bill_receive_ms > 0, bill_receive_ms, start_ms) AS since_ms
FROM
(
    SELECT pile_id, connector, trade_no, life, start_ms, end_ms, after_ms, occupancy_decided, unplugged_ms, next_start_ms,
        bill_receive_ms, bill_number, readings, charging_readings, previous_end_ms, has_bill, protocol
    FROM session_revisions
    WHERE pile_id IN (SELECT pile_id FROM changes) AND local_day >= toDate(fromUnixTimestamp64Milli(toInt64(%(from_ms)s), 'UTC')) - 3
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
) AS session
INNER JOIN changes ON session.pile_id = changes.pile_id
WHERE multiIf(
    changes.kind = 'tariff',
        session.end_ms > changes.from_ms,
    changes.kind = 'clock',
        session.start_ms <= changes.to_ms AND greatest(session.end_ms, session.bill_receive_ms) >= changes.from_ms,
    session.protocol = 'aaf5' AND session.connector = changes.connector AND session.trade_no != changes.trade_no
        AND changes.begins = 1 AND session.charging_readings = 0 AND session.has_bill = 0
        AND session.end_ms BETWEEN changes.told_ms - %(order_reach_ms)s AND changes.to_ms + %(order_reach_ms)s,
        1,
    session.connector = changes.connector AND session.trade_no != changes.trade_no AND changes.begins = 1
        AND (session.bill_number = changes.trade_no
            OR (if(session.has_bill = 1, session.readings = 0, session.charging_readings > 0)
                AND session.end_ms BETWEEN changes.told_ms - %(order_reach_ms)s AND changes.to_ms + %(order_reach_ms)s)),
        1,
    session.life = 'other_number',
        0,
    changes.kind = 'command',
        session.protocol = 'aaf5' AND session.connector = changes.connector AND session.trade_no != changes.trade_no
        AND session.start_ms BETWEEN changes.from_ms - 60000 AND changes.to_ms + %(order_reach_ms)s,
    changes.kind = 'bill',
        0,
    -- another reading of the same connector, before the session: where its register stood when the session began
    session.connector = changes.connector AND session.trade_no != changes.trade_no AND session.previous_end_ms >= 0
        AND changes.from_ms < session.start_ms AND changes.to_ms > session.previous_end_ms,
        1,
    -- after it: the reading ends the session, or tells until when it stood plugged
    session.connector = changes.connector AND session.trade_no != changes.trade_no AND changes.to_ms > session.end_ms
        AND (
            session.life = 'open'
            OR session.after_ms = 0
            OR changes.from_ms < session.after_ms
            OR (session.occupancy_decided = 0 AND (changes.unplugged = 1 OR changes.charged = 1))
            OR (session.occupancy_decided = 1 AND changes.from_ms < least(
                if(session.unplugged_ms = 0, session.end_ms + %(occupancy_max_wait_ms)s, session.unplugged_ms),
                if(session.next_start_ms = 0, session.end_ms + %(occupancy_max_wait_ms)s, session.next_start_ms)))))
