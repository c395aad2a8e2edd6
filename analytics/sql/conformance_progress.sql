-- Up to which moment of the news were sessions and logins checked against these rules?
SELECT
    (SELECT max(bitShiftRight(batch_id, 20)) FROM conformance_checks WHERE rule_version = %(rule_version)s) AS sessions_ms,
    (
        SELECT max(inserted_ms)
        FROM connection_events
        WHERE event = 'login' AND connection_id IN
            (SELECT connection_id FROM conformance_checks WHERE rule_version = %(rule_version)s AND connection_id != 0)
    ) AS logins_ms
