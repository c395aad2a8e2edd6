-- Of which make are these chargers, and which firmware did they say they run when the session began?
SELECT wanted.number AS number, piles.vendor, piles.model, identities.firmware
FROM wanted
LEFT JOIN (SELECT pile_id, vendor, model FROM dim_piles) AS piles ON piles.pile_id = wanted.pile_id
LEFT JOIN
(
    SELECT wanted.number AS number, argMax(firmware, (event_ms, segment_id, segment_offset)) AS firmware
    FROM charger_identities
    INNER JOIN wanted ON charger_identities.pile_id = wanted.pile_id
    WHERE charger_identities.event_ms <= wanted.seen_ms
    GROUP BY number
) AS identities ON identities.number = wanted.number
