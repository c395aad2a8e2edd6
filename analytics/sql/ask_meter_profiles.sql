-- What was learned of the meters of these chargers, from what, and from when on does it hold?
-- Of two rows of one moment the later made one counts.
SELECT
    pile_id,
    connector,
    valid_from_ms,
    learned_from_day,
    learned_to_day,
    profile_id,
    register_kind,
    quantum_e4kwh,
    pmax_w,
    register_digits,
    sessions,
    differences,
    reasons
FROM meter_profiles
WHERE pile_id IN %(pile_ids)s
    AND pile_id IN
    (
        SELECT pile_id
        FROM dim_pile_owners
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    )
ORDER BY pile_id, connector, valid_from_ms DESC, computed_ms DESC, profile_id DESC
LIMIT 1 BY pile_id, connector, valid_from_ms
