-- In which order do the two bytes of a frame's sequence number count? Low byte first, as the chargers' firmware counts
-- (ykc.md section 1), in both tables. `frames` held them high byte first, so its older rows are turned round.
ALTER TABLE frames COMMENT COLUMN seq 'sequence number of the frame, its two wire bytes little-endian';

ALTER TABLE readings COMMENT COLUMN seq 'sequence number of the frame, its two wire bytes little-endian';

ALTER TABLE frames UPDATE seq = byteSwap(seq) WHERE seq != 0 SETTINGS mutations_sync = 2;
