-- How many rows has a merged table of readings, and how many bytes do they take on disk, with marks and indexes?
SELECT sum(rows), sum(bytes_on_disk), count()
FROM system.parts
WHERE active AND database = currentDatabase() AND table = %(table)s
