-- What did a connector's meter, state and battery read at each moment?
-- One row per realtime frame (YKC 0x13). The columns hold every field of the frame, so that its bytes can be made
-- from the row; where that would not give the same bytes (`exact` = 0) they stand in `frames` as well.
CREATE TABLE readings
(
    operator_id UInt32 CODEC(ZSTD),
    pile_id UInt32 CODEC(ZSTD),
    connector UInt8 CODEC(ZSTD),
    event_ms Int64 CODEC(DoubleDelta, ZSTD),
    receive_ms Int64 CODEC(DoubleDelta, ZSTD),
    stored UInt8 COMMENT '1: kept by the charger while it was away; event_ms is then session start + charge_minutes, +-60 s',
    trade_hi UInt64 CODEC(ZSTD) COMMENT 'first 8 BCD bytes of trade_no as a big-endian number',
    trade_lo UInt64 CODEC(ZSTD),
    frame_pile UInt64 CODEC(ZSTD) COMMENT 'the 7 BCD bytes of pile_code in the frame',
    gun_bcd UInt8 CODEC(ZSTD),
    protocol Enum8('ykc' = 1, 'aaf5' = 2) CODEC(ZSTD),
    seq UInt16 CODEC(Delta, ZSTD) COMMENT 'the two wire bytes, little-endian',
    checksum_order Enum8('le' = 1, 'be' = 2) CODEC(ZSTD),
    state UInt8 CODEC(ZSTD) COMMENT '0 offline, 1 fault, 2 idle, 3 charging',
    gun_home UInt8 CODEC(ZSTD),
    plugged UInt8 CODEC(ZSTD),
    voltage_dv UInt16 CODEC(Delta, ZSTD) COMMENT '0.1 V',
    current_da UInt16 CODEC(Delta, ZSTD) COMMENT '0.1 A',
    cable_temp_raw UInt8 CODEC(ZSTD) COMMENT 'degrees C + 50',
    cable_id UInt64 CODEC(ZSTD) COMMENT '8 raw bytes as a big-endian number',
    soc UInt8 CODEC(ZSTD),
    battery_temp_raw UInt8 CODEC(ZSTD) COMMENT 'degrees C + 50',
    charge_minutes UInt16 CODEC(Delta, ZSTD),
    remain_minutes UInt16 CODEC(Delta, ZSTD),
    energy_e4kwh UInt32 CODEC(DoubleDelta, ZSTD) COMMENT 'session counter',
    loss_energy_e4kwh UInt32 CODEC(DoubleDelta, ZSTD),
    amount_e4yuan UInt32 CODEC(DoubleDelta, ZSTD),
    fault_bits UInt16 CODEC(ZSTD),
    connection_id UInt64 CODEC(ZSTD),
    exact UInt8 CODEC(ZSTD),
    live_accepted_e4kwh UInt32 CODEC(DoubleDelta, ZSTD) COMMENT 'energy of the session so far, as the gateway accepted it then',
    live_amount_fen UInt32 CODEC(Delta, ZSTD) COMMENT 'its money by the platform tariff, then',
    live_flags UInt32 CODEC(ZSTD) COMMENT 'core.meter.flags.Flag bits raised by this reading',
    segment_id UInt64 CODEC(ZSTD),
    segment_offset UInt64 CODEC(Delta, ZSTD),
    inserted_ms Int64 DEFAULT toUnixTimestamp64Milli(now64(3)) CODEC(Delta, ZSTD),
    trade_no String ALIAS concat(leftPad(hex(trade_hi), 16, '0'), leftPad(hex(trade_lo), 16, '0'))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(fromUnixTimestamp64Milli(event_ms, 'UTC'))
ORDER BY (pile_id, connector, event_ms, segment_id, segment_offset)
SETTINGS non_replicated_deduplication_window = 10000;
