"""A gateway's regular work, once a second."""

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.tls import TlsFileError

if TYPE_CHECKING:
    from ingest.gateway import Gateway

HOUSEKEEPING_S: Final = 1.0
LOOKS_AT_ONCE: Final = 256
"""So many looks are about a millisecond of the event loop."""


class Housekeeping:
    """Runs from `start` to `stop`; what breaks in one round is told and counted, and the next round comes."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self.task = asyncio.create_task(self._keep_house(), name="gateway housekeeping")

    async def stop(self) -> None:
        """End; what broke is told, not raised."""
        if self.task is None:
            return
        self.task.cancel()
        (end,) = await asyncio.gather(self.task, return_exceptions=True)
        if isinstance(end, Exception):
            _complain("the gateway's housekeeping broke", end)

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_S)
            try:
                await self._round(self._gateway.clock())
            except Exception as error:  # noqa: BLE001 - the next round must come, whatever this one met
                self._gateway.counters.housekeeping_errors += 1
                _complain("a round of the gateway's housekeeping broke", error)

    async def _round(self, now_ms: int) -> None:
        gateway = self._gateway
        for number, connection in enumerate(gateway.watch.due(now_ms)):
            if number % LOOKS_AT_ONCE == LOOKS_AT_ONCE - 1:
                await asyncio.sleep(0)  # chargers that logged in at once are also due at once
            try:
                gateway.watch.look_after(connection, now_ms)
            except Exception as error:  # noqa: BLE001 - a connection that cannot be watched goes, the others stay
                gateway.counters.housekeeping_errors += 1
                _complain(f"connection {connection.connection_id} could not be looked after", error)
                connection.close("internal_error")
        failed = gateway.handshakes.count_failed(now_ms)
        if failed:
            gateway.log.note("tls_handshake", "", f"{failed} TLS handshakes came to nothing", weight=failed)
        self._renew_certificate()
        gateway.commands.expire()
        gateway.worker.tell_changes()
        gateway.facts.measured(await asyncio.to_thread(gateway.spool.facts_bytes))
        gateway.counters.measure_rate(now_ms)
        await asyncio.to_thread(gateway.files.beat, now_ms)
        status = gateway.status()
        gateway.shared.counted(status)
        await asyncio.to_thread(gateway.files.write_status, msgspec.json.encode(status))

    def _renew_certificate(self) -> None:
        gateway = self._gateway
        try:
            if gateway.tls is not None and gateway.tls.renew():
                gateway.log.note("tls_certificate_renewed", "")
        except TlsFileError as error:
            gateway.log.note("tls_certificate_refused", "", str(error))


def _complain(message: str, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})
