"""The number of a segment: of its node, boot and a random part; those of earlier versions stay what they are."""

import struct
import zlib
from pathlib import Path
from uuid import UUID

import pytest
from clickhouse_driver import Client

from analytics.client import ClickHouseAddress
from ingest import segment as segment_module
from ingest.segment import boot_of_machine, list_segments, new_segment_id, segment_path
from tests.ingest.charger_frames import heartbeat
from tests.ingest.loader_parts import counts, make_loader
from tests.ingest.spool_parts import NOW_MS, add_frame, open_spool


def test_copies_of_a_machine_with_equal_chance_have_different_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({new_segment_id("a", "1") for _ in range(1000)}) == 1000
    monkeypatch.setattr(segment_module, "uuid4", lambda: UUID(int=7))
    numbers = {new_segment_id(node, boot) for node, boot in (("a", "1"), ("b", "1"), ("a", "2"), ("a1", ""))}
    assert len(numbers) == 4
    assert new_segment_id("a", "1") in numbers
    assert boot_of_machine() == boot_of_machine() == Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()


def test_a_spool_names_its_segments_by_node_and_boot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment_module, "uuid4", lambda: UUID(int=7))
    for node in ("north", "south"):
        spool = open_spool(tmp_path / node, node=node)
        add_frame(spool, heartbeat())
        spool.close()
        (made,) = list_segments(tmp_path / node)
        assert made.segment_id == new_segment_id(node, boot_of_machine())


@pytest.mark.server
@pytest.mark.parametrize("version", [1, 2])
def test_a_segment_with_a_number_of_64_random_bits_is_loaded(
    tmp_path: Path, version: int, database_address: ClickHouseAddress, database: Client
) -> None:
    spool = open_spool(tmp_path)
    add_frame(spool, heartbeat())
    spool.close()
    (made,) = list_segments(tmp_path)
    number = 0xF123_4567_89AB_CDEF
    head = struct.pack("<8sQqHBx", b"PILESEG1", number, NOW_MS, version, made.header.lane)
    records = made.path.read_bytes()[len(head) + 4 :]
    made.path.unlink()
    segment_path(tmp_path, number).write_bytes(head + zlib.crc32(head).to_bytes(4, "little") + records)
    make_loader(tmp_path, database_address).load_available()
    assert counts(database)["frames"] == 1
    assert database.execute("SELECT segment_id FROM frames") == [(number,)]
    assert list_segments(tmp_path) == []
