-- By what else was a charge measured than by register, quantum and power? The curve of its page is measured once more by these,
-- so that it ends where the bill does, whatever was configured since.
ALTER TABLE session_revisions
    ADD COLUMN stops_offline_ms UInt32 DEFAULT 0 COMMENT 'how long the connector goes on after its link was lost, 0 = until the end',
    ADD COLUMN reading_period_ms UInt32 DEFAULT 15000 COMMENT 'the interval of readings that was expected; a longer silence than max(60 s, 3 of these) is a gap',
    ADD COLUMN previous_was_over UInt8 DEFAULT 1 COMMENT '1 = the charge before took no more of the register than previous_end_e4kwh';

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
