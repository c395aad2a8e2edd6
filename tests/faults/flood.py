"""One charger that sends at full speed: readings by the hundred thousand, each with a number of its own."""

import socket
import threading
import time
from typing import Final

import numpy as np
import numpy.typing as npt
from clickhouse_driver import Client

from tests.faults.sender_log import DIGITS_OF_NUMBER, SenderLog, SentRecord
from tests.faults.wire_check import LOGIN_ANSWER, RECORD_ANSWER, crc16, take_frames
from tests.ingest.charger_frames import charging, login, record

PIECE_FRAMES: Final = 50_000
ANSWER_S: Final = 120.0
NUMBER: Final = slice(60, 64)
"""Where a reading of YKC has its amount, which the suite takes for its number."""
CHECKED: Final = range(2, 66)
CHECKSUM: Final = slice(66, 68)
_TABLE: Final = np.array([crc16(bytes([byte]), 0) for byte in range(256)], dtype=np.uint16)


class Flood:
    """A charger that sends `count` readings and then a record, in a thread of its own, as fast as they are taken."""

    def __init__(self, code: str, port: int, count: int) -> None:
        self.seconds = 0.0
        """How long the sending took."""
        self.is_acknowledged = False
        self._code = code
        self._port = port
        self._count = count
        self._trade_no = f"{code}01{1:0{DIGITS_OF_NUMBER}d}"
        self._record = record(self._trade_no, code, energy=1, amount=1)
        self._reading = charging(self._trade_no, 1, 0, code)
        self._times = [0, 0]
        self._thread = threading.Thread(target=self._run, name="flood")

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def finish(self, *logs: SenderLog) -> None:
        """Wait for its end; adds all but the readings to the logs."""
        self._thread.join()
        for log in logs:
            log.logins[login(self._code)] += 1
            log.records[self._trade_no] = SentRecord(self._code, self._record, self._times[0], 1, self._times[1])
            log.record_data.add(self._record)
            log.sent_bytes += len(login(self._code)) + len(self._record) + self._count * len(self._reading)

    def stored_wrong(self, client: Client) -> str:
        """What is wrong with its readings in ClickHouse; empty when each is there once."""
        ((rows, different, first, last),) = client.execute(
            "SELECT count(), uniqExact(amount_e4yuan), min(amount_e4yuan), max(amount_e4yuan) FROM readings"
            " WHERE leftPad(hex(frame_pile), 14, '0') = %(code)s",
            {"code": self._code},
        )
        found, sent = (rows, different, first, last), (self._count, self._count, 1, self._count)
        return "" if found == sent else f"rows, numbers, first and last of the flood: {found}, sent {sent}"

    def _run(self) -> None:
        with socket.create_connection(("127.0.0.1", self._port), timeout=ANSWER_S) as line:
            line.sendall(login(self._code))
            self._await(line, LOGIN_ANSWER)
            began_s = time.monotonic()
            for first in range(1, self._count + 1, PIECE_FRAMES):
                last = min(first + PIECE_FRAMES, self._count + 1)
                line.sendall(numbered(self._reading, np.arange(first, last, dtype=np.uint32)).data)
            self.seconds = time.monotonic() - began_s
            self._times[0] = time.monotonic_ns()
            line.sendall(self._record)
            self._await(line, RECORD_ANSWER)
            self._times[1] = time.monotonic_ns()
            self.is_acknowledged = True

    @staticmethod
    def _await(line: socket.socket, kind: int) -> None:
        received = bytearray()
        while all(frame[5] != kind for frame in take_frames(received)):
            data = line.recv(65_536)
            if not data:
                raise ConnectionResetError("the platform hung up on the flood")
            received += data


def numbered(reading: bytes, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    """The reading once for each number, with a checksum that is right: bytes, a row each."""
    frames = np.tile(np.frombuffer(reading, np.uint8), (len(numbers), 1))
    frames[:, NUMBER] = numbers.astype("<u4").view(np.uint8).reshape(-1, 4)
    crc = np.full(len(numbers), 0xFFFF, np.uint16)
    for place in CHECKED:
        crc = (crc >> 8) ^ _TABLE[(crc ^ frames[:, place]) & 0xFF]
    frames[:, CHECKSUM] = crc.astype("<u2").view(np.uint8).reshape(-1, 2)
    return frames
