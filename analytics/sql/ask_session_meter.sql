-- What was learned of the meter by which one charge was measured, and from what?
-- The scope looks at the charges: whoever may see one that was measured by this row may see the row.
SELECT *
FROM meter_profiles
WHERE profile_id = %(profile_id)s AND pile_id = %(pile_id)s AND connector = %(connector)s
    AND (pile_id, connector) IN
    (
        SELECT pile_id, connector
        FROM session_revisions
        WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
            AND pile_id = %(pile_id)s AND connector = %(connector)s AND meter_profile_id = %(profile_id)s
    )
LIMIT 1
