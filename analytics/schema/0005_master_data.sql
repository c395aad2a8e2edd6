-- Whose is what? Mirrors of the SQL database's master data, replaced as a whole by backoffice.publish.
CREATE TABLE dim_operators
(
    operator_id UInt32 COMMENT '1 = unassigned',
    parent_operator_id UInt32 COMMENT '0 = top level',
    name String,
    name_en String,
    settle_first UInt8
)
ENGINE = MergeTree
ORDER BY operator_id;

CREATE TABLE dim_stations
(
    station_id UInt32,
    operator_id UInt32,
    name String,
    name_en String,
    aliases Array(String),
    zone LowCardinality(String),
    latitude Float64,
    longitude Float64,
    profile LowCardinality(String) COMMENT 'public or depot',
    occupancy_grace_ms Int64 COMMENT '-1 = occupancy is not watched'
)
ENGINE = MergeTree
ORDER BY station_id;

CREATE TABLE dim_piles
(
    pile_id UInt32,
    pile String,
    station_id UInt32,
    vendor LowCardinality(String),
    model LowCardinality(String),
    protocol LowCardinality(String),
    current_kind LowCardinality(String) COMMENT 'dc or ac',
    connectors UInt8,
    rated_power_w UInt32 COMMENT 'per connector',
    register_kind LowCardinality(String) COMMENT 'lifetime, session, boot',
    quantum_e4kwh UInt32,
    register_digits UInt8 COMMENT 'digits before the decimal point, 0 = unknown',
    commissioned_ms Int64,
    is_test UInt8
)
ENGINE = MergeTree
ORDER BY pile_id;

CREATE TABLE dim_connectors
(
    pile_id UInt32,
    connector UInt8,
    rated_power_w UInt32
)
ENGINE = MergeTree
ORDER BY (pile_id, connector);

CREATE TABLE dim_pile_owners
(
    pile_id UInt32,
    operator_id UInt32,
    from_ms Int64,
    to_ms Int64 COMMENT 'exclusive; 9223372036854775807 = open'
)
ENGINE = MergeTree
ORDER BY (pile_id, from_ms);

CREATE TABLE dim_tariff_versions
(
    tariff_version_id UInt32,
    tariff_id UInt32,
    tariff_name String,
    model_no String COMMENT '4 digits, unique among all versions',
    from_ms Int64,
    slot_classes Array(UInt8) COMMENT '48 x 0 sharp, 1 peak, 2 flat, 3 valley',
    electricity_price_e5yuan Array(UInt32) COMMENT 'by class, per kWh',
    service_price_e5yuan Array(UInt32) COMMENT 'by class, per kWh'
)
ENGINE = MergeTree
ORDER BY tariff_version_id;

CREATE TABLE dim_station_tariffs
(
    station_id UInt32,
    tariff_id UInt32,
    from_ms Int64
)
ENGINE = MergeTree
ORDER BY (station_id, from_ms);
