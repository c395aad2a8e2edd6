-- When did the connections of these chargers begin and end around their sessions?
SELECT wanted.number AS number, connection_events.connection_id, toString(connection_events.event) AS event, connection_events.event_ms
FROM connection_events
INNER JOIN wanted ON connection_events.pile_id = wanted.pile_id
WHERE connection_events.pile_id IN (SELECT pile_id FROM wanted)
    AND connection_events.event_ms >= wanted.from_ms AND connection_events.event_ms <= wanted.to_ms
    AND connection_events.event IN ('login', 'closed', 'replaced')
ORDER BY number, connection_events.event_ms, event
