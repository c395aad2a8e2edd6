-- Of which sessions is something new since a moment, beyond a place in the order of the news? The oldest news first.
-- batch_id holds the moment of the biller's run in all but its 20 lowest bits.
SELECT max(news_ms) AS newest_ms, pile_id, connector, trade_no
FROM
(
    SELECT toInt64(bitShiftRight(batch_id, 20)) AS news_ms, pile_id, connector, trade_no
    FROM session_revisions
    WHERE batch_id >= bitShiftLeft(toUInt64(%(after_ms)s), 20)
    UNION ALL
    SELECT inserted_ms, pile_id, connector, trade_no
    FROM pile_bill_uploads
    WHERE inserted_ms >= %(after_ms)s
)
GROUP BY pile_id, connector, trade_no
HAVING (newest_ms, pile_id, connector, trade_no)
    > (toInt64(%(after_ms)s), toUInt32(%(after_pile)s), toUInt8(%(after_connector)s), %(after_trade)s)
ORDER BY newest_ms, pile_id, connector, trade_no
LIMIT %(page)s
