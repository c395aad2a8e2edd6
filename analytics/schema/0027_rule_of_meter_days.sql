-- By which rule was a day looked at? Days of an older one are looked at again, as long as their readings are there.
ALTER TABLE meter_days
    ADD COLUMN rule UInt8 DEFAULT 0 COMMENT 'LEARNING_RULE of analytics/meter_learning.py, 0 = before it was kept';
