"""The configuration files of the embedded ClickHouse: small caches and pools, loopback only, every insert on disk."""

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import msgspec

from analytics.embedded_child import OPTIONS_FILE

APPLICATION_USER: Final = "pilestream"
MAX_SERVER_MEMORY_BYTES: Final = 4_000_000_000
MAX_QUERY_MEMORY_BYTES: Final = 2_000_000_000
PRIVATE_FILE: Final = 0o600


class Credentials(msgspec.Struct, frozen=True):
    """The application's own account at the embedded server."""

    user: str
    password: str


def credentials(folder: Path) -> Credentials:
    """Read the account kept in `folder`, or make one with a random password, readable by this account alone."""
    path = folder / "credentials.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    made = Credentials(APPLICATION_USER, secrets.token_hex(24))
    write_private(path, msgspec.json.encode(made))
    return made


def write_server_files(folder: Path, data: Path, port: int, http_port: int | None, account: Credentials) -> None:
    """Write config.xml, users.xml and the child's options into `folder`."""
    write_private(folder / "config.xml", _xml(_server(data, port, http_port)))
    write_private(folder / "users.xml", _xml(_users(account)))
    options = {
        "path": str(data),
        "port": port,
        "http": http_port is not None,
        "user": account.user,
        "password": account.password,
    }
    write_private(folder / OPTIONS_FILE, json.dumps(options).encode())


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only this account can read."""
    scratch = path.with_name(path.name + ".new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    scratch.replace(path)


def _server(data: Path, port: int, http_port: int | None) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "tcp_port": port,
        "listen_host": "127.0.0.1",
        "path": f"{data}/",
        "tmp_path": f"{data}/tmp/",
        "users_config": "users.xml",
        "timezone": "UTC",
        "max_server_memory_usage": MAX_SERVER_MEMORY_BYTES,
        "mark_cache_size": 64 << 20,
        "index_mark_cache_size": 16 << 20,
        "uncompressed_cache_size": 0,
        "mmap_cache_size": 100,
        "max_concurrent_queries": 100,
        "max_thread_pool_size": 1000,
        "background_pool_size": 2,
        "background_common_pool_size": 2,
        "background_schedule_pool_size": 4,
        "background_fetches_pool_size": 1,
        "background_move_pool_size": 1,
        "background_buffer_flush_schedule_pool_size": 1,
        "background_message_broker_schedule_pool_size": 1,
        "background_distributed_schedule_pool_size": 1,
        "tables_loader_foreground_pool_size": 2,
        "tables_loader_background_pool_size": 1,
        "merge_tree": {
            # The loader forgets a segment of the spool once ClickHouse has it: it must then survive a power cut.
            "fsync_after_insert": 1,
            "fsync_part_directory": 1,
            # Each column of a wide part is files of its own, and each file is synced: an insert waits for one, not 90.
            "min_level_for_wide_part": 1,
            # Nothing here is asked in a way that statistics would help; making them took a tenth of every merge.
            "auto_statistics_types": "",
            # These default to more than two pool threads can ever have free.
            "number_of_free_entries_in_pool_to_execute_mutation": 1,
            "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 1,
            "number_of_free_entries_in_pool_to_execute_optimize_entire_partition": 1,
        },
    }
    if http_port is not None:
        settings["http_port"] = http_port
    return settings


def _users(account: Credentials) -> dict[str, Any]:
    loopback = {"ip": ["127.0.0.1", "::1"]}
    own_session = {
        # The engine's own session logs in as this user and no other, without a password. It may do nothing but open
        # the ports and wait, since any account of the machine can log in as it.
        "password": "",
        "networks": loopback,
        "profile": "own_session",
        "quota": "default",
        "grants": {"query": ["GRANT SYSTEM LISTEN ON *.*", "GRANT SELECT ON system.numbers"]},
    }
    application = {
        "password_sha256_hex": hashlib.sha256(account.password.encode()).hexdigest(),
        "networks": loopback,
        "profile": "default",
        "quota": "default",
    }
    return {
        "profiles": {
            "default": {
                "max_memory_usage": MAX_QUERY_MEMORY_BYTES,
                # An idle connection notices within this many seconds that the server closes.
                "poll_interval": 1,
            },
            "own_session": {"max_memory_usage": 50_000_000, "max_threads": 1, "poll_interval": 1},
        },
        "quotas": {"default": {}},
        "users": {"default": own_session, account.user: application},
    }


def _xml(content: dict[str, Any]) -> bytes:
    root = ElementTree.Element("clickhouse")
    _fill(root, content)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _fill(parent: ElementTree.Element, content: dict[str, Any]) -> None:
    for name, value in content.items():
        for item in value if isinstance(value, list) else [value]:
            element = ElementTree.SubElement(parent, name)
            if isinstance(item, dict):
                _fill(element, item)
            else:
                element.text = str(item)
