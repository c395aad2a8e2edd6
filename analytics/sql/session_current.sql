-- Which revision of these sessions stands now?
SELECT
    wanted.number,
    argMax((revision, inputs_digest, if(charging_readings > 0, start_ms, 0), life, bill_state, stays_since_ms, computed_ms,
        arrayMap(other -> (other.pile_id, other.connector, other.trade_no), overlaps),
        (session.pile_id, session.connector, bill_number),
        life NOT IN ('open', 'other_number') AND bill_state IN ('present', 'lost', 'lost_offline', 'not_expected'), meter_profile_id),
        (revision, inputs_digest)) AS current
FROM session_revisions AS session
INNER JOIN wanted ON session.pile_id = wanted.pile_id AND session.connector = wanted.connector
    AND session.trade_no = wanted.trade_no
WHERE (session.pile_id, session.connector, session.trade_no) IN (SELECT pile_id, connector, trade_no FROM wanted)
GROUP BY wanted.number
