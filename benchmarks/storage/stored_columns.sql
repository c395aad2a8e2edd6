-- Which columns of a table of readings are stored, and of which types?
SELECT name, type
FROM system.columns
WHERE database = currentDatabase() AND table = %(table)s AND default_kind != 'ALIAS'
ORDER BY position
