"""Sockets, who may connect, the spool on disk, the loader into ClickHouse, commands to chargers, replay of captures."""
