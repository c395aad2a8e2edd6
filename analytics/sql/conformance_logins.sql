-- Which logins came in since, and are so old that what follows a login has come?
SELECT
    pile_id, connection_id, min(event_ms) AS login_ms, max(inserted_ms) AS newest_ms, any(operator_id) AS operator_id
FROM connection_events
WHERE event = 'login' AND inserted_ms > %(since_ms)s AND event_ms <= %(until_ms)s
GROUP BY pile_id, connection_id
ORDER BY newest_ms, pile_id, connection_id
LIMIT %(most)s
