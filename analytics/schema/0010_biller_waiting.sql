-- Which sessions could the biller not decide yet, so that it must take them up again without new facts?
CREATE TABLE biller_waiting
(
    pile_id UInt32,
    connector UInt8,
    trade_no String,
    since_ms Int64 COMMENT 'from when on there may be readings',
    entered Int64 COMMENT '1: waits from now on, negative: as many entries are settled; it waits while the sum is above 0',
    reason LowCardinality(String) COMMENT 'failed, unknown_pile, unknown_tariff; empty = settled',
    written_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3))
)
ENGINE = MergeTree
ORDER BY (pile_id, connector, trade_no, written_ms);
