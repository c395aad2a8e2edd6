"""The clock and the tariff of a connected charger: what is an alarm, what is sent, and when."""

from collections.abc import Iterator
from typing import Any

import pytest

from core.directory import Pile, PileDirectory
from ingest.alarm_desk import AlarmDesk
from ingest.connection_registry import PileState
from ingest.event_log import EventLog
from ingest.events import Alarm, ClockOffset, TariffAck
from ingest.incident_log import IncidentLog
from ingest.record_buffer import RecordBuffer
from ingest.upkeep import Upkeep
from ingest.ykc_stream import YkcStream
from tests.ingest.charger_frames import NOW_MS, OLD_TARIFF, TARIFF, charging, make_pile, realtime, trade_no_of

MINUTE_MS = 60_000


class Parts:
    """An upkeep, its time, and what it ordered and raised."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS
        self.pile = make_pile()
        self.directory = PileDirectory([self.pile])
        self.state = PileState(self.pile)
        self.state.time_sync_ms = NOW_MS
        self.ordered: list[str] = []
        self.raised: list[Alarm] = []
        events = EventLog(RecordBuffer(), self._written)
        alarms = AlarmDesk(events, IncidentLog(lambda: self.now_ms), lambda: self.now_ms)
        self.upkeep = Upkeep(
            self.directory,
            alarms,
            self,
            clock_limit_ms=180_000,
            time_sync_interval_ms=86_400_000,
            tariff_grace_ms=60_000,
            tariff_push_ms=300_000,
        )

    def _written(self, event: Any) -> None:
        if isinstance(event, Alarm):
            self.raised.append(event)

    def set_clock(self, pile: Pile) -> None:
        self.ordered.append("clock")
        self.state.time_sync_ms = self.now_ms

    def push_tariff(self, pile: Pile) -> None:
        self.ordered.append("tariff")

    def clock(self, offset_ms: int, source: str = "record") -> None:
        self.upkeep.heard(ClockOffset(11, self.now_ms, self.now_ms + offset_ms, offset_ms, source))

    def acked(self, version_id: int, model_no: str = "0008") -> None:
        self.state.tariff_acked(self.now_ms, version_id)
        self.upkeep.heard(TariffAck(11, self.now_ms, model_no, version_id, "tariff_check"))

    def rounds(self, minutes: int) -> None:
        """Look after the charger every second; it logged in at `NOW_MS`."""
        for _ in range(minutes * 60):
            self.now_ms += 1_000
            self.upkeep.look_after(self.pile, self.state, NOW_MS, self.now_ms, tariffs=True)

    @property
    def kinds(self) -> list[str]:
        return [alarm.kind for alarm in self.raised]


@pytest.fixture
def parts() -> Iterator[Parts]:
    yield Parts()


def test_a_clock_that_is_off_is_told_and_set(parts: Parts) -> None:
    parts.acked(TARIFF.tariff_version_id)
    parts.clock(180_000)
    parts.rounds(6)
    assert (parts.kinds, parts.ordered) == ([], [])
    parts.clock(-181_000)
    parts.rounds(1)
    assert parts.kinds == ["clock_off"]
    assert parts.raised[0].detail == "-181 s, by its record"
    assert parts.ordered == ["clock"]


def test_a_clock_that_stays_wrong_after_being_set_is_not_set_again_and_again(parts: Parts) -> None:
    parts.acked(TARIFF.tariff_version_id)
    parts.clock(10**9)
    parts.rounds(6)
    parts.clock(10**9, "time_sync_reply")
    parts.rounds(60)
    assert parts.ordered == ["clock"]
    assert parts.kinds == ["clock_off"]
    parts.rounds(24 * 60)
    assert parts.ordered == ["clock"] * 2  # the daily turn


def test_a_clock_that_was_put_right_rings_at_once_when_it_is_off_again(parts: Parts) -> None:
    parts.clock(10**9)
    parts.clock(10**9)
    assert len(parts.raised) == 1
    parts.clock(0, "time_sync_reply")
    parts.clock(10**9)
    assert len(parts.raised) == 2


def test_the_right_tariff_needs_nothing(parts: Parts) -> None:
    parts.acked(TARIFF.tariff_version_id)
    parts.rounds(30)
    assert (parts.kinds, parts.ordered, parts.upkeep.tariff_differences) == ([], [], set())


def test_a_charger_may_fetch_its_tariff_by_itself_first(parts: Parts) -> None:
    parts.rounds(1)
    assert parts.kinds == ["tariff_mismatch"]
    fetching = Parts()
    fetching.now_ms += 30_000
    fetching.acked(TARIFF.tariff_version_id)
    fetching.rounds(2)
    assert fetching.kinds == []


@pytest.mark.parametrize(
    ("held", "says"), [(OLD_TARIFF.tariff_version_id, "model 0007"), (None, "no model that is known here")]
)
def test_another_tariff_is_told_and_replaced_every_five_minutes_until_acknowledged(
    parts: Parts, held: int | None, says: str
) -> None:
    if held is not None:
        parts.acked(held)
    parts.rounds(12)
    assert parts.kinds[0] == "tariff_mismatch"
    assert says in parts.raised[0].detail
    assert "valid is 0008" in parts.raised[0].detail
    assert parts.ordered == ["tariff"] * 3
    assert parts.upkeep.tariff_differences == {11}
    parts.acked(TARIFF.tariff_version_id)
    assert parts.upkeep.tariff_differences == set()
    parts.rounds(30)
    assert parts.ordered == ["tariff"] * 3


def test_an_acknowledgement_of_the_wrong_version_settles_nothing(parts: Parts) -> None:
    parts.rounds(2)
    parts.acked(OLD_TARIFF.tariff_version_id)
    assert parts.upkeep.tariff_differences == {11}


def test_nothing_is_pushed_while_it_charges(parts: Parts) -> None:
    parts.acked(OLD_TARIFF.tariff_version_id)
    stream = YkcStream(RecordBuffer(), 1, lambda *event: None)
    stream.bind(parts.pile, parts.state)
    stream.take_frame(charging(trade_no_of(), 100, 1), NOW_MS)
    assert not parts.state.is_idle
    parts.rounds(12)
    assert parts.kinds[:1] == ["tariff_mismatch"]
    assert parts.ordered == []
    stream.take_frame(realtime(), parts.now_ms)
    parts.rounds(1)
    assert parts.ordered == ["tariff"]


def test_a_version_that_becomes_valid_is_pushed(parts: Parts) -> None:
    parts.acked(TARIFF.tariff_version_id)
    parts.rounds(2)
    assert parts.ordered == []
    newer = TARIFF.__class__(
        9, 1, "0009", parts.now_ms + 5 * MINUTE_MS, TARIFF.slot_classes, (1, 1, 1, 1), (0, 0, 0, 0)
    )
    parts.directory.replace([make_pile(tariffs=(OLD_TARIFF, TARIFF, newer))])
    parts.rounds(4)
    assert parts.ordered == []
    parts.rounds(2)
    assert parts.ordered == ["tariff"]
    assert parts.kinds == ["tariff_mismatch"]


def test_a_protocol_without_such_talk_is_left_alone(parts: Parts) -> None:
    for minute in range(1, 30):
        now_ms = NOW_MS + minute * MINUTE_MS
        parts.upkeep.look_after(parts.pile, parts.state, NOW_MS, now_ms, tariffs=False)
    assert (parts.kinds, parts.ordered) == ([], [])


def test_alarms_repeat_every_ten_minutes_and_say_how_many_were_silenced(parts: Parts) -> None:
    for _ in range(25):
        parts.clock(10**9)
        parts.now_ms += MINUTE_MS
    assert len(parts.raised) == 3
    assert parts.raised[1].detail.endswith("; 9 more since the last alarm")
