"""What `serve --workers` settles before the first worker starts: its ports, and whether the system lets it in."""

import resource
import socket
from pathlib import Path

import msgspec
import pytest

from ingest.gateway_status import GatewayStatus
from service.descriptor_limit import needed_descriptors, raise_descriptor_limit
from service.errors import StartError
from service.reserved_ports import ReservedPorts
from service.role import now_ms
from service.settings import Settings
from service.status import read_status


def listening(port: int) -> socket.socket:
    """As a worker opens it."""
    worker = socket.socket()
    worker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    worker.bind(("127.0.0.1", port))
    worker.listen()
    return worker


def test_a_reserved_port_is_shared_by_workers_and_closed_to_another_platform() -> None:
    ours, theirs = ReservedPorts(), ReservedPorts()
    settings = ours.reserve(Settings(ykc_port=0, aaf5_port=-1, detect_port=0))
    assert settings.ykc_port > 0
    assert settings.aaf5_port == -1
    assert settings.detect_port not in (0, settings.ykc_port)
    try:
        workers = [listening(settings.ykc_port) for _ in range(2)]
        with pytest.raises(StartError, match=f"the port {settings.ykc_port} on 127.0.0.1 cannot be had"):
            theirs.reserve(settings)
        for worker in workers:
            worker.close()
    finally:
        ours.release()
    # The port is free for whoever serves alone, too.
    alone = socket.create_server(("127.0.0.1", settings.ykc_port))
    alone.close()


def test_a_descriptor_limit_that_is_too_low_is_told_with_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(max_connections=50_000, workers=2)
    assert needed_descriptors(settings) == 25_000 + 3_125 + 256
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1_024, 20_000))
    raised: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    told = raise_descriptor_limit(settings)
    assert raised == [(20_000, 20_000)]
    assert told.startswith(
        "20000 open files are allowed, each of the 2 workers needs 28381 for max_connections = 50000"
    )
    assert raise_descriptor_limit(Settings(max_connections=10_000)) == ""


def test_status_sums_the_workers_itself_while_the_hub_is_away(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for worker in range(2):
        status = GatewayStatus(node="n", worker=worker, now_ms=now_ms(), port=9770, frames=7, closed={"peer": 1})
        (run / f"gateway-{worker}.json").write_bytes(msgspec.json.encode(status))
    old = GatewayStatus(node="n", worker=2, now_ms=now_ms() - 60_000, port=9770, frames=100)
    (run / "gateway-2.json").write_bytes(msgspec.json.encode(old))
    (run / "gateway.json").write_bytes(msgspec.json.encode(old))
    counters = read_status(Settings(data=str(tmp_path)))["gateway"]
    assert (counters["frames"], counters["closed"], counters["port"]) == (14, {"peer": 2}, 9770)
    assert [each["worker"] for each in counters["workers"]] == [0, 1]
