"""The bytes of a frame are given as far as the scope goes, whatever the browser names."""

import pytest
from msgspec import structs

from analytics.questions import Scope
from core.ykc.realtime import COLUMN_TYPES, decode_realtime
from dashboard.context import Services
from dashboard.session.frames import stored_hex
from dashboard.source import Source
from tests.dashboard.fleet_database import NOW_MS, FleetDatabase
from tests.dashboard.synthetic_fleet import Story
from tests.dashboard.synthetic_master import operator_of

pytestmark = pytest.mark.server

NANSHA = 3


@pytest.fixture
def story(fleet: FleetDatabase) -> Story:
    """A charge of an operator's own charger."""
    return next(s for s in fleet.fleet.stories if s.name == "clean" and operator_of(s.pile_id) == NANSHA)


def place_of(fleet: FleetDatabase, story: Story, table: str, moment: str) -> str:
    """Where the list says that the charge's last frame in that table stands."""
    row = fleet.client.execute(
        f"SELECT {moment}, segment_id, segment_offset FROM {table} WHERE trade_no = %(trade_no)s "
        f"ORDER BY {moment} DESC LIMIT 1",
        {"trade_no": story.trade_no},
    )[0]
    return "-".join([table, *map(str, row)])


def scoped(services: Services, operators: frozenset[int]) -> Services:
    return structs.replace(services, source=Source(services.source._connect, Scope(operators), lambda: NOW_MS))


def test_a_reading_gives_the_frame_of_its_columns(services: Services, fleet: FleetDatabase, story: Story) -> None:
    shown = stored_hex(place_of(fleet, story, "readings", "event_ms"), story.pile_id, story.connector, services)
    assert shown is not None
    columns = decode_realtime(bytes.fromhex(shown))
    last = story.readings[-1]
    assert columns is not None
    assert {name: last[name] for name in last.keys() & COLUMN_TYPES.keys() - {"checksum_order"}}.items() <= (
        columns.items()
    )


@pytest.mark.parametrize(("table", "moment"), [("readings", "event_ms"), ("frames", "receive_ms")])
def test_another_operators_frame_has_no_bytes(
    services: Services, fleet: FleetDatabase, story: Story, table: str, moment: str
) -> None:
    place = place_of(fleet, story, table, moment)
    own, other = scoped(services, frozenset({NANSHA})), scoped(services, frozenset({2}))
    assert stored_hex(place, story.pile_id, story.connector, own)
    assert stored_hex(place, story.pile_id, story.connector, other) is None
    assert stored_hex(place, story.pile_id, story.connector, scoped(services, frozenset())) is None


@pytest.mark.parametrize("place", ["", "readings", "readings-1-2", "readings-1-2-x", "frames-1--2-3", "a-b-c-d-e"])
def test_a_place_that_is_none_gives_nothing(services: Services, place: str) -> None:
    assert stored_hex(place, 1, 1, services) is None
