-- Which facts came in since a moment of insertion, and whose are they?
-- `entries` are the moments of insertion with their rows: a caller that asks with an overlap sees what is new.
-- An AAF5 charger that does not charge repeats the number of its last session (aaf5.md section 4): its readings are news
-- of the connector, not of that session, and count under no number.
-- An answer to an order that nobody gave (`unasked`) makes no session: anybody can send it. Readings or a record do.
-- `told_ms`: since when the facts speak; a record that came late speaks of a time long before.
SELECT
    'readings' AS kind,
    pile_id,
    connector,
    if(any(session) != '', toString(any(session)), concat(leftPad(hex(hi), 16, '0'), leftPad(hex(lo), 16, '0'))) AS trade_no,
    min(event_ms) AS from_ms,
    max(receive_ms) AS to_ms,
    max(receive_ms) AS last_receive_ms,
    argMax(state, (event_ms, receive_ms)) = 3 AS charging_last,
    countIf(state = 3) > 0 AS charged,
    countIf(plugged = 0) > 0 AS unplugged,
    min(event_ms) AS told_ms,
    sumMap([inserted_ms], [toUInt64(1)]) AS entries
FROM
(
    SELECT
        pile_id, connector, event_ms, receive_ms, state, plugged, inserted_ms,
        protocol = 'aaf5' AND state != 3 AS repeats,
        if(repeats, 0, trade_hi) AS hi,
        if(repeats, 0, trade_lo) AS lo,
        if(repeats, '', session_no) AS session
    FROM readings
    WHERE inserted_ms > %(since_ms)s
)
GROUP BY pile_id, connector, hi, lo
UNION ALL
SELECT 'bill', pile_id, connector, trade_no, min(receive_ms), max(receive_ms), max(receive_ms), 0, 0, 0,
    min(if(protocol = 'aaf5' AND start_ms BETWEEN receive_ms - %(longest_kept_ms)s AND receive_ms, start_ms, receive_ms)),
    sumMap([inserted_ms], [toUInt64(1)])
FROM pile_bill_uploads
WHERE inserted_ms > %(since_ms)s
GROUP BY pile_id, connector, trade_no
UNION ALL
SELECT 'command', pile_id, connector, trade_no, min(sent_ms), max(sent_ms), 0, 0, 0, 0, min(sent_ms),
    sumMap([inserted_ms], [toUInt64(1)])
FROM commands
WHERE inserted_ms > %(since_ms)s AND trade_no != '' AND command IN %(start_commands)s AND outcome != 'unasked'
GROUP BY pile_id, connector, trade_no
UNION ALL
SELECT 'tariff', pile_id, 0, '', min(event_ms), max(event_ms), 0, 0, 0, 0, min(event_ms), sumMap([inserted_ms], [toUInt64(1)])
FROM tariff_acks
WHERE inserted_ms > %(since_ms)s
GROUP BY pile_id
UNION ALL
SELECT 'clock', pile_id, 0, '', min(event_ms), max(event_ms), 0, 0, 0, 0, min(event_ms), sumMap([inserted_ms], [toUInt64(1)])
FROM clock_offsets
WHERE inserted_ms > %(since_ms)s
GROUP BY pile_id
UNION ALL
SELECT 'outage', 0, 0, '', from_ms, to_ms, 0, 0, 0, 0, from_ms, sumMap([inserted_ms], [toUInt64(1)])
FROM platform_outages
WHERE inserted_ms > %(since_ms)s
GROUP BY from_ms, to_ms
