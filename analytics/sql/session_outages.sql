-- When could the platform itself not hear?
SELECT DISTINCT from_ms, to_ms
FROM platform_outages
WHERE to_ms >= %(from_ms)s AND to_ms > from_ms
ORDER BY from_ms, to_ms
