"""Is what ClickHouse holds what the chargers sent? The comparison of the sender's log with the tables, by content."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from clickhouse_driver import Client

from tests.faults.sender_log import Moment, SenderLog, number_of

READING_BYTES: Final = 68
LOGIN_TYPE, BEAT_TYPE, RECORD_TYPE = 0x01, 0x03, 0x3B
GARBLED: Final = ("garbage", "bad_length", "bad_checksum", "encrypted", "foreign_pile")
WITH_PLACE: Final = (
    *("readings", "frames", "pile_bill_uploads", "connection_events", "presence", "connector_events", "clock_offsets"),
    *("commands", "tariff_acks", "platform_outages", "session_starts", "charger_identities", "alarms"),
)


@dataclass
class Verdict:
    """What was found; `wrong` is what no fault may ever do."""

    acknowledged: int = 0
    found: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    not_sent: list[str] = field(default_factory=list)
    telemetry_sent: int = 0
    telemetry_missing: list[Moment] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """One line for each finding."""
        return [
            *(f"acknowledged and missing: {text}" for text in self.missing),
            *(f"twice: {text}" for text in self.twice),
            *(f"not sent: {text}" for text in self.not_sent),
        ]

    def lost_ms(self, killed_ns: list[int]) -> list[float]:
        """For each missing piece of telemetry, how many ms before the kill that ended its connection it was sent.

        Less than 0: it went to a process that was dead already. Infinite: nobody was killed.
        """
        ages = []
        for moment in self.telemetry_missing:
            killed = min((killed for killed in killed_ns if killed >= moment.connected_ns), default=None)
            ages.append((killed - moment.sent_ns) / 1e6 if killed is not None else float("inf"))
        return ages


def compare(
    client: Client,
    log: SenderLog,
    ever: SenderLog | None = None,
    *,
    may_repeat: bool = False,
    may_garble: bool = False,
    but_readings_of: Collection[str] = (),
) -> Verdict:
    """Is everything of `log` stored, and nothing that was not `ever` sent (None: there was nothing before `log`)?

    `may_repeat`: the line between chargers and gateway may have delivered a frame more often than it was sent.
    `may_garble`: it may have changed bytes; what is not whole is evidence of that. `but_readings_of`: chargers whose
    readings somebody else compares.
    """
    verdict = Verdict()
    ever = ever or log
    _compare_records(client, log, ever, verdict, may_repeat)
    _compare_readings(client, log, ever, verdict, may_repeat, but_readings_of)
    _compare_frames(client, log, ever, verdict, may_repeat, may_garble)
    for table in WITH_PLACE:
        ((rows, places),) = client.execute(f"SELECT count(), uniqExact(segment_id, segment_offset) FROM {table}")
        if rows != places:
            verdict.twice.append(f"{rows - places} rows of {table} come from a place that another row comes from")
    return verdict


def bytes_stored(client: Client) -> int:
    """How many bytes of those that chargers sent are stored, as good frames or as evidence."""
    ((readings,),) = client.execute("SELECT count() FROM readings WHERE exact")
    ((frames,),) = client.execute("SELECT sum(length(bytes)) FROM frames WHERE direction = 'up'")
    return int(readings * READING_BYTES + frames)


def _compare_records(client: Client, log: SenderLog, ever: SenderLog, verdict: Verdict, may_repeat: bool) -> None:
    bills: dict[str, list[tuple[int, int, int]]] = {}
    for trade_no, energy, amount, uploads in client.execute(
        "SELECT trade_no, any(energy_e4kwh), any(amount_e4yuan), count() FROM pile_bill_uploads"
        " GROUP BY pile_id, connector, trade_no, content_digest"
    ):
        bills.setdefault(trade_no, []).append((energy, amount, uploads))
    frames = _frames(client, RECORD_TYPE)
    for trade_no, sent in log.acknowledged.items():
        verdict.acknowledged += 1
        if trade_no in bills and sent.data in frames:
            verdict.found += 1
        else:
            verdict.missing.append(f"record {trade_no}")
    for trade_no, contents in bills.items():
        known = ever.records.get(trade_no)
        if known is None:
            verdict.not_sent.append(f"record {trade_no}")
        elif any((energy, amount) != (number_of(trade_no),) * 2 for energy, amount, _ in contents):
            verdict.not_sent.append(f"record {trade_no} with {contents}")
        elif len(contents) > 1 or (contents[0][2] > known.times and not may_repeat):
            verdict.twice.append(f"record {trade_no}, sent {known.times} times: {contents}")
    verdict.not_sent += [f"bytes {data.hex()}" for data in frames if data not in ever.record_data]


def _compare_readings(
    client: Client, log: SenderLog, ever: SenderLog, verdict: Verdict, may_repeat: bool, but: Collection[str]
) -> None:
    stored = {
        (pile, number): rows
        for pile, number, rows in client.execute(
            "SELECT leftPad(hex(frame_pile), 14, '0') AS pile, amount_e4yuan, count() FROM readings"
            " WHERE NOT has(%(but)s, leftPad(hex(frame_pile), 14, '0')) GROUP BY pile, amount_e4yuan",
            {"but": list(but)},
        )
    }
    verdict.telemetry_sent += len(log.readings)
    verdict.telemetry_missing += [moment for key, moment in log.readings.items() if key not in stored]
    verdict.not_sent += [f"reading {key}" for key in stored if key not in ever.readings]
    if not may_repeat:
        verdict.twice += [f"reading {key}: {rows} rows" for key, rows in stored.items() if rows > 1]


def _compare_frames(
    client: Client, log: SenderLog, ever: SenderLog, verdict: Verdict, may_repeat: bool, may_garble: bool
) -> None:
    stored = _frames(client, BEAT_TYPE)
    for data, moments in log.beats.items():
        verdict.telemetry_sent += len(moments)
        lost = ever.beats[data][stored[data] :]  # which of equal ones it was nobody can say
        verdict.telemetry_missing += set(moments).intersection(lost)
    for kind, sent in ((BEAT_TYPE, ever.beat_counts), (LOGIN_TYPE, ever.logins)):
        for data, rows in _frames(client, kind).items():
            if data not in sent:
                verdict.not_sent.append(f"bytes {data.hex()}")
            elif rows > sent[data] and not may_repeat:
                verdict.twice.append(f"bytes {data.hex()}: {rows} rows, sent {sent[data]} times")
    others = client.execute(
        "SELECT verdict, frame_type, count() FROM frames WHERE direction = 'up' GROUP BY verdict, frame_type"
    )
    for word, kind, rows in others:
        if word == "ok" and kind not in (LOGIN_TYPE, BEAT_TYPE, RECORD_TYPE):
            verdict.not_sent.append(f"{rows} frames of type {kind}")
        if word in GARBLED and not may_garble:
            verdict.not_sent.append(f"{rows} pieces of {word}")


def _frames(client: Client, kind: int) -> Counter[bytes]:
    rows = client.execute(
        "SELECT hex(bytes) AS data, count() FROM frames WHERE direction = 'up' AND verdict = 'ok'"
        " AND frame_type = %(kind)s GROUP BY data",
        {"kind": kind},
    )
    return Counter({bytes.fromhex(data): count for data, count in rows})
