-- What stands of the sessions whose bill is of one local day? Into a temporary table of the same name.
INSERT INTO {table}
SELECT *
FROM
(
    SELECT *
    FROM {database}.{table}
    WHERE (pile_id, connector, trade_no) IN (
        SELECT pile_id, connector, trade_no FROM {database}.{table} WHERE local_day = %(day)s)
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
WHERE local_day = %(day)s
