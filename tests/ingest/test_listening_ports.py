"""A port that workers share has room for a whole network that connects at once; another has one socket."""

import asyncio
import socket

import pytest

from ingest.listening_ports import SOCKETS_PER_SHARED_PORT, OpenPort, Ports, open_ports
from tests.ingest.running_gateway import run

pytestmark = pytest.mark.server

BACKLOG = 16
NEWCOMERS = 2 * (BACKLOG + 1)


async def open_port(*, shared: bool) -> OpenPort:
    opened = await open_ports(
        "127.0.0.1",
        Ports(ykc=0),
        lambda _: asyncio.Protocol(),
        backlog=BACKLOG,
        tls=None,
        handshake_timeout_s=1.0,
        shared=shared,
    )
    return opened["ykc"]


@pytest.mark.parametrize("shared", [False, True])
def test_all_sockets_of_a_port_listen_on_it_and_close_with_it(shared: bool) -> None:
    async def talk() -> None:
        port = await open_port(shared=shared)
        assert len(port.sockets) == (SOCKETS_PER_SHARED_PORT if shared else 1)
        (number,) = {listening.getsockname()[1] for listening in port.sockets}
        port.close()
        await asyncio.sleep(0.01)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", number)

    run(talk())


def test_more_newcomers_than_one_queue_holds_wait_while_the_loop_is_busy() -> None:
    async def talk() -> None:
        port = await open_port(shared=True)
        address = port.sockets[0].getsockname()
        newcomers = []
        for _ in range(NEWCOMERS):  # nothing here lets the loop accept them
            newcomer = socket.socket()
            newcomer.settimeout(0.5)
            newcomers.append(newcomer)
            newcomer.connect(address)
        for newcomer in newcomers:
            newcomer.close()
        port.close()

    run(talk())
