-- Against which inputs were these sessions or logins checked last?
SELECT pile_id, connector, trade_no, connection_id, argMax(inputs_digest, check_id), argMax(rule_version, check_id)
FROM conformance_checks
WHERE (pile_id, connector, trade_no, connection_id) IN (SELECT pile_id, connector, trade_no, connection_id FROM wanted)
GROUP BY pile_id, connector, trade_no, connection_id
