"""What the charger driver wrote down, read as the list of what must be found."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

DIGITS_OF_NUMBER: Final = 16


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One line of the log.

    `kind`: login, reading, beat, record (about to be sent), heard (a heartbeat's answer), ack (of the record `text`),
    down (the connection ended; `text` says why).
    """

    kind: str
    pile: str
    connection: int
    at_ns: int
    number: int = 0
    data: str = ""
    text: str = ""


@dataclass
class SentRecord:
    """A record of a charge: its bytes, when and how often it was sent, when it was first acknowledged (0: never)."""

    pile: str
    data: bytes
    sent_ns: int = 0
    times: int = 0
    acknowledged_ns: int = 0


class Moment(NamedTuple):
    """When a frame was sent, and when the connection that it went over had begun; CLOCK_MONOTONIC in ns."""

    sent_ns: int
    connected_ns: int


@dataclass
class SenderLog:
    """Everything the chargers sent."""

    records: dict[str, SentRecord] = field(default_factory=dict)
    """By trade number."""
    record_data: set[bytes] = field(default_factory=set)
    readings: dict[tuple[str, int], Moment] = field(default_factory=dict)
    """By charger and number (the reading's `amount`)."""
    beats: dict[bytes, list[Moment]] = field(default_factory=dict)
    """By bytes, in the order of sending."""
    logins: Counter[bytes] = field(default_factory=Counter)
    sent_bytes: int = 0
    why_down: Counter[str] = field(default_factory=Counter)
    _connected: dict[str, int] = field(default_factory=dict)

    @property
    def acknowledged(self) -> dict[str, SentRecord]:
        """The records that the platform answered for, by trade number."""
        return {trade_no: sent for trade_no, sent in self.records.items() if sent.acknowledged_ns}

    @property
    def longest_wait_s(self) -> float:
        """From the first sending of a record to its acknowledgement, the longest."""
        waits = [sent.acknowledged_ns - sent.sent_ns for sent in self.acknowledged.values()]
        return max(waits, default=0) / 1e9

    @property
    def beat_counts(self) -> dict[bytes, int]:
        """How often each heartbeat was sent."""
        return {data: len(times) for data, times in self.beats.items()}

    def add_file(self, path: Path) -> None:
        """Read one run of the driver."""
        decode = msgspec.json.Decoder(Line).decode
        for text in path.read_bytes().splitlines():
            self._add(decode(text))

    def _add(self, line: Line) -> None:
        data = bytes.fromhex(line.data)
        self.sent_bytes += len(data)
        if line.kind == "record":
            self.records.setdefault(line.text, SentRecord(line.pile, data, line.at_ns)).times += 1
            self.record_data.add(data)
        elif line.kind == "ack":
            sent = self.records[line.text]
            sent.acknowledged_ns = sent.acknowledged_ns or line.at_ns
        elif line.kind == "reading":
            self.readings[line.pile, line.number] = Moment(line.at_ns, self._connected[line.pile])
        elif line.kind == "beat":
            self.beats.setdefault(data, []).append(Moment(line.at_ns, self._connected[line.pile]))
        elif line.kind == "login":
            self.logins[data] += 1
            self._connected[line.pile] = line.at_ns
        elif line.kind == "down":
            self.why_down[line.text] += 1


def number_of(trade_no: str) -> int:
    """The number that the driver gave a record: its energy and its amount."""
    return int(trade_no[-DIGITS_OF_NUMBER:])
