-- How many bytes does the connection of a reading take? In the order of the table it stays the same for hours.
ALTER TABLE readings MODIFY COLUMN connection_id UInt64 CODEC(Delta, ZSTD);
