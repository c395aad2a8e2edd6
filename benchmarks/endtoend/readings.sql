-- How many readings are stored, and what is the sum of their mixtures modulo 2^64?
SELECT
    count(),
    sum(bitXor(mix, bitShiftRight(mix, 32)))
FROM
(
    SELECT
        trade_hi * 0x9E3779B97F4A7C15 + trade_lo * 0xC2B2AE3D27D4EB4F
            + seq * 0x165667B19E3779F9 + energy_e4kwh * 0xD6E8FEB86659FD93 AS mix
    FROM readings
)
