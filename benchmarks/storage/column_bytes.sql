-- How many bytes does each column of a merged table of readings take on disk, the largest first?
SELECT column, sum(column_bytes_on_disk) AS size
FROM system.parts_columns
WHERE active AND database = currentDatabase() AND table = %(table)s
GROUP BY column
ORDER BY size DESC, column
