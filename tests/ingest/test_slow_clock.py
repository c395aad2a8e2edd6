"""An AAF5 charger whose clock is off: its login shows it, and its live readings are not taken for kept ones."""

import pytest

from core.aaf5.codec import encode_raw
from ingest.aaf5_protocol import AAF5
from ingest.events import CommandOutcome
from ingest.reactions import ChargerReply, CommandAnswer
from ingest.record_buffer import FLAG_STORED, LANE_TELEMETRY, scan_records
from tests.ingest.aaf5_frames import AAF5_CODE, aaf5_login
from tests.ingest.aaf5_status import charging
from tests.ingest.charger_frames import NOW_MS
from tests.ingest.test_charger_link import Owner, feed

SLOW_MS = -342_000


class SettingOwner(Owner):
    """Every answer belongs to an order of the platform."""

    def charger_answered(self, pile_id: int, answer: CommandAnswer, reply: ChargerReply) -> CommandOutcome | None:
        return CommandOutcome(pile_id, 0, answer.command, "", 1, 2, "ok", "", b"request", reply.frame)


def flags(owner: Owner) -> list[int]:
    found = scan_records(owner.records.take(LANE_TELEMETRY))
    return [int(flag) & FLAG_STORED for flag in found.flags]


@pytest.mark.parametrize(("clock_ms", "stored"), [(NOW_MS + SLOW_MS, 0), (NOW_MS, FLAG_STORED)])
def test_a_login_tells_whether_a_reading_is_late(clock_ms: int, stored: int) -> None:
    owner = Owner()
    link = owner.link(AAF5)
    feed(link, aaf5_login(clock_ms=clock_ms))
    owner.records.take(LANE_TELEMETRY)
    feed(link, charging(5, 60, start_ms=NOW_MS - 60_000 + SLOW_MS), at_ms=NOW_MS + 2_000)
    assert flags(owner) == [stored]


def test_the_clock_counts_as_right_from_the_moment_when_it_was_set() -> None:
    owner = SettingOwner()
    link = owner.link(AAF5)
    feed(link, aaf5_login(clock_ms=NOW_MS + SLOW_MS))
    reply = {"reserved1": 0, "reserved2": 0, "pile_code": AAF5_CODE, "op": 1, "addr": 2, "result": 0}
    feed(link, encode_raw("str_params_reply", reply), at_ms=NOW_MS + 1_000)
    owner.records.take(LANE_TELEMETRY)
    # a charge of before the clock was set, over a new connection whose login shows the clock in order, and the next one
    again = owner.link(AAF5, connection_id=8)
    feed(again, aaf5_login(clock_ms=NOW_MS + 20_000), at_ms=NOW_MS + 20_000)
    owner.records.take(LANE_TELEMETRY)
    feed(again, charging(5, 90, start_ms=NOW_MS - 60_000 + SLOW_MS), at_ms=NOW_MS + 30_000)
    feed(again, charging(0, 5, start_ms=NOW_MS + 600_000, serial="NEXT"), at_ms=NOW_MS + 605_000)
    feed(again, charging(1, 60, start_ms=NOW_MS + 700_000, serial="KEPT"), at_ms=NOW_MS + 1_700_000)
    assert flags(owner) == [0, 0, FLAG_STORED]


def test_each_gun_s_connection_speaks_for_the_clock_of_its_charger() -> None:
    owner = Owner()
    for letter in "AB":
        link = owner.link(AAF5, connection_id=ord(letter))
        feed(link, aaf5_login(f"{AAF5_CODE}{letter}", clock_ms=NOW_MS + SLOW_MS))
        owner.records.take(LANE_TELEMETRY)
        reading = charging(5, 60, start_ms=NOW_MS - 60_000 + SLOW_MS, code=f"{AAF5_CODE}{letter}")
        feed(link, reading, at_ms=NOW_MS + 2_000)
        assert flags(owner) == [0]
