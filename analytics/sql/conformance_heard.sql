-- When was each of these chargers heard around its session, over which connection?
SELECT wanted.number AS number, presence.connection_id, presence.first_ms, presence.last_ms
FROM presence
INNER JOIN wanted ON presence.pile_id = wanted.pile_id
WHERE presence.pile_id IN (SELECT pile_id FROM wanted)
    AND presence.first_ms >= %(from_ms)s - 60000 AND presence.first_ms <= %(to_ms)s
    AND presence.last_ms >= wanted.from_ms AND presence.first_ms <= wanted.to_ms
ORDER BY number, presence.first_ms, presence.last_ms
