-- An AAF5 charger need not take over the number of an order (aaf5.md, cmd 7): such an order is no charge of its own.
ALTER TABLE session_revisions
    MODIFY COLUMN life LowCardinality(String) COMMENT 'open, ended, ended_offline, failed_start, other_number (an order whose charge runs under the number of the charger)';

DROP VIEW sessions;

-- What does the platform know of each charge now?
CREATE VIEW sessions AS
SELECT *
FROM
(
    SELECT *
    FROM session_revisions
    ORDER BY revision DESC, inputs_digest DESC
    LIMIT 1 BY pile_id, connector, trade_no
)
WHERE life != 'other_number';
