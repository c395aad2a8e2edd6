-- What does an AAF5 charger say of a charge whose energy is its whole register, or of its money? It tells up to 42,949,672.95 kWh
-- and yuan, more than the 32 bits of these columns hold in 1e-4. What is beyond them stands beside them, so that the columns of
-- all other readings stay as small as they are.
ALTER TABLE readings
    ADD COLUMN energy_above_e4kwh UInt64 CODEC(ZSTD) COMMENT 'AAF5: how much more than energy_e4kwh the charger told, which then stands at its limit',
    ADD COLUMN amount_above_e4yuan UInt64 CODEC(ZSTD) COMMENT 'AAF5: how much more than amount_e4yuan';

ALTER TABLE readings
    ADD COLUMN told_energy_e4kwh Int64 ALIAS toInt64(energy_e4kwh) + toInt64(energy_above_e4kwh) COMMENT 'energy of the session as the charger told it',
    ADD COLUMN told_amount_e4yuan Int64 ALIAS toInt64(amount_e4yuan) + toInt64(amount_above_e4yuan) COMMENT 'its money as the charger told it';
