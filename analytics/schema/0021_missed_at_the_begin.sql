-- How much of a charge had its meter counted before the first reading of it? Where the naive figure is too small without any
-- defect of the register, this tells whether readings were missing at the begin or later (anomaly-codes.md, root causes).
ALTER TABLE session_revisions
    ADD COLUMN begin_missed_e4kwh Int64 COMMENT 'first charging reading of the register - its accepted begin; 0 also where that is not known';

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
