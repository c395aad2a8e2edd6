"""All of a session that leaves the house: its record and its whole trail, without what names a person."""

import msgspec

from analytics.personal_data import masked_number, masked_vin
from analytics.timeline import Trail, trails
from dashboard.context import Services
from dashboard.session.record import SessionRecord, session_record


class EvidenceCase(msgspec.Struct, frozen=True):
    """What an engineer of the charger's maker may see of a session, and when it was put together."""

    record: SessionRecord
    trail: Trail
    made_ms: int

    @property
    def file_name(self) -> str:
        """A name for its files: the number of the session, as far as file systems take it."""
        number = self.record.session["trade_no"]
        return "evidence-" + "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in number)


def evidence_case(services: Services, pile: str, connector: int, trade_no: str) -> EvidenceCase | None:
    """The case of a session; None when it is unknown within the scope. Raises SourceAwayError."""
    record = session_record(services, pile, connector, trade_no)
    if record is None:
        return None
    source = services.source
    found: list[Trail] = source.with_client(
        lambda client: trails(client, source.scope, trade_no, every=True, masked=True)
    )
    own = [trail for trail in found if (trail.session["pile"], trail.session["connector"]) == (pile, connector)]
    return EvidenceCase(masked_record(record), own[0], services.now_ms()) if own else None


def masked_record(record: SessionRecord) -> SessionRecord:
    """The record with cards, accounts and the serial part of the VIN hidden."""
    session = {
        **record.session,
        "vin": masked_vin(record.session["vin"]),
        "physical_card": masked_number(record.session["physical_card"] or ""),
    }
    starts = [
        {**start, "account": (masked_vin if start["method"] == "vin" else masked_number)(start["account"])}
        for start in record.starts
    ]
    return msgspec.structs.replace(record, session=session, starts=starts)
