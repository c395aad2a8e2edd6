-- Which anomaly codes does one charge carry now, raw and corrected, with what was observed against which threshold?
SELECT revision, codes_raw, codes, causes, hits
FROM session_codes
WHERE (%(all_operators)s OR operator_id IN %(operator_ids)s)
    AND pile_id = %(pile_id)s AND connector = %(connector)s AND trade_no = %(trade_no)s
ORDER BY revision DESC, inputs_digest DESC
LIMIT 1
