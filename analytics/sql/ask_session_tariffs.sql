-- Which tariff versions price the half-hours of one charge?
SELECT *
FROM dim_tariff_versions
WHERE tariff_version_id IN
(
    SELECT arrayJoin(slot_tariff_version)
    FROM session_revisions
    WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
        AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
)
ORDER BY tariff_version_id
