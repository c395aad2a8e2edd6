"""Bytes that a reading takes in ClickHouse, by how its columns are kept."""
