"""A gateway that was never killed: the bytes it received are stored, kept as evidence, or counted as given up."""

from typing import Final

from tests.faults.sender_log import SenderLog
from tests.faults.serve_process import ServeProcess, until
from tests.faults.tally import Row
from tests.faults.verdict import bytes_stored

COUNTED_WITHIN_S: Final = 5.0


def require_balance(row: Row, serve: ServeProcess, ever: SenderLog | None) -> None:
    """Note in `row` what does not add up: sent = received, received = stored + counted as given up.

    `ever` None: a proxy is between, so sent and received may differ. The gateway was never killed on this folder, the
    chargers have ended, nothing waits for the loader.
    """

    def counted() -> dict[str, int]:
        counters = serve.counters()
        return {name: counters[name] for name in ("bytes_in", "evidence_dropped_bytes", "pending_bytes")}

    if ever is not None:
        try:
            until(lambda: counted()["bytes_in"] == ever.sent_bytes, COUNTED_WITHIN_S, "the gateway has counted all")
        except AssertionError:
            row.wrong.append(f"the chargers sent {ever.sent_bytes} bytes, the gateway counts {counted()}")
    client = serve.client()
    stored = bytes_stored(client)
    client.disconnect()
    now = counted()
    row.notes["balance"] = now | {"stored": stored}
    row.require(
        now["bytes_in"] == stored + now["evidence_dropped_bytes"] + now["pending_bytes"],
        f"received {now}, stored {stored}",
    )
