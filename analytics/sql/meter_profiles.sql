-- What was learned of the meters of these chargers, and from when on does it hold?
SELECT
    pile_id,
    connector,
    valid_from_ms,
    computed_ms,
    profile_id,
    register_kind,
    quantum_e4kwh,
    pmax_w,
    register_digits
FROM meter_profiles
WHERE pile_id IN (SELECT pile_id FROM piles)
ORDER BY pile_id, connector, valid_from_ms, computed_ms, profile_id
