-- How many readings can be asked for, and of when is the newest?
SELECT count(), max(event_ms)
FROM readings
