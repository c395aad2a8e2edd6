-- Which logins came in since a moment, beyond a place in their order, and are so old that what follows a login has come?
SELECT
    max(inserted_ms) AS newest_ms, pile_id, connection_id, min(event_ms) AS login_ms, any(operator_id) AS operator_id
FROM connection_events
WHERE event = 'login' AND inserted_ms >= %(after_ms)s AND event_ms <= %(until_ms)s
GROUP BY pile_id, connection_id
HAVING (newest_ms, pile_id, connection_id)
    > (toInt64(%(after_ms)s), toUInt32(%(after_pile)s), toUInt64(%(after_connection)s))
ORDER BY newest_ms, pile_id, connection_id
LIMIT %(page)s
