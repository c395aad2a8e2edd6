"""The filled database, once for all tests of the pages' data."""

from collections.abc import Iterator

import pytest

from analytics.client import ClickHouseAddress, connect
from analytics.questions import PLATFORM_SCOPE
from analytics.session_curve import session_curve
from core.ykc.realtime import encode_realtime
from dashboard.context import Services
from dashboard.source import Source
from tests.dashboard.fleet_database import NOW_MS, FleetDatabase, fleet_database


@pytest.fixture(scope="session")
def fleet(clickhouse: ClickHouseAddress) -> Iterator[FleetDatabase]:
    """A day of the synthetic fleet."""
    with fleet_database(clickhouse) as database:
        yield database


@pytest.fixture
def services(fleet: FleetDatabase) -> Services:
    """What pages are given, over the filled database."""
    return Services(
        source=Source(lambda: connect(fleet.address), PLATFORM_SCOPE, lambda: NOW_MS),
        zone="Asia/Shanghai",
        curve_of=session_curve,
        encode_reading=encode_realtime,
        frame_fields=lambda _hex: {},
    )
