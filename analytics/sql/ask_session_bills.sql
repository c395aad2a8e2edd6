-- What was billed for one charge, revision by revision, the newest first?
SELECT *
FROM bill_revisions
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
ORDER BY revision DESC, inputs_digest DESC
