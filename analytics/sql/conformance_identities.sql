-- Of which make are these chargers, and which firmware did they say they run when the session began?
-- The join by time takes one login for each session, however often a charger logged in.
SELECT wanted.number AS number, piles.vendor, piles.model, identities.firmware
FROM wanted
LEFT JOIN (SELECT pile_id, vendor, model FROM dim_piles WHERE pile_id IN (SELECT pile_id FROM wanted)) AS piles
    ON piles.pile_id = wanted.pile_id
ASOF LEFT JOIN
(
    SELECT pile_id, event_ms, argMax(firmware, (segment_id, segment_offset)) AS firmware
    FROM charger_identities
    WHERE pile_id IN (SELECT pile_id FROM wanted) AND event_ms <= (SELECT max(seen_ms) FROM wanted)
    GROUP BY pile_id, event_ms
) AS identities ON identities.pile_id = wanted.pile_id AND identities.event_ms <= wanted.seen_ms
