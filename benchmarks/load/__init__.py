"""From segments on disk to rows that can be asked for: the loader beside what else puts rows into ClickHouse."""
