"""Whether the database holds what was sent: every row, and each once."""

from pathlib import Path
from typing import Any, Final

from clickhouse_driver import Client

from benchmarks.endtoend.errors import EndToEndError
from benchmarks.endtoend.platform import until
from benchmarks.endtoend.traffic import Sent

HERE: Final = Path(__file__).parent
PATIENCE_S: Final = 600.0
LOOK_S: Final = 0.02


def await_readings(client: Client, readings: int, patience_s: float = PATIENCE_S) -> None:
    """Return when that many readings can be asked for; raises `EndToEndError` when they do not come."""

    def arrived() -> bool:
        ((found,),) = client.execute("SELECT count() FROM readings")
        return int(found) >= readings

    until(arrived, patience_s, f"{readings} readings can be asked for", LOOK_S)


def await_records(client: Client, records: int, patience_s: float = PATIENCE_S) -> None:
    """The same for records of charges."""

    def arrived() -> bool:
        ((found,),) = client.execute("SELECT count() FROM pile_bill_uploads")
        return int(found) >= records

    until(arrived, patience_s, f"{records} records can be asked for", LOOK_S)


def require_all(client: Client, sent: Sent) -> dict[str, Any]:
    """What was compared; raises `EndToEndError` when a reading or a record is missing, changed or stored twice."""
    ((readings, digest),) = client.execute((HERE / "readings.sql").read_text())
    ((uploads, charges),) = client.execute((HERE / "records.sql").read_text())
    found = Sent(int(readings), int(digest), int(uploads))
    if found != sent or charges != uploads:
        raise EndToEndError(f"sent {sent}, stored {found} of {charges} charges")
    return {"readings": found.readings, "records": found.records, "digest": f"{found.digest:016x}"}
